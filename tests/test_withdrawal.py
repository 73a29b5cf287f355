"""Withdrawal: what is forgotten is gone everywhere, provably, and stays away."""

from __future__ import annotations

import json
from dataclasses import replace
from io import BytesIO, StringIO
from pathlib import Path
from uuid import uuid4

import pytest
from rich.console import Console

from api.cli.render import show_attribution
from api.reports.pages import make_page
from api.reports.report import render_report
from attribution.answers import Attribution, Reason, Removal, Verdict, write_answer
from attribution.catalogue import queries
from attribution.catalogue.columns import now
from attribution.catalogue.models import ArtworkStatus, Base, Withdrawal, artwork_id
from attribution.catalogue.queries.withdrawals import LOOKED_AT
from attribution.errors import BackendUnavailable, BadInput, NotFound
from attribution.generation.generator import ImageRequest
from attribution.images import read_image_file
from attribution.lookup import wording
from attribution.lookup.search_query import SearchQuery
from attribution.services import Services
from attribution.upkeep import withdrawal
from attribution.upkeep.mapping import build_map
from attribution.upkeep.reconcile import reconcile
from attribution.upkeep.withdrawal import withdraw
from ingest.generations import ask
from tests.asking import a_work
from tests.portfolios import ingest, portfolio


def forget(services: Services, what: object) -> Withdrawal:
    """Withdraw an artist or a work."""
    return withdraw(services, str(what), reason="asked for")


def files_of(services: Services, sha256: str) -> list[Path]:
    """Return every file under the home whose name has the hash."""
    return [path for path in services.settings.home.rglob("*") if sha256 in path.name]


def printed(answer: Attribution) -> str:
    """Return what a terminal shows of an answer."""
    shown = StringIO()
    show_attribution(Console(file=shown, width=200), "x", answer)
    return shown.getvalue()


def test_a_work_is_gone_everywhere(services: Services) -> None:
    """Row, point, thumbnail, original, kept vectors: nothing is left but the tombstone."""
    work = a_work(services)
    build_map(services)
    assert len(files_of(services, work.sha256)) == 2

    receipt = forget(services, work.id).receipt

    with services.sessions() as session:
        row = queries.artwork_by_id(session, work.id)
        assert not queries.kept_vectors(
            session, services.row.fingerprint, [work.id], services.row.dims
        )
    assert (row.status, row.reason, row.title, row.phash) == ("withdrawn", "asked for", None, "")
    assert files_of(services, work.sha256) == []
    assert services.index.vectors([work.id]) == {}
    assert receipt["removed"] == {
        "catalogue rows": 1,
        "kept vectors": 1,
        "kept vectors of parts": 0,
        "copy sketches": 1,
        "places on the map": 1,
        "declared non-copies": 0,
        "statements of consent": 0,
        "lines of ingest jobs": 1,
        "images asked about": 0,
        "workings of answers": 0,
        "recorded answers": 0,
        "answers kept for repeated requests": 0,
        "points": 1,
        "points of parts": 0,
        "originals": 1,
        "thumbnails": 1,
        "files of images asked about": 0,
        "files of recorded answers": 0,
        "files of failed jobs": 0,
        "cached vectors": 0,
    }
    assert (receipt["before"]["works"], receipt["after"]["works"]) == (12, 11)
    sides = [receipt[side]["points of the artist"] for side in ("before", "after")]
    assert sides == [4, 3]
    elsewhere = ["points", "points of parts", "files", "images asked about"]
    elsewhere += ["workings of answers", "files of recorded answers"]
    elsewhere += ["files of the index", "log of the database"]
    assert receipt["left"] == dict.fromkeys([*LOOKED_AT, *elsewhere], 0)
    assert reconcile(services, repair=False).is_clean


def test_answers_do_not_name_it(services: Services, tmp_path: Path) -> None:
    """The same picture and its title find others; an earlier answer loses the title."""
    work = a_work(services)
    path = tmp_path / "p" / "artist-1" / f"{work.title}.png"
    before = services.attributor.attribute(read_image_file(path))
    assert before.copy_of is not None
    assert before.copy_of.id == work.id

    assert forget(services, work.id).receipt["removed"]["recorded answers"] == 1

    after = services.attributor.attribute(read_image_file(path))
    named = {one.id for artist in after.artists for one in artist.works}
    found = services.attributor.search(SearchQuery(text=work.title, artists=("artist-1",)))
    assert after.copy_of is None or after.copy_of.id != work.id
    assert work.id not in named | {hit.id for hit in found.hits}
    assert after.searched.works == 11
    earlier = services.attributor.recall(before.id)
    assert earlier.copy_of is not None
    assert (earlier.copy_of.id, earlier.copy_of.title) == (work.id, None)


