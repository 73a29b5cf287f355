"""Answers from an index that lacks works, or is damaged: what is said, through every door."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from rich.console import Console

from api import wording
from api.app import create_app
from api.cli.render import show_attribution, show_member, show_search
from attribution import gaps
from attribution.attributor import SearchQuery
from attribution.config import Settings
from attribution.images import read_image_file
from attribution.reconcile import reconcile
from attribution.services import Services
from attribution.types import Reason
from tests.apis import LOCAL
from tests.asking import a_work, ask_about

LACKS = "the index had only 11 of 12 works."


@pytest.fixture(autouse=True)
def looked_at_always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every answer look whether the index is whole."""
    monkeypatch.setattr(gaps, "EVERY_S", 0.0)


def test_an_answer_says_that_the_index_lacks_works(services: Services, tmp_path: Path) -> None:
    """With the numbers, in its first line; once repaired, no more."""
    assert ask_about(services, tmp_path).searched.points is None
    services.index.delete([a_work(services).id])

    answer = ask_about(services, tmp_path)
    member = services.attributor.member(read_image_file(tmp_path / "asked.png"))
    console = Console(record=True, width=200)
    show_attribution(console, "asked.png", answer)
    show_member(console, "asked.png", member)
    show_search(console, services.attributor.search(SearchQuery(text="work")))

    assert answer.reasons[0] is member.reasons[0] is Reason.INCOMPLETE_INDEX
    assert (answer.searched.points, answer.searched.works) == (11, 12)
    assert wording.headline(answer).endswith(LACKS)
    assert wording.headline(services.attributor.recall(answer.id)).endswith(LACKS)
    assert wording.membership(member).startswith("Not found among 11 of 12 works")
    said = console.export_text()
    assert said.count("searched 11 of 12 works") == 3
    assert "lawful reconcile --repair" in said

    reconcile(services, services.index, repair=True)
    assert Reason.INCOMPLETE_INDEX not in ask_about(services, tmp_path).reasons


def test_a_copy_is_found_in_an_index_that_lacks_works(services: Services, tmp_path: Path) -> None:
    """The same bytes need no index; that others could not be compared is said all the same."""
    services.index.delete([a_work(services).id])
    image = read_image_file(tmp_path / "p" / "artist-1" / "work-0.png")

    answer = services.attributor.attribute(image)

    assert answer.copy_of is not None
    assert answer.reasons == (Reason.INCOMPLETE_INDEX,)
    assert wording.headline(answer).endswith(LACKS)


def test_the_api_says_it_too(ingested: Settings, tmp_path: Path) -> None:
    """Answer and report."""
    with TestClient(create_app(ingested), base_url=LOCAL) as client:
        services: Services = client.app.state.services  # type: ignore[attr-defined]
        services.index.delete([a_work(services).id])
        ask_about(services, tmp_path)
        image = (tmp_path / "asked.png").read_bytes()
        answer = client.post("/v1/attributions", files={"image": image}).json()
        report = client.get(f"/v1/attributions/{answer['id']}/report").text

    assert answer["reasons"][0] == "incomplete_index"
    assert (answer["searched"]["points"], answer["searched"]["works"]) == (11, 12)
    assert answer["summary"].endswith(LACKS)
    assert LACKS in report


def test_a_gap_is_looked_at_now_and_then(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not with every answer, and works that come or go in between are none."""
    counted: list[int] = []
    points = services.index.points

    def count() -> int:
        counted.append(points())
        return counted[-1]

    monkeypatch.setattr(services.index, "points", count)
    monkeypatch.setattr(gaps, "EVERY_S", 60.0)
    seen = gaps.Gaps(services.sessions, services.index)
    assert [seen.last() for _ in range(5)] == [None] * 5
    assert counted == [12]
