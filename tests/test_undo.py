"""Undo: what a change did is taken back as far as it stands, and the rest is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete, func, select, update

from attribution.catalogue import queries
from attribution.catalogue.models import (
    Alias,
    Artist,
    Artwork,
    ArtworkStatus,
    Change,
    ChangeClaim,
    ChangeKind,
    ChangeRow,
    ChangeWork,
)
from attribution.catalogue.queries import ChangesWanted, NewClaim
from attribution.errors import BackendUnavailable, BadInput, Conflict, NotAllowed, NotFound
from attribution.services import Services
from attribution.upkeep import correction
from attribution.upkeep.reconcile import reconcile
from attribution.upkeep.undoing import undo
from attribution.upkeep.withdrawal import withdraw
from tests.asking import a_work, agree, ids_of, sizes, words
from tests.corrections import US, changes, merge, state, take_back
from tests.portfolios import ingest, portfolio

# ---- merges -------------------------------------------------------------------------------------


def test_an_undone_merge_is_as_if_it_never_was(services: Services, tmp_path: Path) -> None:
    """Rows, names, claims, receipts, earlier changes and sums are those of before; redone, after.

    Claims between the two, doubled ones and others are all there again.
    """
    forgotten = a_work(services, title="work-3")
    withdraw(services, str(forgotten.id), reason="asked for")
    ingest(services, tmp_path / "p" / "artist-2", artist="artist-1")  # claims what is the second's
    ingest(services, tmp_path / "p" / "artist-0", artist="artist-1")  # and what is a third one's
    ingest(services, tmp_path / "p" / "artist-0", artist="artist-2")  # who claims it as well
    other = a_work(services, "artist-1", "work-0").id
    with services.sessions.begin() as session:
        two = queries.artist_by_slug(session, "artist-2").id
        queries.record_claims(session, [NewClaim(other, two, "here")])
    correction.confirm_alias(services, "artist-1", "Zoë", US)
    correction.correct(services, other, {"title": "harbour"}, US)
    before = state(services)

    made = merge(services)
    after = state(services)
    back = take_back(services, made)

    def without(rows: dict[str, Any], *gone: UUID) -> dict[str, Any]:
        kept = [row for row in rows["whose changes"] if row[0] not in gone]
        return rows | {"whose changes": kept}

    assert without(state(services), made.id, back.id) == before
    assert (back.kind, back.undoes_id, back.works) == (ChangeKind.UNDO, made.id, 4)
    assert (back.after["stayed"], back.after["added_since"]) == (0, 0)
    agree(services)
    again = take_back(services, back)
    assert without(state(services), again.id, back.id) == without(after)
    assert again.undoes_id == back.id
    agree(services)
    last = take_back(services, again)
    assert without(state(services), made.id, back.id, again.id, last.id) == before
    agree(services)


def test_a_merge_keeps_rows_and_no_list(services: Services) -> None:
    """The works of a merge stand in rows, the record itself stays small."""
    made = merge(services)

    assert "works" not in made.before
    assert made.works == 4
    with services.sessions() as session:
        count = select(func.count()).select_from(ChangeWork).where(ChangeWork.change_id == made.id)
        assert session.scalar(count) == 4
        page = queries.works_of_change(session, made, limit=3)
        rest = queries.works_of_change(session, made, cursor=page.next, limit=3)
    assert (len(page.items), len(rest.items), rest.next) == (3, 1, None)


def test_slugs_and_names_lead_where_they_should(services: Services, tmp_path: Path) -> None:
    """Merged, the first slug leads to the second artist; undone, each is itself, also on ingest."""
    made = merge(services)
    with services.sessions() as session:
        assert queries.artist_by_slug(session, "artist-1").slug == "artist-2"
    take_back(services, made)

    with services.sessions() as session:
        one = queries.artist_by_slug(session, "artist-1")
        two = queries.artist_by_slug(session, "artist-2")
    assert (one.slug, two.slug) == ("artist-1", "artist-2")
    assert [alias.name for alias in two.aliases] == []
    again = ingest(services, tmp_path / "p")
    assert (again.known, again.conflicts, again.added) == (12, 0, 0)
    assert len(words(services, "artist-1") & ids_of(services, "artist-1", None)) == 4


def test_what_changed_since_stays(services: Services, tmp_path: Path) -> None:
    """Works moved on, and works that came, stay; the answer says how many."""
    moved = a_work(services)
    made = merge(services)
    correction.move(services, moved.id, "artist-0", US)
    ingest(services, portfolio(tmp_path / "new", artists=1, works=6), artist="artist-1")

    back = take_back(services, made)

    assert (back.works, back.after["stayed"], back.after["added_since"]) == (3, 1, 2)
    assert sizes(services) == {"artist-0": 5, "artist-1": 3, "artist-2": 6}
    agree(services)


def test_a_work_withdrawn_since_stays_gone(services: Services) -> None:
    """Its tombstone and its receipt go back with the rest, and nothing of it is found."""
    gone = a_work(services)
    made = merge(services)
    receipt = withdraw(services, str(gone.id), reason="asked for")

    take_back(services, made)

    with services.sessions() as session:
        row = queries.artwork_by_id(session, gone.id)
        kept = queries.withdrawal_by_id(session, receipt.id)
    assert (row.status, row.title, row.artist.slug) == (ArtworkStatus.WITHDRAWN, None, "artist-1")
    assert kept.artist_id == row.artist_id
    assert sizes(services)["artist-1"] == 3
    assert gone.id not in words(services, "work")
    agree(services)


def test_an_unfinished_withdrawal_is_finished_first(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A receipt that still has to find its works keeps them where they are."""
    made = merge(services)
    with monkeypatch.context() as patch:
        patch.setattr(services.index, "delete", _away)
        with pytest.raises(BackendUnavailable):
            withdraw(services, "artist-2", reason="asked for")
    with pytest.raises(Conflict, match="'artist-2' has withdrawn"):
        take_back(services, made)
    with services.sessions.begin() as session:
        session.execute(update(Artist).values(withdrawn_at=None))
    with pytest.raises(Conflict, match="reconcile --repair"):
        take_back(services, made)

    reconcile(services, repair=True)
    take_back(services, made)

    assert sizes(services) == {"artist-0": 4, "artist-1": 0, "artist-2": 0}
    agree(services)