def test_an_answer_says_what_was_removed(services: Services, tmp_path: Path) -> None:
    """When and under which receipt, in one sentence: in the terminal, over HTTP, in the report."""
    work = a_work(services)
    image = read_image_file(tmp_path / "p" / "artist-1" / f"{work.title}.png")
    before = services.attributor.attribute(image)
    assert before.removed == ()

    request = forget(services, work.id)

    earlier = services.attributor.recall(before.id)
    assert earlier.removed == (Removal(request.requested_at, request.id),)
    assert work.title
    assert replace(earlier, removed=()) != before
    said = wording.removed(earlier.removed[0])
    assert f"receipt {request.id}" in said
    assert f"Changed on {request.requested_at:%Y-%m-%d}" in said
    assert said in printed(earlier)
    page = make_page(services, "x", image, earlier)
    assert f"receipt {request.id}" in render_report([page])


def test_an_answer_under_way_is_marked_too(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A work that is withdrawn between lookup and record leaves the same mark."""
    work = a_work(services)
    image = read_image_file(tmp_path / "p" / "artist-1" / f"{work.title}.png")
    real = queries.record_attribution
    with monkeypatch.context() as patch:
        patch.setattr(queries, "record_attribution", lambda *_: None)
        patch.setattr(queries, "keep_workings", lambda *_, **__: None)
        answer = services.attributor.attribute(image)
    request = forget(services, work.id)
    with services.sessions.begin() as session:
        real(session, write_answer(answer))
    earlier = services.attributor.recall(answer.id)
    assert [one.receipt for one in earlier.removed] == [request.id]
    assert earlier.copy_of is not None
    assert earlier.copy_of.title is None


def test_the_bytes_of_a_withdrawn_work(services: Services, tmp_path: Path) -> None:
    """Asked again they were registered once; nobody else comes first, in an answer or a set."""
    work = a_work(services)
    image = read_image_file(tmp_path / "p" / "artist-1" / f"{work.title}.png")
    other = read_image_file(tmp_path / "p" / "artist-2" / "work-0.png")
    request = forget(services, work.id)

    answer = services.attributor.attribute(image)

    assert (answer.verdict, answer.reasons) == (Verdict.ABSTAIN, (Reason.WITHDRAWN,))
    assert (answer.copy_of, answer.artists) == (None, ())
    assert answer.withdrawn_at == request.requested_at
    assert services.attributor.recall(answer.id) == answer
    said = f"registered once, withdrawn on {request.requested_at:%Y-%m-%d}"
    assert said in printed(answer)
    assert said in render_report([make_page(services, "x", image, answer)])
    said_by_lane = wording.lanes(answer)
    assert said_by_lane["copy"] == said_by_lane["style"]
    assert said_by_lane["copy"].startswith("Not asked: nobody is named")
    member = services.attributor.member(image)
    assert (member.copy_of, member.withdrawn_at) == (None, request.requested_at)
    together = services.attributor.attribute_set([image, other])
    assert (together.answers[0].artists, together.pictures) == ((), 1)

    ingest(services, tmp_path / "p", reinstate=True)
    back = services.attributor.attribute(image)
    assert back.withdrawn_at is None
    assert back.copy_of is not None


def test_every_table_with_works_is_looked_at() -> None:
    """A new table that has ids of works has to say how its rows are wiped."""
    looked_at = {column.class_.__table__.name for column, _ in LOOKED_AT.values()}
    with_ids = {
        table.name
        for table in Base.metadata.sorted_tables
        for key in table.foreign_keys
        if key.column.table.name == "artworks"
    }
    have_ids_alone = {
        "alerts",
        "case_subjects",
        "change_works",
        "holds",
        "quarantines",
        "withdrawals",
    }
    assert with_ids - looked_at == have_ids_alone


def test_a_job_with_other_works_keeps_its_name(services: Services, tmp_path: Path) -> None:
    """Of remarks those go that name the work; a job that brought nothing else says nothing."""
    work, other = a_work(services), a_work(services, "artist-2")
    alone = tmp_path / "alone" / "artist-1"
    alone.mkdir(parents=True)
    (alone / "copied.png").write_bytes(
        (tmp_path / "p" / "artist-1" / f"{work.title}.png").read_bytes()
    )
    ingest(services, alone.parent)
    with services.sessions.begin() as session:
        second, first = queries.list_jobs(session).items
        queries.add_remarks(session, first.id, [f"{work.title}.png is odd", "all is well"])

    forget(services, work.id)

    with services.sessions() as session:
        first, second = (queries.job_by_id(session, one.id) for one in (first, second))
        seen = queries.last_seen(session, [other.id])
    assert (first.source, first.remarks) == (str(tmp_path / "p"), ["all is well"])
    assert (second.source, second.remarks) == ("withdrawn", [])
    assert seen[other.id].path.endswith(f"{other.title}.png")


def test_prompts_with_the_name(services: Services) -> None:
    """In any case and order of words; those that wait are not drawn; others stay."""
    prompts = {
        "a boat by ARTIST 1, in oil": True,
        "1, artist": True,
        "in the manner of artist-1": True,
        "artist 2": False,
        "one artist, then 1": False,
    }
    asked = {prompt: ask(services, ImageRequest(prompt)) for prompt in prompts}

    receipt = forget(services, "artist-1").receipt

    assert receipt["removed"]["prompts"] == 3
    with services.sessions() as session:
        rows = {text: queries.generation_by_id(session, one) for text, one in asked.items()}
    for prompt, is_wiped in prompts.items():
        row = rows[prompt]
        assert row.request["prompt"] == ("withdrawn" if is_wiped else prompt)
        assert row.status == ("cancelled" if is_wiped else "queued")


def test_files_of_a_failed_job(services: Services, tmp_path: Path) -> None:
    """Bytes that wait for a job that somebody may go on with are deleted too."""
    work = a_work(services)
    with services.sessions.begin() as session:
        job = queries.create_job(session, source="x")
        queries.fail_job(session, job.id, "broken")
    data = (tmp_path / "p" / "artist-1" / f"{work.title}.png").read_bytes()
    services.store.put_incoming(job.id, work.sha256, BytesIO(data))

    assert forget(services, work.id).receipt["removed"]["files of failed jobs"] == 1

    assert files_of(services, work.sha256) == []


def test_an_artist_is_gone_with_all_works(services: Services) -> None:
    """Every work of the artist, and nobody else's."""
    receipt = forget(services, "artist-1").receipt

    with services.sessions() as session:
        counts = queries.counts(session)
    assert (counts.indexed, counts.withdrawn, counts.artists) == (8, 4, 2)
    assert len(receipt["works"]) == 4
    assert receipt["after"]["works of the artist"] == receipt["after"]["points of the artist"] == 0
    assert services.index.count() == 8


def test_it_stays_away_until_reinstated(services: Services, tmp_path: Path) -> None:
    """The next run of the same folder refuses the work and says how to bring it back."""
    work = a_work(services)
    forget(services, work.id)

    again = ingest(services, tmp_path / "p")
    assert (again.added, again.known, again.refused) == (0, 11, 1)
    (reason,) = [item.reason for item in again.items if item.reason]
    assert "withdrawn (asked for)" in reason
    assert "--reinstate" in reason

    back = ingest(services, tmp_path / "p", reinstate=True)
    assert (back.added, back.known, back.refused) == (1, 11, 0)
    assert services.index.count() == 12
    assert a_work(services).status is ArtworkStatus.INDEXED
    assert reconcile(services, repair=False).is_clean


def test_new_works_of_a_withdrawn_artist_are_refused(services: Services, tmp_path: Path) -> None:
    """Who has withdrawn is not taken in again by another file."""
    forget(services, "artist-1")
    source = portfolio(tmp_path / "new", artists=2, works=6)

    more = ingest(services, source)
    assert (more.added, more.known, more.refused) == (2, 4, 6)

    back = ingest(services, source, reinstate=True)
    assert (back.added, back.refused) == (6, 0)


def test_asked_again_the_first_receipt_comes_back(services: Services) -> None:
    """The same request twice is one withdrawal."""
    work = a_work(services)
    first = forget(services, work.id)

    assert forget(services, work.id).id == first.id


def test_an_interrupted_withdrawal_is_finished(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing shows the work once SQL knows; reconcile removes what is left elsewhere."""
    work = a_work(services)

    def away(_: object) -> None:
        raise BackendUnavailable("the index is away")

    with monkeypatch.context() as patch:
        patch.setattr(services.index, "delete", away)
        with pytest.raises(BackendUnavailable):
            forget(services, work.id)
    assert services.index.vectors([work.id])
    with services.sessions() as session:
        assert work.id not in queries.artworks_by_id(
            session, [work.id], status=ArtworkStatus.INDEXED
        )

    report = reconcile(services, repair=True)

    assert (report.unfinished_withdrawals, report.orphaned) == (1, 1)
    assert services.index.vectors([work.id]) == {}
    assert files_of(services, work.sha256) == []
    assert reconcile(services, repair=False).is_clean


def test_a_work_withdrawn_while_it_comes_in_does_not_come_in(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its row and its point a work is withdrawn: its point is removed again."""
    source = portfolio(tmp_path / "late", artists=1, works=1)
    path = source / "artist-0" / "work-0.png"
    path.write_bytes((tmp_path / "p" / "artist-2" / "work-3.png").read_bytes())
    work = artwork_id(read_image_file(path).facts.sha256)
    forget(services, work)
    real = services.index.upsert

    def meanwhile(points: list[object]) -> None:
        real(points)  # type: ignore[arg-type]
        monkeypatch.undo()
        withdrawal.withdraw(services, str(work), reason="again")

    monkeypatch.setattr(services.index, "upsert", meanwhile)
    summary = ingest(services, source, artist="artist-2", reinstate=True)

    assert (summary.added, summary.refused) == (0, 1)
    assert services.index.vectors([work]) == {}
    assert reconcile(services, repair=False).is_clean


def test_consent_taken_back_by_the_source(services: Services, tmp_path: Path) -> None:
    """A metadata row that says no withdraws an indexed work, or hides its picture."""
    rows = (
        '{"file_name": "artist-1/work-0.png", "consent_index": "no"}\n'
        '{"file_name": "artist-1/work-1.png", "consent_display": "no"}\n'
    )
    (tmp_path / "p" / "metadata.jsonl").write_text(rows)

    summary = ingest(services, tmp_path / "p")

    assert (summary.known, summary.refused, summary.withdrawn) == (11, 1, 1)
    assert ingest(services, tmp_path / "p").withdrawn == 0  # it says what it did, not what was
    with services.sessions() as session:
        artist = queries.artist_by_slug(session, "artist-1")
        works = queries.list_artworks(session, artist_id=artist.id).items
        counts = queries.counts(session)
    assert (counts.indexed, counts.withdrawn) == (11, 1)
    (hidden,) = [work for work in works if not work.consent_display]
    assert not services.store.has_thumbnail(hidden.sha256)
    assert reconcile(services, repair=False).is_clean


def test_a_large_index_is_written_anew_by_reconcile(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for that: the receipt says what is left until it was done."""
    monkeypatch.setattr(withdrawal, "REWRITTEN", 10)
    request = forget(services, a_work(services).id)
    assert request.completed_at is None
    assert request.receipt["left"]["files of the index"] > 0

    assert reconcile(services, repair=True).unfinished_withdrawals == 1

    with services.sessions() as session:
        done = queries.withdrawal_by_id(session, request.id)
    assert done.completed_at is not None
    assert not any(done.receipt["left"].values())


def test_bad_requests(services: Services) -> None:
    """A reason is needed, and somebody to forget."""
    with pytest.raises(BadInput, match="needs a reason"):
        withdraw(services, "artist-1", reason=" ")
    with pytest.raises(NotFound, match="did you mean"):
        forget(services, "artist-9")
    with pytest.raises(NotFound, match="no artwork"):
        forget(services, "00000000-0000-0000-0000-000000000000")


def test_a_damaged_file_of_a_withdrawal_stops_nothing(
    services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    """It is named each time, and the others are done again."""
    work, moment, damaged = a_work(services), now(), uuid4()
    said = {"at": moment.isoformat(), "artist": str(uuid4()), "artwork": None}
    said_of = said | {"works": [str(work.id)]}
    for receipt, data in ((damaged, b"{"), (uuid4(), json.dumps(said_of).encode())):
        services.store.put_withdrawal(moment, receipt, data)
    folder = services.settings.home / "withdrawals" / f"{moment:%Y-%m}"
    (folder / "somebody-elses.json").write_text("{}")

    assert reconcile(services, repair=True).lost_withdrawals == 1

    assert services.index.vectors([work.id]) == {}
    assert f"{damaged}.json cannot be read" in caplog.text


def test_what_a_restored_catalogue_does_not_have_is_not_withdrawn_again(
    services: Services,
) -> None:
    """A work that was registered after the backup; one that the backup has under another artist."""
    other, moment = a_work(services), now()
    for works in ([uuid4()], [other.id]):
        said = {"at": moment.isoformat(), "artist": str(uuid4()), "artwork": None}
        said_of = said | {"works": [str(one) for one in works]}
        services.store.put_withdrawal(moment, uuid4(), json.dumps(said_of).encode())
    assert not reconcile(services, repair=False).is_clean

    assert reconcile(services, repair=True).lost_withdrawals == 1

    assert services.index.vectors([other.id]) == {}
    assert reconcile(services, repair=False).is_clean
