"""Undos at the same time as each other and as what they would take back; holds; on PostgreSQL.

Who comes first is no matter of luck: a row is held until the first and then the second waits for
it, so both have looked at the catalogue before either changes it. It is the first row that both
need; of several rows that are let go at once, the second might get one before the first does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import URL, Executable, Select, insert, select, text

from attribution.cases import CaseKind
from attribution.catalogue import queries
from attribution.catalogue.database import connect
from attribution.catalogue.models import (
    Alias,
    Artist,
    Artwork,
    ArtworkStatus,
    Change,
    HeldExhibit,
    Hold,
)
from attribution.config import Settings
from attribution.desk.holding import NewHold, end_hold, put_on_hold
from attribution.desk.opening import NewCase, open_case
from attribution.errors import Conflict, LawfulError
from attribution.services import Services, open_services
from attribution.upkeep import correction
from attribution.upkeep.undoing import undo
from attribution.upkeep.withdrawal import withdraw
from tests.asking import a_work, agree, ids_of, sizes
from tests.corrections import US, changes, merge, state, take_back
from tests.portfolios import ingest, portfolio, wait_until
from tests.postgres import fresh_database

Act = Callable[[], Any]
WORKS = select(Artwork.id).order_by(Artwork.id).with_for_update()
ARTISTS = select(Artist.id).order_by(Artist.id).with_for_update()
ARTIST_1, ARTIST_2 = (ARTISTS.where(Artist.slug == slug) for slug in ("artist-1", "artist-2"))


@pytest.fixture
def services(postgres: URL, tmp_path: Path) -> Iterator[Services]:
    """Open a collection with three artists of two works each."""
    with fresh_database(postgres) as url:
        database = connect(url)
        database.upgrade()
        database.dispose()
        settings = Settings(home=tmp_path / "home", profile="stub", database_url=url)
        with open_services(settings) as opened:
            ingest(opened, portfolio(tmp_path / "p", works=2))
            yield opened


def one_after_the_other(services: Services, holding: Executable, *acts: Act) -> list[Any]:
    """Have each act come to what a statement holds, in this order; then let it go.

    Returns what each has returned, or our own error that it raised; any other is raised.
    """
    with ThreadPoolExecutor(len(acts)) as threads:
        with services.sessions.begin() as session:
            session.execute(holding)
            running: list[Future[Any]] = []
            for act in acts:
                running.append(threads.submit(act))
                wait_until(lambda: waiting(services) == len(running))
        return [outcome(one) for one in running]


def waiting(services: Services) -> int:
    """Return how many transactions of this database wait for a lock."""
    wanted = (
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    with services.sessions() as session:
        return int(session.scalar(text(wanted)) or 0)


def outcome(running: Future[Any]) -> Any:
    """Return what an act has returned, or our error."""
    try:
        return running.result(timeout=60)
    except LawfulError as error:
        return error


def undoing(services: Services, change: Change) -> Act:
    """Return the undo of a change, to be done."""
    return lambda: undo(services, change.id, US)


def withdrawing(services: Services, what: str) -> Act:
    """Return a withdrawal, to be done."""
    return lambda: withdraw(services, what, reason="asked for")


def moving(services: Services, work: UUID, slug: str) -> Act:
    """Return a move, to be done."""
    return lambda: correction.move(services, work, slug, US)


def correcting(services: Services, work: UUID, title: str) -> Act:
    """Return a correction, to be done."""
    return lambda: correction.correct(services, work, {"title": title}, US)


def renaming(services: Services, name: str) -> Act:
    """Return a new name for an artist, to be given."""
    return lambda: correction.rename(services, "artist-1", name, US)


def the_work(services: Services, title: str = "work-0") -> UUID:
    """Return the id of a work by the artist in the middle."""
    return a_work(services, title=title).id


def first_row(services: Services, slug: str = "artist-1") -> Select[UUID]:
    """Return the row of an artist's works that is locked first."""
    return WORKS.where(Artwork.id == min(ids_of(services, slug, None)))


def left_of(services: Services, slug: str) -> set[ArtworkStatus]:
    """Return the states of an artist's works."""
    with services.sessions() as session:
        return {
            work.status
            for work in queries.artworks_by_id(session, ids_of(services, slug, None)).values()
        }


def a_merge(services: Services) -> Change:
    """Merge two artists."""
    return merge(services)


def a_redone_merge(services: Services) -> Change:
    """Merge two artists, and take that back: an undo of this is a redo."""
    return take_back(services, merge(services))


