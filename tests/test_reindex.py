"""Collections made anew next to the live one: lost, damaged, or of other encoders."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from attribution.catalogue import queries
from attribution.catalogue.database import Database
from attribution.catalogue.queries import Origin
from attribution.collection import Stores, live_collection, open_collection, open_stores
from attribution.config import Settings
from attribution.errors import BackendUnavailable, BadInput, Conflict, IndexLost, NotFound
from attribution.services import Services, open_services
from attribution.upkeep import correction
from attribution.upkeep.reindex import _go_live, change_profile, drop_collections, make_anew
from attribution.upkeep.withdrawal import withdraw
from ingest import writing
from ingest.outcomes import Standing
from tests.asking import a_work, agree, ask_about, words
from tests.index_servers import index_server
from tests.portfolios import ingest, works
from tests.test_strips import ask, webtoon


def shown(_done: int, _total: int) -> None:
    """Show no progress."""


@pytest.fixture
def served(ingested: Settings) -> Iterator[Services]:
    """Open a collection whose index other processes may open as well, over `index-server`."""
    with (
        index_server(ingested.home) as (_, url),
        open_services(ingested.model_copy(update={"qdrant_url": url})) as services,
    ):
        yield services


def asked(services: Services, folder: Path) -> tuple[object, ...]:
    """Return what is answered about a stranger's picture, and about a panel of a strip."""
    answer = ask_about(services, folder)
    panel = ask(services, webtoon(100).crop((0, 600, 240, 900)), folder)
    return answer.verdict, answer.reasons, answer.artists, answer.copy_of, panel


def in_the_middle(act: Callable[[], object]) -> Callable[[int, int], None]:
    """Return a progress that does something once, when all points are written."""
    left = [act]

    def told(_done: int, _total: int) -> None:
        while left:
            left.pop()()

    return told


def collections_of(services: Services) -> list[str]:
    """Return the folders of the index."""
    return sorted(
        path.name for path in (services.settings.home / "index").iterdir() if path.is_dir()
    )


def test_answers_stay_the_same_while_an_index_is_made_anew(
    served: Services, tmp_path: Path
) -> None:
    """Another process answers before, during and after, by itself, from a whole index."""
    webtoon(100).save(works(tmp_path / "new" / "zoe", 901) / "strip.png")
    ingest(served, tmp_path / "new")
    before, seen = asked(served, tmp_path), []

    for _ in range(3):  # the first time no alias is there yet
        made = make_anew(served, progress=lambda *_: seen.append(asked(served, tmp_path)))
        assert made == (14, 0)

        assert asked(served, tmp_path) == before
        agree(served)
        assert len(collections_of(served)) == 2, "works and parts; nothing is left of the old"
    assert seen == [before] * 3


