"""Answers of long ago are in the file store: read as ever, and no withdrawal forgets them."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, update

from api.reports.evidence import contents_of
from api.schemas import AttributionBrief
from attribution import tenants
from attribution.answers import Attribution
from attribution.cases import CaseKind
from attribution.catalogue import queries
from attribution.catalogue.columns import now
from attribution.catalogue.models import SURPLUS, RecordedAttribution
from attribution.catalogue.verification import verify
from attribution.custody import How
from attribution.desk.opening import NewCase, open_case
from attribution.desk.packing import write_pack
from attribution.desk.verification import verify as verify_pack
from attribution.desk.watching import NewWatch, watch
from attribution.errors import BackendUnavailable, RecordAltered
from attribution.files import Store
from attribution.images import read_image
from attribution.lookup.subjects import Obtained, keeping
from attribution.services import Services
from attribution.upkeep import archiving
from attribution.upkeep.archiving import archive_old
from attribution.upkeep.reconcile import reconcile
from attribution.upkeep.tenants import create
from attribution.upkeep.withdrawal import withdraw
from tests.apis import png
from tests.portfolios import ingest, portfolio


def ask(services: Services, seed: int = 777) -> Attribution:
    """Ask about an image that is kept, and that nobody registered."""
    data = png(seed)
    keep = keeping(services, read_image(data), lambda: data, Obtained(How.FILE))
    return services.attributor.attribute(read_image(data), also=keep)


@pytest.fixture
def services(services: Services, monkeypatch: pytest.MonkeyPatch) -> Services:
    """Give a collection whose answers are archived after a day, and two days have passed."""
    monkeypatch.setattr(archiving, "now", lambda: now() + timedelta(days=2))
    settings = services.settings.model_copy(update={"answer_days": 1})
    return replace(services, settings=settings)


def row_of(services: Services, answer: Attribution) -> RecordedAttribution:
    """Return the row of an answer."""
    with services.sessions() as session:
        return session.get_one(RecordedAttribution, answer.id)


def file_of(services: Services, answer: Attribution) -> Path:
    """Return where the file of an archived answer is."""
    name = str(answer.id)
    return services.settings.home / "answers" / name[:3] / name


def faults(services: Services) -> list[str]:
    """Verify all records, and return what is wrong."""
    return verify(services.sessions, lambda *_: None).told


def cited(answer: Attribution) -> UUID:
    """Return a work that an answer cites."""
    return answer.artists[0].works[0].id


def test_an_answer_stays_where_nobody_says_how_long(services: Services) -> None:
    """By default nothing is archived, however old."""
    answer = ask(services)

    settings = services.settings.model_copy(update={"answer_days": None})

    assert archive_old(replace(services, settings=settings)) == 0
    assert row_of(services, answer).archived is None


def test_a_new_answer_stays(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is archived when its days are over."""
    monkeypatch.setattr(archiving, "now", now)
    ask(services)

    assert archive_old(services) == 0


def test_an_archived_answer_is_read_as_before(services: Services) -> None:
    """By its id, in lists, and in packs; the audit vouches for it."""
    answer = ask(services)
    brief = AttributionBrief.of(row_of(services, answer))

    assert (archive_old(services), archive_old(services)) == (1, 0)

    row = row_of(services, answer)
    assert all(artist["works"] == [] for artist in row.answer["artists"])
    assert services.attributor.recall(answer.id) == answer
    assert AttributionBrief.of(row) == brief
    assert faults(services) == []
    pack = services.settings.home / "pack.zip"
    write_pack(services, contents_of(services, [answer.id]), pack)
    assert verify_pack(pack).is_intact


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (Path.unlink, "its file is gone"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "is not the one that was written"),
        (lambda path: path.write_bytes(b""), "is not the one that was written"),
    ],
)
def test_a_lost_file_is_said(services: Services, harm: Callable[[Path], object], says: str) -> None:
    """Whoever asks for the answer is told, and so is who verifies; lists and others go on."""
    lost, other = ask(services), ask(services, 778)
    archive_old(services)
    harm(file_of(services, lost))

    with pytest.raises(RecordAltered, match=says):
        services.attributor.recall(lost.id)
    assert faults(services) == [f"attribution {lost.id} cannot be read"]
    assert AttributionBrief.of(row_of(services, lost)).verdict == lost.verdict
    assert services.attributor.recall(other.id) == other


def holding(services: Services, text: str) -> list[Path]:
    """Return the files of answers that have a text, and the database where a row has it."""
    with services.sessions() as session:
        rows = session.scalars(select(RecordedAttribution)).all()
        in_rows = [Path("row") for row in rows if text in str(row.answer)]
    archive = services.settings.home / "answers"
    files = [path for path in archive.rglob("*") if path.is_file()]
    return in_rows + [path for path in files if text in zlib.decompress(path.read_bytes()).decode()]


def test_a_withdrawal_reaches_archived_answers(services: Services) -> None:
    """Of its works nothing is left in any file or row; the audit and the answer say that."""
    answer = ask(services)
    work = cited(answer)
    title = answer.artists[0].works[0].title
    assert title
    archive_old(services)
    assert holding(services, f"{work}")

    receipt = withdraw(services, str(work), reason="asked for")

    assert receipt.completed_at
    assert receipt.receipt["removed"]["recorded answers"] == 1
    assert receipt.receipt["removed"]["files of recorded answers"] == 1
    assert not file_of(services, answer).exists()
    after = services.attributor.recall(answer.id)
    assert [one.receipt for one in after.removed] == [receipt.id]
    assert after.artists[0].works[0].title is None
    assert len(after.artists[0].works) == len(answer.artists[0].works)
    assert faults(services) == []
    assert archive_old(services) == 1
    assert services.attributor.recall(answer.id) == after
    assert faults(services) == []