def a_correction(services: Services) -> Change:
    """Correct a work."""
    made: Change = correcting(services, the_work(services, "work-1"), "harbour")()
    return made


def a_move(services: Services) -> Change:
    """Move a work."""
    made: Change = moving(services, the_work(services), "artist-2")()
    return made


def a_split(services: Services) -> Change:
    """Give a work to a new artist."""
    work = the_work(services)
    return correction.split(services, "artist-1", [work], "Zoë", US)


def a_rename(services: Services) -> Change:
    """Call an artist by another name."""
    made: Change = renaming(services, "Zoë")()
    return made


def an_alias(services: Services) -> Change:
    """Note another name of an artist."""
    return correction.confirm_alias(services, "artist-1", "Zoë", US)


def a_lost_alias(services: Services) -> Change:
    """Take an alias back: an undo of this gives it again."""
    return take_back(services, an_alias(services))


# ---- twice the same -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "held"),
    [
        (a_correction, WORKS),
        (a_move, WORKS),
        (a_move, ARTISTS),
        (a_split, WORKS),
        (a_merge, WORKS),
        (a_merge, ARTISTS),
        (a_redone_merge, WORKS),
        (a_redone_merge, ARTISTS),
        (a_rename, ARTISTS),
        (an_alias, ARTISTS),
        (a_lost_alias, ARTISTS),
    ],
)
def test_a_change_is_undone_once(
    services: Services, make: Callable[[Services], Change], held: Select[UUID]
) -> None:
    """Asked for twice at the same time, it is done once; the second is told by which change."""
    made = make(services)
    twice = [undoing(services, made)] * 2

    first, second = one_after_the_other(services, held, *twice)

    assert isinstance(first, Change)
    assert isinstance(second, Conflict)
    assert f"was undone by change {first.id} already" in str(second)
    assert [one.id for one in changes(services) if one.undoes_id == made.id] == [first.id]
    agree(services)
    once = state(services)
    take_back(services, take_back(services, first))  # done again, and undone again, by one alone
    assert once | {"whose changes": []} == state(services) | {"whose changes": []}


# ---- against what changes the same --------------------------------------------------------------


def test_a_move_after_an_undo_stands(services: Services) -> None:
    """And words that were said before it are not overwritten."""
    move, words = a_move(services), a_correction(services)
    assert move.artwork_id
    assert words.artwork_id

    undone, moved_on = one_after_the_other(
        services, WORKS, undoing(services, move), moving(services, move.artwork_id, "artist-0")
    )
    said, refused = one_after_the_other(
        services, WORKS, correcting(services, words.artwork_id, "fog"), undoing(services, words)
    )

    assert (undone.undoes_id, moved_on.before) == (move.id, {"artist": "artist-1"})
    assert move.artwork_id in ids_of(services, "artist-0", None)
    assert said.before == {"title": "harbour"}
    assert isinstance(refused, Conflict)
    assert "changed again since" in str(refused)
    assert the_work(services, "fog") == words.artwork_id
    agree(services)


def test_an_undo_after_a_move_takes_nothing(services: Services) -> None:
    """Of a move nothing is left to take back; of a merge the other works are."""
    move, other = a_move(services), a_work(services, "artist-0").id
    assert move.artwork_id

    _, refused = one_after_the_other(
        services, WORKS, moving(services, move.artwork_id, "artist-0"), undoing(services, move)
    )
    merged = merge(services, "artist-0", "artist-2")
    _, undone = one_after_the_other(
        services,
        WORKS.where(Artwork.id == other),
        moving(services, other, "artist-1"),
        undoing(services, merged),
    )

    assert isinstance(refused, Conflict)
    assert "moved on since" in str(refused)
    assert (undone.works, undone.after["stayed"]) == (2, 1)
    assert sizes(services) == {"artist-0": 2, "artist-1": 2, "artist-2": 2}
    agree(services)


def test_a_later_name_stands(services: Services) -> None:
    """Whether it was given before the undo of an earlier one, or after."""
    made = a_rename(services)

    later, refused = one_after_the_other(
        services, ARTISTS, renaming(services, "Quill"), undoing(services, made)
    )
    undone, last = one_after_the_other(
        services, ARTISTS, undoing(services, later), renaming(services, "Ann")
    )

    assert isinstance(refused, Conflict)
    assert "is called 'Quill' by now" in str(refused)
    assert (undone.after["name"], last.before["name"]) == ("Zoë", "Zoë")
    with services.sessions() as session:
        artist = queries.artist_by_slug(session, "artist-1")
    assert (artist.name, [one.name for one in artist.aliases]) == ("Ann", ["Zoë", "artist-1"])
    agree(services)


