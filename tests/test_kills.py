"""Every write path may end between any two steps, and is repaired by running again.

A step is a transaction that commits, or a call that changes the index or the file store. Each path
is run once for every step, and dies right behind it: the dying run does nothing more, not even
what it does on its way out, as if by `kill -9`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from attribution.catalogue import queries
from attribution.catalogue.models import Outcome, TaskKind
from attribution.catalogue.queries import Origin, TaskKey
from attribution.collection import Collection, open_collection, open_stores
from attribution.config import Settings
from attribution.encoders.clip import ClipSpec
from attribution.encoders.palette import PaletteSpec
from attribution.encoders.vae import VaeSpec
from attribution.errors import Conflict
from attribution.files import Store
from attribution.index.vector_index import VectorIndex
from attribution.lookup.search_query import SearchQuery
from attribution.services import Services, open_services
from attribution.upkeep import correction
from attribution.upkeep.reconcile import reconcile
from attribution.upkeep.reindex import change_profile, make_anew
from attribution.upkeep.undoing import undo
from attribution.upkeep.withdrawal import withdraw
from ingest import pipeline
from ingest.listing import plan
from ingest.lookups import accept as accept_lookups
from ingest.sources import read_source
from ingest.uploads import Described, accept, list_upload
from tests import lookups
from tests.apis import archive, png
from tests.homes import copy_home, copy_ingested
from tests.portfolios import batch_key, ingest, portfolio

WORKS = 6
STEPS = {
    VectorIndex: ("upsert", "delete", "flush", "drop", "publish"),
    Store: ("put_original", "put_thumbnail", "forget", "forget_thumbnail", "clear_incoming"),
}


class Killed(BaseException):
    """The process is gone."""


class Death:
    """Counts steps and ends the run behind one of them; from then on no step does anything."""

    def __init__(self, behind: int) -> None:
        self.steps, self._behind = 0, behind

    def step(self, action: Callable[[], Any]) -> Any:
        """Take a step, if still alive."""
        if self.steps >= self._behind:
            raise Killed
        done = action()
        self.steps += 1
        if self.steps == self._behind:
            raise Killed
        return done


@contextmanager
def dying(patch: pytest.MonkeyPatch, death: Death) -> Iterator[None]:
    """Make everything that changes a store a step."""
    from attribution.catalogue.database import Sessions

    begin = Sessions.begin

    @contextmanager
    def committing(self: Sessions) -> Iterator[Any]:
        opened = begin(self)
        session = opened.__enter__()
        try:
            yield session
        except BaseException as error:
            opened.__exit__(type(error), error, error.__traceback__)
            raise
        death.step(lambda: opened.__exit__(None, None, None))

    with patch.context() as inner:
        inner.setattr(Sessions, "begin", committing)
        for kind, names in STEPS.items():
            for name in names:
                real = getattr(kind, name)

                def stepping(*arguments: Any, _real: Any = real, **more: Any) -> Any:
                    return death.step(lambda: _real(*arguments, **more))

                inner.setattr(kind, name, stepping)
        yield


def dies_everywhere(
    patch: pytest.MonkeyPatch, tmp_path: Path, run: Callable[[Settings], None], *, given: Path
) -> Iterator[Settings]:
    """Run from the state `given`, dying behind the 1st, 2nd … step; yield what is left."""
    for behind in range(1, 200):
        home = tmp_path / f"behind-{behind}"
        copy_home(given, home)
        settings = Settings(home=home, profile="stub", keep_originals=True, batch_size=4)
        death = Death(behind)
        with dying(patch, death), suppress(Killed):
            run(settings)
        yield settings
        if death.steps < behind:
            return
    raise AssertionError("it never ends")


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """Give a home without works."""
    home = tmp_path / "empty"
    with open_services(Settings(home=home, profile="stub")):
        return home


@pytest.fixture(scope="module")
def filled_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ingest two artists with three works each, from `p` into `home`; for copies only."""
    folder = tmp_path_factory.mktemp("filled")
    settings = Settings(home=folder / "home", profile="stub", keep_originals=True)
    with open_services(settings) as services:
        ingest(services, portfolio(folder / "p", artists=2, works=3))
    return folder


@pytest.fixture
def filled(filled_once: Path, tmp_path: Path) -> Path:
    """Give a home with works; they came from `tmp_path / "p"`."""
    return copy_ingested(filled_once, tmp_path) / "home"


def agree(services: Services, works: int) -> None:
    """State that both stores hold so many works and say the same."""
    report = reconcile(services, repair=False)
    assert report.is_clean, report
    assert (report.works, report.points) == (works, works)