def test_a_withdrawal_takes_lost_files_as_they_are(services: Services) -> None:
    """It is completed; the answer goes on to be one that is lost."""
    answer = ask(services)
    archive_old(services)
    file_of(services, answer).write_bytes(b"x")

    receipt = withdraw(services, str(cited(answer)), reason="asked for")

    assert receipt.completed_at
    assert not file_of(services, answer).exists()
    assert faults(services) == [f"attribution {answer.id} does not say what was recorded"]


@pytest.mark.parametrize("is_written", [False, True])
def test_archiving_is_interrupted(
    services: Services, monkeypatch: pytest.MonkeyPatch, *, is_written: bool
) -> None:
    """Before or after the file is written: the answer is whole, and a withdrawal finds the file."""
    answer = ask(services)
    put = Store.put_answer

    def fail(store: Store, attribution_id: UUID, data: bytes) -> None:
        if is_written:
            put(store, attribution_id, data)
        raise BackendUnavailable("the file store is away")

    with monkeypatch.context() as patch:
        patch.setattr(Store, "put_answer", fail)
        with pytest.raises(BackendUnavailable):
            archive_old(services)
    assert services.attributor.recall(answer.id) == answer

    receipt = withdraw(services, str(cited(answer)), reason="asked for")

    assert receipt.completed_at
    assert not file_of(services, answer).exists()
    assert archive_old(services) == 1


def test_a_withdrawal_that_is_interrupted_is_not_complete(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as the file is there; asked again, it deletes it."""
    answer = ask(services)
    work = cited(answer)
    archive_old(services)

    def fail(*_: object) -> int:
        raise BackendUnavailable("the file store is away")

    with monkeypatch.context() as patch:
        patch.setattr(Store, "forget_answer", fail)
        with pytest.raises(BackendUnavailable):
            withdraw(services, str(work), reason="asked for")
    assert file_of(services, answer).exists()

    assert withdraw(services, str(work), reason="asked for").completed_at
    assert not file_of(services, answer).exists()


def in_a_case(services: Services, answer: Attribution) -> None:
    """Have a case be about an answer."""
    open_case(services, NewCase(CaseKind.MATCH, "a claim", [answer.id]))


def under_watch(services: Services, answer: Attribution) -> None:
    """Have the image of an answer watched."""
    with services.sessions() as session:
        subject, _ = queries.subject_of_answer(session, answer.id)
    assert subject
    watch(services, NewWatch("why", subject_id=subject.id))


@pytest.mark.parametrize("work_with", [in_a_case, under_watch])
def test_what_somebody_works_with_stays(
    services: Services, work_with: Callable[[Services, Attribution], None]
) -> None:
    """An answer that a case is about, or whose image is watched; others are archived."""
    kept, other = ask(services), ask(services, 778)
    work_with(services, kept)

    assert archive_old(services) == 1

    assert row_of(services, kept).archived is None
    assert row_of(services, other).archived


def test_a_restored_backup_leaves_no_file_behind(services: Services) -> None:
    """A file whose answer is whole, as the backup says, or unknown, is told and deleted."""
    answer, other = ask(services), ask(services, 778)
    archive_old(services)
    whole = services.attributor.recall(answer.id)
    with services.sessions.begin() as session:
        mine = RecordedAttribution.id == answer.id
        session.execute(update(RecordedAttribution).where(mine).values(archived=None))
    services.store.put_answer(uuid4(), b"of an answer that the backup knows nothing of")
    monthly = replace(services, settings=services.settings.model_copy(update={"answer_days": 30}))

    found, mended = (reconcile(monthly, repair=repair) for repair in (False, True))

    assert whole == answer
    assert (found.surplus_answers, mended.surplus_answers) == (2, 2)
    assert (found.is_clean, reconcile(monthly, repair=False).surplus_answers) == (False, 0)
    assert not file_of(services, answer).exists()
    assert services.attributor.recall(other.id) == other


def test_reconcile_archives(services: Services) -> None:
    """It says how many; what is archived is no difference."""
    ask(services)

    assert reconcile(services, repair=False).archived == 0
    report = reconcile(services, repair=True)

    assert (report.archived, report.is_clean) == (1, True)
    assert reconcile(services, repair=False).is_clean


def test_each_tenant_has_its_own(services: Services, tmp_path: Path) -> None:
    """Files lie apart, and who verifies the records of all of them reads each where it is."""
    create(services, "theirs")
    ours = ask(services)
    with tenants.within("theirs"):
        ingest(services, portfolio(tmp_path / "q", artists=1))
        answer = ask(services)
        assert archive_old(services) == 1
        assert services.attributor.recall(answer.id) == answer
    assert archive_old(services) == 1

    assert file_of(services, ours).exists()
    assert not file_of(services, answer).exists()
    assert faults(services) == []


def test_no_answer_is_at_once_whole_and_short(services: Services) -> None:
    """A row that is to lose its file is whole, so whoever reads it needs none."""
    answer = ask(services)
    with services.sessions.begin() as session:
        queries.begin_archiving(session, [answer.id])

    assert row_of(services, answer).archived == SURPLUS
    assert services.attributor.recall(answer.id) == answer