def test_a_name_is_given_once(services: Services) -> None:
    """Given twice at the same time it is recorded once; who has it by now is said."""

    def noting(slug: str) -> Act:
        return lambda: correction.confirm_alias(services, slug, "Zoë", US)

    noted, told = one_after_the_other(services, ARTISTS, noting("artist-1"), noting("artist-1"))
    lost = take_back(services, noted)
    with services.sessions() as session:
        other = queries.artist_by_slug(session, "artist-2").id
    taking = insert(Alias).values(name="Zoë", folded="zoe", artist_id=other)
    (taken,) = one_after_the_other(services, taking, undoing(services, lost))
    twice = [renaming(services, "Quill")] * 2
    _, refused = one_after_the_other(services, ARTISTS, *twice)

    assert "is a name of 'artist-1' already" in str(told)
    assert "is already the name of 'artist-2'" in str(taken)
    assert "is called 'Quill' already" in str(refused)
    assert {type(one) for one in (told, taken, refused)} == {Conflict}
    assert len(changes(services)) == 3


def test_a_redo_takes_nothing_that_comes_just_now(services: Services) -> None:
    """A work that is given to the artist while the merge is taken up again stays theirs."""
    parted, other = a_redone_merge(services), a_work(services, "artist-0").id

    given, refused = one_after_the_other(
        services, ARTIST_1, moving(services, other, "artist-1"), undoing(services, parted)
    )

    assert given.artwork_id == other
    assert isinstance(refused, Conflict)
    assert "works have just come to 'artist-1'" in str(refused)
    with pytest.raises(Conflict, match="1 works that came since"):
        take_back(services, parted)
    assert sizes(services) == {"artist-0": 1, "artist-1": 3, "artist-2": 2}
    agree(services)


# ---- against withdrawals ------------------------------------------------------------------------


def test_a_merge_is_undone_before_its_artist_withdraws(services: Services) -> None:
    """The works that return stay; all that the artist still has is withdrawn."""
    held, made = first_row(services), merge(services)

    undone, withdrawn = one_after_the_other(
        services, held, undoing(services, made), withdrawing(services, "artist-2")
    )

    assert undone.works == 2
    assert len(withdrawn.receipt["works"]) == 2
    assert left_of(services, "artist-1") == {ArtworkStatus.INDEXED}
    assert left_of(services, "artist-2") == {ArtworkStatus.WITHDRAWN}
    agree(services)


@pytest.mark.parametrize("is_work", [True, False])
def test_nothing_returns_from_who_has_withdrawn(services: Services, *, is_work: bool) -> None:
    """The undo of a merge comes second: it is told, and nothing of it is done."""
    held, made = first_row(services) if is_work else ARTIST_2, merge(services)

    withdrawn, refused = one_after_the_other(
        services, held, withdrawing(services, "artist-2"), undoing(services, made)
    )

    assert len(withdrawn.receipt["works"]) == 4
    assert isinstance(refused, Conflict)
    assert "'artist-2' has withdrawn" in str(refused)
    assert left_of(services, "artist-2") == {ArtworkStatus.WITHDRAWN}
    agree(services)


@pytest.mark.parametrize(("slug", "held"), [("artist-1", ARTIST_1), ("artist-2", ARTIST_2)])
def test_a_work_that_comes_to_who_withdraws_is_withdrawn(
    services: Services, slug: str, held: Select[UUID]
) -> None:
    """The withdrawal had looked which works there are when an undo, or a move, gave one more."""
    work = the_work(services)
    is_undo = slug == "artist-1"
    giving = undoing(services, a_move(services)) if is_undo else moving(services, work, slug)

    given, withdrawn = one_after_the_other(services, held, giving, withdrawing(services, slug))

    assert given.artwork_id == work
    assert str(work) in withdrawn.receipt["works"]
    assert withdrawn.completed_at is not None
    assert left_of(services, slug) == {ArtworkStatus.WITHDRAWN}
    assert services.index.vectors([work]) == {}
    agree(services)


def test_no_work_comes_to_who_has_withdrawn(services: Services) -> None:
    """The undo of a move comes second: the work stays where it is."""
    made = a_move(services)

    _, refused = one_after_the_other(
        services, ARTIST_1, withdrawing(services, "artist-1"), undoing(services, made)
    )

    assert isinstance(refused, Conflict)
    assert "'artist-1' has withdrawn" in str(refused)
    assert made.artwork_id in ids_of(services, "artist-2", None)
    agree(services)