def test_a_merge_is_undone_for_some_works(services: Services) -> None:
    """The artist returns with the chosen works; the rest stays, and all of it can be redone."""
    chosen = a_work(services)
    made = merge(services)
    after = sizes(services)

    back = take_back(services, made, chosen.id)

    assert (back.works, back.after["stayed"]) == (1, 3)
    assert sizes(services) == {"artist-0": 4, "artist-1": 1, "artist-2": 7}
    agree(services)
    with pytest.raises(Conflict, match="already"):
        take_back(services, made)
    with pytest.raises(BadInput, match="for some works only"):
        take_back(services, back, chosen.id)
    take_back(services, back)
    assert sizes(services) == after
    agree(services)


def test_chosen_works_must_be_of_the_merge(services: Services) -> None:
    """A work that the merge did not bring, or that was moved on, is named; nothing is done."""
    moved, stranger = a_work(services), a_work(services, "artist-0")
    made = merge(services)
    correction.move(services, moved.id, "artist-0", US)
    before = state(services)

    for one in (moved.id, stranger.id, uuid4()):
        with pytest.raises(Conflict, match=str(one)):
            take_back(services, made, a_work(services, "artist-2", "work-1").id, one)

    assert state(services) == before


def test_the_old_name_is_taken(services: Services) -> None:
    """The artist cannot return while somebody else has the name; nothing is half done."""
    made = merge(services)
    correction.rename(services, "artist-2", "artist-1", US)
    before = state(services)
    with pytest.raises(Conflict, match="'artist-2' is called 'artist-1' by now"):
        take_back(services, made)
    assert state(services) == before
    correction.rename(services, "artist-2", "Zoë", US)
    with services.sessions.begin() as session:
        zero = queries.artist_by_slug(session, "artist-0").id
        session.execute(update(Alias).where(Alias.name == "artist-1").values(artist_id=zero))

    with pytest.raises(Conflict, match="already the name of 'artist-0'"):
        take_back(services, made)


