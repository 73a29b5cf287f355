"""Answers from an index that lacks works, or is damaged: what is said, through every door."""

from __future__ import annotations

import logging
import math
import random
from pathlib import Path
from uuid import uuid4

import pytest
from rich.console import Console
from sqlalchemy.exc import StatementError

from api.cli.common import print_json
from api.cli.render import show_attribution, show_member, show_search
from api.http.app import create_app
from attribution.answers import Reason, write_answer
from attribution.catalogue import queries
from attribution.collection import open_stores
from attribution.config import Settings
from attribution.errors import BackendUnavailable, IndexDamaged
from attribution.images import read_image_file
from attribution.lookup import gaps, wording
from attribution.lookup.search_query import SearchQuery
from attribution.projection import point_of
from attribution.services import Services, open_services
from attribution.upkeep import rolling
from attribution.upkeep.reconcile import reconcile
from attribution.upkeep.reindex import make_anew
from tests.apis import is_problem, local_client
from tests.asking import a_work, agree, ask_about
from tests.commands import lawful
from tests.index_servers import index_server

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

    reconcile(services, repair=True)
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
    with local_client(create_app(ingested)) as client:
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
    seen = gaps.Gaps(services)
    assert [seen.last() for _ in range(5)] == [None] * 5
    assert counted == [12]


def damage(home: Path, files: str) -> None:
    """Write random bytes over the beginning of some files of the index."""
    found = list((home / "index").rglob(files))
    assert found
    for path in found:
        with path.open("r+b") as file:
            file.write(random.Random(0).randbytes(min(path.stat().st_size, 1 << 16)))  # noqa: S311


def make_again(settings: Settings) -> None:
    """Run `lawful reindex`."""
    with open_stores(settings) as stores:
        assert make_anew(stores, progress=lambda *_: None) == (12, 0)


def recorded(services: Services) -> int:
    """Count the answers that are kept."""
    with services.sessions() as session:
        return len(queries.list_attributions(session).items)


VECTORS = "vector_storage-*/vectors/chunk_0.mmap"


def test_a_damaged_index_gives_no_answer(ingested: Settings, tmp_path: Path) -> None:
    """Scores that are no numbers are an error that names the way out, and are not recorded."""
    with open_services(ingested) as services:
        before = ask_about(services, tmp_path)
    damage(ingested.home, VECTORS)

    with open_services(ingested) as services:
        with pytest.raises(IndexDamaged, match="lawful reindex"):
            ask_about(services, tmp_path)
        assert recorded(services) == 1
    image = tmp_path / "asked.png"
    with local_client(create_app(ingested)) as client:
        response = client.post("/v1/attributions", files={"image": image.read_bytes()})
        assert "lawful reindex" in is_problem(response, 500, "index-damaged")["detail"]
    done = lawful(ingested.home, "attribute", str(image), "--json")
    assert (done.returncode, done.stdout) == (1, "")
    assert "lawful reindex" in done.stderr

    make_again(ingested)
    with open_services(ingested) as services:
        after = ask_about(services, tmp_path)
        agree(services)
    assert (after.artists, after.verdict) == (before.artists, before.verdict)


def test_a_damaged_index_is_repaired_by_reconcile(ingested: Settings, tmp_path: Path) -> None:
    """Vectors that are stored otherwise than they are kept are told, and written again."""
    damage(ingested.home, VECTORS)
    with open_services(ingested) as services:
        assert reconcile(services, repair=False).different == 12
        assert reconcile(services, repair=True).different == 12
        agree(services)
        ask_about(services, tmp_path)


def test_every_vector_is_compared_in_its_turn(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sample a run: the next run goes on behind it, after the last from the first."""
    monkeypatch.setattr(rolling, "SAMPLE", 4)
    monkeypatch.setattr(rolling, "AT_ONCE", 2)
    with services.sessions() as session:
        rows = queries.indexed_artworks(session, after=None, limit=100)
    others = services.index.vectors([rows[0].id])[rows[0].id]
    services.index.upsert([point_of(rows[9], others)])

    def found() -> int:
        return reconcile(services, repair=False).different

    assert [found() for _ in range(4)] == [0, 0, 1, 1], "not passed by before it is repaired"
    assert reconcile(services, repair=True).different == 1
    assert [found() for _ in range(4)] == [0] * 4


def test_an_engine_that_gives_up_is_an_error(ingested: Settings) -> None:
    """Its panics end no process; the index is made anew without being opened."""
    damage(ingested.home, "*-map/tracker.dat")
    with pytest.raises(IndexDamaged, match=r"gave up.*lawful reindex"), open_services(ingested):
        pass
    make_again(ingested)
    with open_services(ingested) as services:
        agree(services)


def test_a_damaged_index_over_a_server(ingested: Settings, tmp_path: Path) -> None:
    """The process that has the folder says it, in words that JSON has."""
    damage(ingested.home, VECTORS)
    with (
        index_server(ingested.home) as (_, url),
        open_services(ingested.model_copy(update={"qdrant_url": url})) as services,
    ):
        with pytest.raises((BackendUnavailable, IndexDamaged), match="lawful reindex"):
            ask_about(services, tmp_path)
        assert recorded(services) == 0
        make_again(services.settings)
        ask_about(services, tmp_path)


def test_no_json_has_what_is_no_number(services: Services, tmp_path: Path) -> None:
    """Neither what is printed nor what is kept."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        print_json({"score": math.nan})
    answer = write_answer(ask_about(services, tmp_path))
    with (
        pytest.raises(StatementError, match="not JSON compliant"),
        services.sessions.begin() as one,
    ):
        queries.record_attribution(one, answer | {"id": str(uuid4()), "score": math.inf})


def test_a_process_that_ended_suddenly_is_told(
    ingested: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """An engine can end its process; the next one that opens the folder says what helps."""
    owner = ingested.home / "index" / "owner.json"
    owner.write_text('{"pid": 7, "command": "lawful serve"}')
    with caplog.at_level(logging.WARNING), open_services(ingested):
        pass
    assert "process 7 (lawful serve)" in caplog.text
    assert "lawful reindex" in caplog.text