def test_ingest(tmp_path: Path, empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same folder again: every file is known or added once, every work is found."""
    source = portfolio(tmp_path / "p", artists=2, works=3)

    def run(settings: Settings) -> None:
        with open_services(settings) as services:
            job = plan(services, "p", read_source(source), staged=False)
            pipeline.run_batch(services, batch_key(job), stopping=lambda: False)

    ended = 0
    for settings in dies_everywhere(monkeypatch, tmp_path, run, given=empty):
        with open_services(settings) as services:
            summary = ingest(services, source)
            agree(services, WORKS)
            assert summary.added + summary.known == WORKS
            with services.sessions() as session:
                left = queries.open_tasks(session)
            assert left == []
            assert all(item.outcome is not Outcome.PENDING for item in summary.items)
        ended += 1
    assert ended > 20  # as many steps, or the test looks at nothing


def test_listing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An upload is listed once, however often that is begun."""
    given = tmp_path / "given"
    source = portfolio(tmp_path / "p", artists=2, works=3)
    archive = Path(shutil.make_archive(str(tmp_path / "a"), "zip", source))
    with open_stores(Settings(home=given)) as stores, archive.open("rb") as file:
        job_id = accept(stores, file, "a.zip", Described())

    def run(settings: Settings) -> None:
        with open_stores(settings) as stores:
            list_upload(stores, job_id)

    ended = 0
    for settings in dies_everywhere(monkeypatch, tmp_path, run, given=given):
        with open_stores(settings) as stores:
            with stores.sessions.begin() as session:
                queries.release_all(session)
            list_upload(stores, job_id)
            with stores.sessions() as session:
                assert queries.job_progress(session, job_id) == (0, WORKS)
                assert queries.open_tasks(session) == [batch_key(job_id)]
        ended += 1
    assert ended > 4  # as many steps, or the test looks at nothing


def test_lookups(tmp_path: Path, empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed anywhere, the batch goes on: an answer for each image, and none besides."""
    with open_stores(Settings(home=empty, profile="stub")) as stores:
        sent = archive({f"{n}.png": png(n) for n in range(3)})
        batch_id = accept_lookups(stores, BytesIO(sent), "a.zip")

    def run(settings: Settings) -> None:
        with open_services(settings) as services:
            lookups.run(services, batch_id, 0)
            lookups.run(services, batch_id)

    ended = 0
    for settings in dies_everywhere(monkeypatch, tmp_path, run, given=empty):
        with open_services(settings) as services:
            with services.sessions.begin() as session:
                queries.release_all(session)
            run_left(services, batch_id)
            answered = {one.attribution_id for one in lookups.lines(services, batch_id)}
            assert len(answered) == lookups.answers(services) == 3
            assert None not in answered
            assert lookups.status(services, batch_id) == "done"
        ended += 1
    assert ended > 8  # as many steps, or the test looks at nothing


def run_left(services: Services, batch_id: UUID) -> None:
    """Run what is left of a lookup batch."""
    for number in (0, 1):
        with services.sessions() as session:
            is_left = TaskKey(TaskKind.LOOKUP, batch_id, number) in queries.open_tasks(session)
        if is_left:
            lookups.run(services, batch_id, number)


def test_withdrawal(tmp_path: Path, filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing shows the works as soon as SQL knows; asked again, all is gone."""

    def run(settings: Settings) -> None:
        with open_stores(settings) as stores, open_collection(stores) as collection:
            withdraw(collection, "artist-1", reason="asked for")

    for settings in dies_everywhere(monkeypatch, tmp_path, run, given=filled):
        with open_stores(settings) as stores, open_collection(stores) as collection:
            row = withdraw(collection, "artist-1", reason="asked for")
            assert row.completed_at is not None
            assert not any(row.receipt["left"].values())
            assert len(row.receipt["works"]) == 3
            report = reconcile(collection, repair=False)
        assert report.is_clean, report
        assert (report.works, report.points) == (3, 3)
        assert len(list((settings.home / "originals").rglob("*/*"))) == 3
        assert len(list((settings.home / "thumbnails").rglob("*/*"))) == 3


def corrections(collection: Collection, work: UUID) -> None:
    """Correct a work and merge its artist, which is an error when it was done before."""
    origin, said = Origin("test"), {"title": "harbour", "consent_display": False}
    correction.correct(collection, work, said, origin)
    with suppress(Conflict):
        correction.merge(collection, "artist-0", "artist-1", origin, is_confirmed=True)


def test_corrections(tmp_path: Path, filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked again, or repaired, index and pictures follow what SQL knows."""
    with open_stores(Settings(home=filled, profile="stub")) as stores, stores.sessions() as session:
        work = queries.list_artworks(
            session, artist_id=queries.artist_by_slug(session, "artist-0").id
        ).items[0]

    def run(settings: Settings) -> None:
        with open_stores(settings) as stores, open_collection(stores) as collection:
            corrections(collection, work.id)

    ended = 0
    for settings in dies_everywhere(monkeypatch, tmp_path, run, given=filled):
        if ended % 2:
            with open_stores(settings) as stores, open_collection(stores) as collection:
                reconcile(collection, repair=True)
        run(settings)
        with open_services(settings) as services:
            agree(services, WORKS)
            assert (named(services, "harbour"), named(services, "1")) == (1, WORKS)
            assert not services.store.has_thumbnail(work.sha256)
        ended += 1
    assert ended > 8  # as many steps, or the test looks at nothing


def test_undo(tmp_path: Path, filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked again, or repaired, a merge that was undone is undone everywhere."""
    settings = Settings(home=filled, profile="stub")
    with open_stores(settings) as stores, open_collection(stores) as collection:
        merged = correction.merge(
            collection, "artist-0", "artist-1", Origin("test"), is_confirmed=True
        )

    def run(settings: Settings) -> None:
        with (
            open_stores(settings) as stores,
            open_collection(stores) as collection,
            suppress(Conflict),
        ):
            undo(collection, merged.id, Origin("test"))

    ended = 0
    for settings in dies_everywhere(monkeypatch, tmp_path, run, given=filled):
        if ended % 2:
            with open_stores(settings) as stores, open_collection(stores) as collection:
                reconcile(collection, repair=True)
        run(settings)
        with open_services(settings) as services:
            agree(services, WORKS)
            # three of the artist, and one of the other's whose title has the number
            assert (named(services, "0"), named(services, "1")) == (4, 4)
        ended += 1
    assert ended > 3  # as many steps, or the test looks at nothing


def test_ingest_that_corrects(
    tmp_path: Path, filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed anywhere, the same manifest again has every work found by its new title."""
    source = tmp_path / "p"
    rows = (
        f'{{"file_name": "artist-{a}/work-{n}.png", "title": "harbour"}}'
        for a in (0, 1)
        for n in range(3)
    )
    (source / "metadata.jsonl").write_text("\n".join(rows))

    def run(settings: Settings) -> None:
        with open_services(settings) as services:
            job = plan(services, "p", read_source(source), staged=False)
            pipeline.run_batch(services, batch_key(job), stopping=lambda: False)

    ended = 0
    for settings in dies_everywhere(monkeypatch, tmp_path, run, given=filled):
        with open_services(settings) as services:
            ingest(services, source)
            agree(services, WORKS)
            assert (named(services, "harbour"), named(services, "work")) == (WORKS, 0)
        ended += 1
    assert ended > 10  # as many steps, or the test looks at nothing


def named(services: Services, word: str) -> int:
    """Count the works that the letters of a word find."""
    hits = services.attributor.search(SearchQuery(text=word)).hits
    return sum("text" in hit.legs for hit in hits)


def test_repair(tmp_path: Path, filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A repair that dies is followed by another."""
    with (
        open_stores(Settings(home=filled, profile="stub")) as stores,
        open_collection(stores) as collection,
    ):
        index = collection.index
        index.delete([entry.id for entry in index.entries()[:2]])

    def run(settings: Settings) -> None:
        with open_stores(settings) as stores, open_collection(stores) as collection:
            reconcile(collection, repair=True)

    for settings in dies_everywhere(monkeypatch, tmp_path, run, given=filled):
        run(settings)
        with open_services(settings) as services:
            agree(services, WORKS)


def test_reindex(tmp_path: Path, filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A collection that is half made anew is made anew by the next run."""

    def run(settings: Settings) -> None:
        with open_stores(settings) as stores:
            make_anew(stores, progress=lambda *_: None)

    for settings in dies_everywhere(monkeypatch, tmp_path, run, given=filled):
        run(settings)
        with open_services(settings) as services:
            agree(services, WORKS)


def test_change_of_encoders(tmp_path: Path, filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the new collection is whole the old one is live; afterwards the new one."""
    for spec in (ClipSpec, PaletteSpec, VaeSpec):  # no step loads the models again
        monkeypatch.setattr(spec, "encoder", cache(spec.encoder))

    def run(settings: Settings) -> None:
        with open_stores(settings) as stores:
            change_profile(
                stores, "starter", partial=False, keep_old=False, progress=lambda *_: None
            )

    for settings in dies_everywhere(monkeypatch, tmp_path, run, given=filled):
        with open_stores(settings) as stores, stores.sessions() as session:
            live = queries.live_collection(session)
        assert live is not None
        with open_services(settings.model_copy(update={"profile": live.profile})) as services:
            agree(services, WORKS)