def test_merges_are_undone_from_the_last(services: Services) -> None:
    """Into one who was merged on, the later merge is undone first; then all is as it was."""
    before = sizes(services)
    first = merge(services, "artist-0", "artist-1")
    second = merge(services, "artist-1", "artist-2")

    with pytest.raises(Conflict, match=str(second.id)):
        take_back(services, first)
    take_back(services, second)
    take_back(services, first)

    assert sizes(services) == before
    agree(services)


def test_a_redo_takes_nothing_that_came_since(services: Services, tmp_path: Path) -> None:
    """An artist who has got works since is not merged by an undo of an undo."""
    back = take_back(services, merge(services))
    ingest(services, portfolio(tmp_path / "new", artists=1, works=6), artist="artist-1")
    before = state(services)

    with pytest.raises(Conflict, match="2 works that came since"):
        take_back(services, back)

    assert state(services) == before


def test_a_merge_of_an_earlier_version_is_undone(services: Services) -> None:
    """Names, slug and works return; what is not kept any more is passed over."""
    made = merge(services)
    with services.sessions.begin() as session:
        known = {"identifiers": {"wikidata": "Q1"}}
        old = {name: made.before[name] for name in ("slug", "name")} | known
        values = {"before": old, "after": {"slug": "artist-2", "name": "artist-2"} | known}
        session.execute(
            update(Change).where(Change.id == made.id).values(from_artist_id=uuid4(), **values)
        )

    take_back(services, made)

    assert sizes(services) == {"artist-0": 4, "artist-1": 4, "artist-2": 4}
    report = reconcile(services, repair=False)
    assert report.altered == 1  # by this test, which the audit sees
    assert replace(report, altered=0).is_clean


# ---- works --------------------------------------------------------------------------------------


def test_a_correction_is_undone_and_redone(services: Services) -> None:
    """The words of before find the work again; twice is one too many."""
    work = a_work(services)
    made = correction.correct(services, work.id, {"title": "harbour"}, US)
    assert made is not None

    back = take_back(services, made)

    assert (back.before, back.after) == ({"title": "harbour"}, {"title": "work-0"})
    assert words(services, "harbour") == set()
    with pytest.raises(Conflict, match=f"was undone by change {back.id} already"):
        take_back(services, made)
    take_back(services, back)
    assert words(services, "harbour") == {work.id}
    agree(services)
    with pytest.raises(NotFound, match="00000001"):
        undo(services, UUID(int=1), US)
    with pytest.raises(BadInput, match="for some works only"):
        take_back(services, changes(services)[0], work.id)


def test_a_picture_goes_and_comes_with_an_undo(services: Services) -> None:
    """The thumbnail follows the consent that an undo takes or gives."""
    work = a_work(services)
    made = correction.correct(services, work.id, {"consent_display": False}, US)
    assert made is not None

    back = take_back(services, made)
    assert services.store.has_thumbnail(work.sha256)
    take_back(services, back)

    assert not services.store.has_thumbnail(work.sha256)
    agree(services)


def test_an_undo_never_overwrites_a_later_correction(services: Services) -> None:
    """Corrected again, withdrawn, or forbidden by its file: said, and nothing is done."""
    work = a_work(services)
    said = {"title": "harbour", "consent_train": False}
    with services.sessions.begin() as session:
        session.execute(update(Artwork).where(Artwork.id == work.id).values(consent_train=True))
    made = correction.correct(services, work.id, said, US)
    later = correction.correct(services, work.id, {"title": "fog"}, US)
    assert made is not None
    assert later is not None
    with pytest.raises(Conflict, match=f"title of artwork {work.id} changed again"):
        take_back(services, made)
    take_back(services, later)
    rights = {"data_mining": "http://ns.useplus.org/ldf/vocab/DMI-PROHIBITED"}
    with services.sessions.begin() as session:
        session.execute(update(Artwork).where(Artwork.id == work.id).values(rights=rights))
    with pytest.raises(NotAllowed, match="may not train"):
        take_back(services, made)
    withdraw(services, str(work.id), reason="asked for")
    with pytest.raises(Conflict, match="was withdrawn"):
        take_back(services, made)


