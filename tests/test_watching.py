"""Alert rules and the dashboard ask for metrics that there are."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from api.http.app import create_app
from attribution.catalogue.models import TaskKind
from attribution.config import Settings
from attribution.errors import BackendUnavailable
from attribution.services import Services
from attribution.upkeep.calibrating import calibrate_if_due
from tests.apis import local_client, png

DEPLOY = Path(__file__).parents[1] / "deploy"
ALERTS = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())
DASHBOARD = json.loads((DEPLOY / "grafana" / "lawful.json").read_text())
NAME = re.compile(r"\blawful_\w+")


def scraped(client: TestClient) -> dict[str, list[dict[str, str]]]:
    """Return the labels of all that /metrics gives, by the name that PromQL knows."""
    found: dict[str, list[dict[str, str]]] = {}
    for family in text_string_to_metric_families(client.get("/metrics").text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append(sample.labels)
    return found


def test_what_rules_and_panels_ask_for_is_given(ingested: Settings) -> None:
    """Each metric by name, and each operation, status and kind that a rule picks."""
    rules = [rule["expr"] for group in ALERTS["groups"] for rule in group["rules"]]
    panels = [one["expr"] for panel in DASHBOARD["panels"] for one in panel["targets"]]
    with local_client(create_app(ingested)) as client:
        services: Services = client.app.state.services  # type: ignore[attr-defined]
        calibrate_if_due(services)
        assert client.post("/v1/attributions", files={"image": png(1)}).status_code == 201
        given = scraped(client)
    for asked in (rules, panels):
        names = {name for one in asked for name in NAME.findall(one)}
        assert len(names) >= 5
        assert names <= given.keys()
    assert {one["kind"] for one in given["lawful_tasks"]} == {one.value for one in TaskKind}
    assert "create_attribution" in {one["operation"] for one in given["lawful_http_requests_total"]}


def test_an_index_that_is_away_is_a_number(
    ingested: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And hides none of the others."""

    def away() -> int:
        raise BackendUnavailable("away")

    with local_client(create_app(ingested)) as client:
        monkeypatch.setattr(client.app.state.services.index, "points", away)  # type: ignore[attr-defined]
        text = client.get("/metrics").text
    assert "lawful_index_up 0.0" in text
    assert "lawful_index_points" not in text
    assert 'lawful_works{status="indexed"} 12.0' in text
