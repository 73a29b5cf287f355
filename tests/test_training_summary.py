"""The summary of training content: what is counted, and in which order it is said."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from api.cli.models import app
from api.training_summary import TrainingSummaryOut, markdown
from attribution import tenants
from attribution.catalogue import queries
from attribution.services import Services, open_services
from attribution.training.checkpoint import FACTS, FORMAT, Facts
from attribution.upkeep import training_summary
from attribution.upkeep.training_summary import (
    CATALOGUE,
    EVERY_S,
    Summaries,
    TrainingSummary,
    summarise,
)
from attribution.upkeep.withdrawal import withdraw
from tests.apis import settings
from tests.portfolios import ingest, picture

HEADINGS = [
    "## 1. General information",
    "### 1.1. Provider identification",
    "### 1.2. Model identification",
    "### 1.3. Modalities, overall training data size and other characteristics",
    "## 2. List of data sources",
    "### 2.1. Publicly available datasets",
    "### 2.2. Private non-publicly available datasets obtained from third parties",
    "### 2.3. Data crawled and scraped from online sources",
    "### 2.4. User data",
    "### 2.5. Synthetic data",
    "### 2.6. Other sources of data",
    "## 3. Data processing aspects",
    "### 3.1. Respect of reservation of rights from text and data mining exception or limitation",
    "### 3.2. Removal of illegal content",
    "### 3.3. Other information (optional)",
]


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """Open a collection of five works; two may train, one says no, one is withdrawn."""
    folder = tmp_path_factory.mktemp("summary")
    lines = []
    for number in range(5):
        picture(number).save(folder / f"{number}.png")
        line = {"file_name": f"{number}.png", "artist": f"Artist {number % 2}", "title": number}
        if number < 3:
            consent = "yes" if number < 2 else "no"
            line |= {"licence": "CC BY 4.0", "consent_train": consent, "year": 1990 + number}
        lines.append(json.dumps(line))
    (folder / "metadata.jsonl").write_text("\n".join(lines))
    with open_services(settings(folder / "home")) as opened:
        assert ingest(opened, folder).added == 5
        with opened.sessions() as session:
            works = queries.list_artworks(session).items
        (last,) = (work.id for work in works if work.title == "4")
        withdraw(opened, str(last), reason="asked to")
        yield opened


def test_works_are_counted_by_licence_and_consent(services: Services) -> None:
    """Indexed works alone; an unknown licence and a missing consent are said to be just that."""
    found = summarise(services)

    assert (found.registered.works, found.registered.artists) == (4, 2)
    assert (found.registered.first_year, found.registered.last_year) == (1990, 1992)
    counted = {one.licence: (one.works, one.may_train) for one in found.licences}
    assert counted == {"CC-BY-4.0": (3, 2), None: (1, 0)}
    assert found.denials == {"table": 1}
    assert found.withdrawn == 1
    with tenants.within("other"):
        assert summarise(services).registered.works == 0


def test_models_say_what_they_were_trained_on(services: Services) -> None:
    """Those of the package by their own records; what others have trained has its card."""

    def using(profile: str, generator: str) -> TrainingSummary:
        chosen = {"profile": profile, "generator": generator}
        return summarise(replace(services, settings=services.settings.model_copy(update=chosen)))

    own = using("starter", "starter")
    works = {one.name: (one.works, one.artists) for one in own.models}
    assert works["starter CLIP"] == works["starter VAE"] == (1314, 59)
    assert works["starter generator"] == (134, 15)
    assert works["classifier of the votes"] == (4, 2)
    assert own.foreign == []
    others = {one.name: one.licence for one in using("standard", "stabilityai/sd-turbo").foreign}
    assert others["stabilityai/sd-turbo"] is None
    assert "MIT" in others.values()


def test_markdown_keeps_the_order_of_the_template(services: Services) -> None:
    """Every heading of the template, once, in its order."""
    text = markdown(TrainingSummaryOut.of(summarise(services)))

    assert [line for line in text.splitlines() if line.startswith("##")] == HEADINGS
    assert "| CC-BY-4.0 | 3 | 2 |" in text
    assert "| not known | 1 | 0 |" in text
    assert "- Registered works that may not train: 2" in text
    assert "- Statements that deny training: 1 by table" in text


def test_the_command_writes_the_same(services: Services) -> None:
    """As Markdown for people, as JSON for programs."""
    home = str(services.settings.home)
    environment = {"LAWFUL_HOME": home, "LAWFUL_PROFILE": "stub", "LAWFUL_GENERATOR": "stub"}
    run = CliRunner().invoke
    said = run(app, ["summary"], env=environment, catch_exceptions=False).stdout
    printed = json.loads(run(app, ["summary", "--json"], env=environment).stdout)
    found = TrainingSummaryOut.of(summarise(services)).model_dump(mode="json")

    assert said.startswith("# Public summary of training content")
    assert found["general"]["models"][0]["data"] == CATALOGUE
    assert printed | {"counted_at": None} == found | {"counted_at": None}


def test_however_often_it_is_asked_for_works_are_counted_once(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For each tenant, until what was counted is of long ago."""
    summaries = Summaries()
    first = summaries.last(services)

    assert summaries.last(services) is first
    with tenants.within("other"):
        assert summaries.last(services).registered.works == 0
    assert summaries.last(services) is first
    later = time.monotonic() + EVERY_S
    monkeypatch.setattr(training_summary, "time", SimpleNamespace(monotonic=lambda: later))
    assert summaries.last(services).counted_at > first.counted_at


def test_no_path_of_the_machine_gets_into_a_summary(services: Services, tmp_path: Path) -> None:
    """Works from outside that trained the classifier are named by the last part of their place."""
    facts = written(tmp_path, "/home/ann/portfolios/wikiart")
    chosen = services.settings.model_copy(update={"trained": tmp_path})
    text = markdown(TrainingSummaryOut.of(summarise(replace(services, settings=chosen))))

    assert f"- trained classifier: {len(facts.works)} works from outside, “wikiart”." in text
    assert "/home/ann" not in text
    assert "| trained classifier | no consent | 3 |" in text


def written(folder: Path, data: str) -> Facts:
    """Write what is known of a classifier that was trained on this."""
    facts = Facts(
        profile="stub",
        fingerprint="f" * 64,
        dims={"clip": 8},
        named_by="name",
        artists=["Ann", "Bob"],
        works=["1", "2"],
        temperature=1.0,
        data=data,
        left_out={"no consent": 3},
        recipe={},
        epochs=[],
        held_out=0,
        compared=[],
        works_per_s=1.0,
        created_at="2026-11-27T16:30:49+00:00",
    )
    (folder / FACTS).write_text(json.dumps(asdict(facts) | {"format": FORMAT}))
    return facts