def test_a_wiped_correction_is_not_undone(services: Services, tmp_path: Path) -> None:
    """Reinstated, a work has no earlier words that an undo could bring back."""
    work = a_work(services)
    made = correction.correct(services, work.id, {"title": "harbour"}, US)
    assert made is not None
    withdraw(services, str(work.id), reason="asked for")
    ingest(services, tmp_path / "p", reinstate=True)

    with pytest.raises(Conflict, match="was wiped"):
        take_back(services, made)


def test_an_undone_move_gives_work_and_claim_back(services: Services) -> None:
    """The claim that the move settled stands again; a work that was moved on stays."""
    work = a_work(services)
    with services.sessions.begin() as session:
        two = queries.artist_by_slug(session, "artist-2")
        queries.record_claims(session, [NewClaim(work.id, two.id, "here")])
    before = state(services)
    made = correction.move(services, work.id, "artist-2", US)

    back = take_back(services, made)

    kept = state(services)
    assert {name: kept[name] for name in ("artists", "artworks", "claims", "sums")} == {
        name: before[name] for name in ("artists", "artworks", "claims", "sums")
    }
    assert (back.artwork_id, back.before, back.after) == (
        work.id,
        {"artist": "artist-2"},
        {"artist": "artist-1"},
    )
    agree(services)
    redone = take_back(services, back)
    correction.move(services, work.id, "artist-0", US)
    with pytest.raises(Conflict, match="moved on since"):
        take_back(services, redone)


def test_what_a_person_undid_stays_undone(services: Services, tmp_path: Path) -> None:
    """An undone correction by hand leaves the word to the source; an undone source's does not."""
    work = a_work(services)
    table = tmp_path / "p" / "artist-1" / "metadata.csv"
    table.write_text("file_name,title\nwork-0.png,harbour\n")
    ingest(services, tmp_path / "p")
    take_back(services, changes(services)[0])  # by hand, of what the source said
    assert ingest(services, tmp_path / "p").corrected == 0
    by_hand = correction.correct(services, work.id, {"year": 1901}, US)
    assert by_hand is not None
    table.write_text("file_name,title,year\nwork-0.png,harbour,1999\n")
    assert ingest(services, tmp_path / "p").corrected == 0
    take_back(services, by_hand)

    assert ingest(services, tmp_path / "p").corrected == 1

    now = a_work(services)
    assert (now.title, now.year) == ("work-0", 1999)


# ---- artists ------------------------------------------------------------------------------------


def test_names_are_undone(services: Services) -> None:
    """A rename and an alias go and come; a name that changed again since stays."""
    before = state(services)
    renamed = correction.rename(services, "artist-1", "Zoë", US)
    noted = correction.confirm_alias(services, "artist-1", "Z.", US)

    unnoted = take_back(services, noted)
    back = take_back(services, renamed)

    assert {name: state(services)[name] for name in ("artists", "aliases", "sums")} == {
        name: before[name] for name in ("artists", "aliases", "sums")
    }
    assert words(services, "zoë") == set()
    take_back(services, back)
    take_back(services, unnoted)
    with services.sessions() as session:
        artist = queries.artist_by_slug(session, "artist-1")
    assert (artist.name, [alias.name for alias in artist.aliases]) == ("Zoë", ["Z.", "artist-1"])
    assert len(words(services, "zoë")) == 4
    agree(services)
    with pytest.raises(Conflict, match="already"):
        take_back(services, renamed)