def test_a_work_is_withdrawn_whoever_has_it(services: Services) -> None:
    """An undo that comes first gives it back, and it is gone all the same; second, it is told."""
    move, words = a_move(services), a_correction(services)
    assert move.artwork_id
    assert words.artwork_id

    _, withdrawn = one_after_the_other(
        services, WORKS, undoing(services, move), withdrawing(services, str(move.artwork_id))
    )
    _, refused = one_after_the_other(
        services, WORKS, withdrawing(services, str(words.artwork_id)), undoing(services, words)
    )

    assert withdrawn.receipt["works"] == [str(move.artwork_id)]
    assert services.index.vectors([move.artwork_id, words.artwork_id]) == {}
    assert isinstance(refused, Conflict)
    assert "was withdrawn" in str(refused)
    assert left_of(services, "artist-1") == {ArtworkStatus.WITHDRAWN}
    agree(services)


def test_who_is_merged_meanwhile_does_not_withdraw(services: Services) -> None:
    """A redone merge comes first: the withdrawal says so, and everything is still there."""
    parted = a_redone_merge(services)

    redone, refused = one_after_the_other(
        services, first_row(services), undoing(services, parted), withdrawing(services, "artist-1")
    )

    assert redone.undoes_id == parted.id
    assert isinstance(refused, Conflict)
    assert "just been merged" in str(refused)
    assert sizes(services) == {"artist-0": 2, "artist-2": 4}
    agree(services)


@pytest.mark.parametrize("is_alias_first", [True, False])
def test_a_name_goes_to_one_of_two(services: Services, *, is_alias_first: bool) -> None:
    """One artist is renamed to it while another gets it as an alias: the second is told."""
    acts = [
        lambda: correction.confirm_alias(services, "artist-2", "Mila Test", US),
        lambda: correction.rename(services, "artist-1", "Mila Test", US),
    ]

    first, second = one_after_the_other(
        services, ARTISTS, *(acts if is_alias_first else reversed(acts))
    )

    owner = "artist-2" if is_alias_first else "artist-1"
    assert isinstance(first, Change)
    assert isinstance(second, Conflict)
    assert f"already the name of '{owner}'" in str(second)
    with services.sessions() as session:
        named = session.scalars(select(Artist.slug).where(Artist.name == "Mila Test")).all()
        aliased = session.scalars(select(Alias.name).where(Alias.name == "Mila Test")).all()
    assert len(named) + len(aliased) == 1


# ---- holds ---------------------------------------------------------------------------------------


def a_case(services: Services) -> UUID:
    """Open a case for which something can be put on hold."""
    return open_case(services, NewCase(CaseKind.WITHDRAWAL, "a claim")).case.id


def holding(services: Services, case: UUID, new: NewHold) -> Act:
    """Return a hold, to be put."""
    return lambda: put_on_hold(services, case, new)


def ending(services: Services, case: UUID, hold: Hold) -> Act:
    """Return the end of a hold, to come."""
    return lambda: end_hold(services, case, hold.id, "settled")


def test_a_work_is_put_on_hold_while_it_is_withdrawn(services: Services) -> None:
    """Whoever comes second sees the other one: nothing is kept, and that is said."""
    case, work = a_case(services), the_work(services)
    acts = withdrawing(services, str(work)), holding(services, case, NewHold("why", work))
    _, refused = one_after_the_other(services, WORKS.where(Artwork.id == work), *acts)
    assert isinstance(refused, Conflict)


def test_of_two_holds_that_end_at_once_the_second_takes_the_exhibit(services: Services) -> None:
    """Nothing stays for which there is no hold."""
    cases, work = [a_case(services), a_case(services)], the_work(services)
    kept = [put_on_hold(services, case, NewHold("why", work)) for case in cases]
    withdraw(services, str(work), reason="asked for")
    acts = (ending(services, case, hold) for case, hold in zip(cases, kept, strict=True))
    one_after_the_other(services, select(HeldExhibit).with_for_update(), *acts)
    with services.sessions() as session:
        assert session.query(HeldExhibit).all() == []


def test_a_hold_that_ends_while_its_work_is_withdrawn_keeps_nothing(services: Services) -> None:
    """The withdrawal waits for it."""
    case, work = a_case(services), the_work(services)
    hold = put_on_hold(services, case, NewHold("why", work))
    lasting = select(Hold).with_for_update()
    acts = ending(services, case, hold), withdrawing(services, str(work))
    one_after_the_other(services, lasting, *acts)
    with services.sessions() as session:
        assert session.query(HeldExhibit).all() == []