def test_an_interrupted_run_changes_nothing(served: Services, tmp_path: Path) -> None:
    """The live collection stays; the next run begins again, or the next who owns the folder."""
    before = asked(served, tmp_path)

    def killed(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            make_anew(served, progress=killed)
        assert asked(served, tmp_path) == before
        assert len(collections_of(served)) == 2

    assert make_anew(served, progress=shown) == (12, 0)
    assert asked(served, tmp_path) == before
    (left,) = collections_of(served)
    assert left.endswith("-a")


def test_what_comes_and_goes_meanwhile_is_followed(served: Services, tmp_path: Path) -> None:
    """A work that came is found, a withdrawn one is not, a corrected one has its new words."""
    gone, other = a_work(served), a_work(served, title="work-1")

    def meanwhile() -> None:
        ingest(served, works(tmp_path / "new" / "zoe", 901).parent)
        withdraw(served, str(gone.id), reason="asked for")
        said = {"title": "harbour"}
        correction.correct(served, other.id, said, Origin("test"))

    assert make_anew(served, progress=in_the_middle(meanwhile)) == (12, 0)

    agree(served)
    assert served.index.held([gone.id, a_work(served, "zoe", "work-901").id, other.id]) == {
        a_work(served, "zoe", "work-901").id,
        other.id,
    }
    assert words(served, "harbour") == {other.id}


def test_a_work_that_settles_after_the_swap_is_written_again(
    served: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its point went to the old collection, its row was not to be found until that was dropped."""
    settle = writing._settle

    def swapped_before(*args: Any) -> Standing:
        monkeypatch.setattr(writing, "_settle", settle)
        make_anew(served, progress=shown)
        return settle(*args)

    monkeypatch.setattr(writing, "_settle", swapped_before)
    assert ingest(served, works(tmp_path / "new" / "zoe", 901).parent).added == 1
    agree(served)
    assert served.index.count() == 13


def test_a_lost_index_is_made_anew(ingested: Settings, tmp_path: Path) -> None:
    """Delete the folder: commands refuse to answer; after a reindex the answers are the same."""
    with open_services(ingested) as services:
        before = ask_about(services, tmp_path)
    shutil.rmtree(ingested.home / "index")
    with pytest.raises(IndexLost, match="lawful reindex"), open_services(ingested):
        pass

    with open_stores(ingested) as stores:
        assert make_anew(stores, progress=shown) == (12, 0)

    with open_services(ingested) as services:
        after = ask_about(services, tmp_path)
        agree(services)
    assert (after.artists, after.verdict) == (before.artists, before.verdict)


def test_a_folder_that_cannot_be_read_is_made_anew(ingested: Settings) -> None:
    """The damaged collection is not even opened; it goes, and with it what a kill has left."""
    index = ingested.home / "index"
    (old,) = (path for path in index.iterdir() if path.is_dir())
    (old / "edge_config.json").write_text("{")
    shutil.copytree(old, index / f"{old.name}-b")
    with pytest.raises(BackendUnavailable, match="lawful reindex"), open_services(ingested):
        pass

    with open_stores(ingested) as stores:
        assert make_anew(stores, progress=shown) == (12, 0)
    with open_services(ingested) as services:
        agree(services)
        assert collections_of(services) == [f"{old.name}-a"]


def test_nothing_to_make_anew(tmp_path: Path) -> None:
    """Before anything was ingested there is no collection."""
    with (
        open_stores(Settings(home=tmp_path, profile="stub")) as stores,
        pytest.raises(NotFound, match="there is no collection yet"),
    ):
        make_anew(stores, progress=shown)


def change(stores: Stores, profile: str, *, partial: bool = False, keep_old: bool = False) -> str:
    """Change the encoders; return the name of the collection."""
    return change_profile(stores, profile, partial=partial, keep_old=keep_old, progress=shown).name


def test_other_encoders_from_the_originals(ingested: Settings, tmp_path: Path) -> None:
    """The new collection takes the place of the old one, which goes with its vectors."""
    with open_services(ingested) as services:
        old = services.row
    with open_stores(ingested) as stores:
        name = change(stores, "starter")
        with stores.sessions() as session:
            (live,) = queries.collections(session)
            ids = [row.id for row in queries.list_artworks(session).items]
            assert not queries.kept_vectors(session, old.fingerprint, ids, old.dims)
        with open_collection(stores) as collection:
            assert collection.index.count() == 12
    assert (live.name, live.profile) == (name, "starter")

    with open_services(ingested.model_copy(update={"profile": "starter"})) as services:
        assert ask_about(services, tmp_path).searched.profile == "starter"
        agree(services)


def test_works_without_original_stop_a_change(ingested: Settings) -> None:
    """The old collection stays in its place, unless these works may be left out."""
    with open_stores(ingested) as stores:
        with stores.sessions() as session:
            work = queries.list_artworks(session).items[0]
        (ingested.home / "originals" / work.sha256[:2] / work.sha256).unlink()
        with pytest.raises(Conflict, match="1 works have no kept original"):
            change(stores, "starter")
        with stores.sessions() as session:
            live = queries.live_collection(session)
        assert live is not None
        assert live.profile == "stub"

        change(stores, "starter", partial=True, keep_old=True)
        with stores.sessions() as session:
            counts = queries.counts(session)
            names = [one.profile for one in queries.collections(session)]

        assert drop_collections(stores) == 1
        with stores.sessions() as session:
            left = [one.profile for one in queries.collections(session)]

    assert (counts.indexed, counts.failed) == (11, 1)
    assert sorted(names) == ["starter", "stub"]
    assert left == ["starter"]


def test_the_same_encoders_are_no_change(ingested: Settings) -> None:
    """Asking for what is there is an error, not a day of work."""
    with open_stores(ingested) as stores, pytest.raises(BadInput, match="already"):
        change(stores, "stub")


def test_works_that_came_in_meanwhile_stop_a_change(services: Services) -> None:
    """The new encoders have not seen them: the old collection stays live."""
    with services.sessions.begin() as session:
        new = queries.add_collection(
            session,
            profile="starter",
            fingerprint="f" * 64,
            dims={"clip": 8},
            lanes={"clip": "content"},
            live=False,
        )
    with (
        pytest.raises(Conflict, match="12 works came in meanwhile"),
        services.sessions.begin() as session,
    ):
        _go_live(session, new, {})
    assert live_collection(services).name == services.row.name


def test_only_one_process_makes_a_collection_anew(database: Database) -> None:
    """On a server the second is refused; a file belongs to one process anyway."""
    with database.sessions() as one, database.sessions() as other:
        assert queries.take_turn(one, "reindex a")
        assert queries.take_turn(other, "reindex a") is database.is_file
        assert queries.take_turn(other, "reindex b")


def test_the_encoders_stay_while_somebody_writes_with_them(database: Database) -> None:
    """A change of the live collection waits for who has looked at it, and is seen by the next."""
    with database.sessions.begin() as session:
        assert queries.hold_live(session) is None
        for letter in "ab":
            queries.add_collection(
                session,
                profile=letter,
                fingerprint=letter * 64,
                dims={},
                lanes={},
                live=letter == "a",
            )

    def change() -> None:
        with database.sessions.begin() as session:
            queries.go_live(session, queries.collection_name("b" * 64))

    with ThreadPoolExecutor(1) as other:
        with database.sessions.begin() as session:
            assert queries.hold_live(session) == "a" * 64
            changing = other.submit(change)
            with pytest.raises(TimeoutError):
                changing.result(timeout=0.3)
        changing.result(timeout=10)
    with database.sessions.begin() as session:
        assert queries.hold_live(session) == "b" * 64