def test_a_rename_to_an_alias_is_undone(services: Services) -> None:
    """The alias that became the name is an alias again."""
    correction.confirm_alias(services, "artist-1", "Zoë", US)
    before = state(services)["aliases"]

    take_back(services, correction.rename(services, "artist-1", "Zoë", US))

    assert state(services)["aliases"] == before


def test_names_that_changed_since_stay(services: Services) -> None:
    """Renamed again, or the old name taken meanwhile: a conflict."""
    first = correction.rename(services, "artist-1", "Zoë", US)
    correction.rename(services, "artist-1", "Zoë Quill", US)
    with pytest.raises(Conflict, match="called 'Zoë Quill' by now"):
        take_back(services, first)
    noted = correction.confirm_alias(services, "artist-0", "Nought", US)
    with services.sessions.begin() as session:
        session.execute(delete(Alias).where(Alias.name == "Nought"))
    with pytest.raises(Conflict, match="not an alias of this artist any more"):
        take_back(services, noted)


def test_a_split_gives_works_and_takes_them_back(services: Services) -> None:
    """A new artist has the chosen works; undone they return, redone they go."""
    chosen = [a_work(services, title=title).id for title in ("work-0", "work-1")]
    split = correction.split

    made = split(services, "artist-1", chosen, "Zoë", US)

    assert (made.kind, made.works, made.artwork_id) == (ChangeKind.SPLIT, 2, None)
    zoe = made.after["artist"]
    assert sizes(services) == {"artist-0": 4, "artist-1": 2, "artist-2": 4, zoe: 2}
    assert words(services, "zoë") == set(chosen)
    agree(services)
    back = take_back(services, made, chosen[0])
    assert (back.works, back.after["stayed"]) == (1, 1)
    assert sizes(services) == {"artist-0": 4, "artist-1": 3, "artist-2": 4, zoe: 1}
    take_back(services, back)
    assert sizes(services)[zoe] == 2
    agree(services)
    known = split(services, "artist-1", ids_of(services, "artist-1", None), zoe, US)
    assert (known.after["artist"], sizes(services)["artist-1"]) == (zoe, 0)


def test_what_may_not_be_split(services: Services) -> None:
    """No work, somebody else's, a withdrawn one, an own name, one who has withdrawn: nothing."""
    work, other = a_work(services), a_work(services, "artist-2")

    def split(into: str, *works: UUID) -> None:
        correction.split(services, "artist-1", works, into, US)

    merged = merge(services, "artist-0", "artist-1")
    before = state(services)
    with pytest.raises(BadInput, match="at least one"):
        split("Zoë")
    with pytest.raises(Conflict, match=f"{other.id} is not by 'artist-1'"):
        split("Zoë", work.id, other.id)
    with pytest.raises(NotFound, match="00000001"):
        split("Zoë", UUID(int=1))
    with pytest.raises(Conflict, match="undo the change that made it theirs"):
        split("artist-0", work.id)
    assert state(services) == before
    take_back(services, merged)
    withdraw(services, "artist-0", reason="asked for")
    with pytest.raises(Conflict, match="'artist-0' has withdrawn"):
        split("artist-0", work.id)
    withdraw(services, str(work.id), reason="asked for")
    with pytest.raises(Conflict, match="was withdrawn"):
        split("Zoë", work.id)


def test_a_merge_of_names_that_differ_is_confirmed(services: Services, tmp_path: Path) -> None:
    """Nothing moves until somebody says that they are one; likely spellings need no word."""
    source = portfolio(tmp_path / "more", artists=1, works=6)
    ingest(services, source, artist="Ann Example")

    with pytest.raises(Conflict, match="4 works of 'artist-1' would become works of 'Ann Example'"):
        correction.merge(services, "artist-1", "ann-example", US)
    correction.rename(services, "artist-1", "Example, Anne", US)
    correction.merge(services, "artist-1", "ann-example", US)

    assert sizes(services)["ann-example"] == 6


# ---- the record ---------------------------------------------------------------------------------


def test_changes_are_listed_by_artist_work_and_time(services: Services) -> None:
    """An artist's are also those that took works from them, while merged and afterwards."""
    work = a_work(services)
    moved = correction.move(services, work.id, "artist-0", US)
    merged = merge(services)
    back = take_back(services, merged)
    corrected = correction.correct(services, work.id, {"title": "harbour"}, US)
    assert corrected is not None

    def listed(**filters: Any) -> list[UUID]:
        with services.sessions() as session:
            return [one.id for one in queries.list_changes(session, ChangesWanted(**filters)).items]

    with services.sessions() as session:
        ids = {slug: queries.artist_by_slug(session, slug).id for slug in sizes(services)}
    assert listed(artist_id=ids["artist-1"]) == [back.id, merged.id, moved.id]
    assert listed(artist_id=ids["artist-2"]) == [back.id, merged.id]
    assert listed(artist_id=ids["artist-0"]) == [corrected.id, moved.id]
    assert listed(artwork_id=work.id) == [corrected.id, moved.id]
    other = a_work(services, title="work-1").id
    assert listed(artwork_id=other) == [back.id, merged.id]
    assert listed(since=back.made_at) == [corrected.id, back.id]
    assert listed(until=back.made_at) == [merged.id, moved.id]
    assert listed(artwork_id=work.id, since=moved.made_at, until=back.made_at) == [moved.id]
    take_back(services, back)
    assert moved.id in listed(artist_id=ids["artist-2"])


def test_a_withdrawal_wipes_what_changes_keep(services: Services, tmp_path: Path) -> None:
    """No word, path or reason that was about the work stays in any row of the record."""
    work = a_work(services)
    ingest(services, tmp_path / "p" / "artist-1", artist="artist-2")
    said = {"title": "harbour", "caption": "two boats", "tags": ["fog"]}
    made = correction.correct(services, work.id, said, US)
    assert made is not None
    take_back(services, take_back(services, made))
    split = correction.split(services, "artist-1", [work.id], "Zoë", US)
    take_back(services, split)
    merge(services)

    withdraw(services, str(work.id), reason="asked for")

    with services.sessions() as session:
        rows = session.scalars(select(Change)).all()
        written = " ".join(str((row.before, row.after)) for row in rows)
        about = {ChangeKind.CORRECT, ChangeKind.UNDO, ChangeKind.SPLIT}
        reasons = {row.reason for row in rows if row.kind in about}
        paths = select(ChangeClaim.path).where(ChangeClaim.artwork_id == work.id)
        assert set(session.scalars(paths)) == {"withdrawn"}
        assert session.scalar(select(func.count()).select_from(ChangeRow))
    for word in ("harbour", "boats", "fog", "work-0"):
        assert word not in written
    assert reasons == {None}


def test_an_artist_who_returned_and_withdraws_is_wiped(services: Services) -> None:
    """The reason of the merge that they left goes as well."""
    take_back(services, merge(services))

    withdraw(services, "artist-1", reason="asked for")

    assert {change.reason for change in changes(services)} == {None}


def _away(*_: object) -> None:
    raise BackendUnavailable("the index is away")


@pytest.mark.parametrize("finishing", ["asked again", "reconciled"])
def test_an_interrupted_undo_is_finished(
    services: Services, monkeypatch: pytest.MonkeyPatch, finishing: str
) -> None:
    """SQL has it already; asked again, or reconciled, the index follows."""
    made = merge(services)
    with monkeypatch.context() as patch:
        patch.setattr(services.index, "upsert", _away)
        with pytest.raises(BackendUnavailable):
            take_back(services, made)
    assert reconcile(services, repair=False).unfinished_changes == 1

    if finishing == "reconciled":
        reconcile(services, repair=True)
    else:
        with pytest.raises(Conflict, match="already"):
            take_back(services, made)

    assert len(words(services, "artist-1") & ids_of(services, "artist-1", None)) == 4
    agree(services)
