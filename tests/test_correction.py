"""Corrections: what was wrong is put right in catalogue, index, pictures and classifier alike."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import update

from attribution.catalogue import queries
from attribution.catalogue.models import Artwork, ArtworkStatus, artwork_id
from attribution.catalogue.queries import NewArtwork, NewClaim
from attribution.config import Settings
from attribution.errors import BackendUnavailable, BadInput, Conflict, NotAllowed, NotFound
from attribution.images import file_sha256, read_image_file
from attribution.index.points import Point
from attribution.lookup.search_query import SearchQuery
from attribution.projection import point_of
from attribution.services import Services, open_services
from attribution.upkeep import correction
from attribution.upkeep.rebuilding import rebuild_sums
from attribution.upkeep.reconcile import reconcile
from attribution.upkeep.withdrawal import withdraw
from ingest.options import Options
from ingest.preview import preview
from ingest.sources import read_source
from tests.asking import a_work, agree, sizes, words
from tests.corrections import US, changes
from tests.portfolios import ingest, picture, portfolio


def licensed(services: Services, *licences: str) -> set[UUID]:
    """Return the works that a search finds under some licences."""
    query = SearchQuery(text="work", licences=licences)
    return {hit.id for hit in services.attributor.search(query, limit=50).hits}


# ---- works --------------------------------------------------------------------------------------


def test_a_correction_is_found_by_its_words_and_filters(services: Services) -> None:
    """Title, tags, caption, year, licence: the new ones find the work, the old ones do not."""
    work = a_work(services)
    said = {"title": "harbour", "tags": ["fog"], "caption": "two boats", "year": 1901}

    correction.correct(services, work.id, said | {"licence": "CC0-1.0"}, US)

    assert words(services, "harbour") == words(services, "fog boats") == {work.id}
    found = services.attributor.search(SearchQuery(text="fog", licences=("CC0-1.0",)))
    assert [hit.id for hit in found.hits] == [work.id]
    assert [(hit.title, hit.year) for hit in found.hits] == [("harbour", 1901)]
    agree(services)


def test_a_correction_is_recorded(services: Services) -> None:
    """When, by which door, why, from what to what; what says the same changes nothing."""
    work = a_work(services)
    said = {"title": "harbour", "year": None}

    made = correction.correct(services, work.id, said, US)
    again = correction.correct(services, work.id, said, US)

    assert made is not None
    assert again is None
    (change,) = changes(services)
    assert (change.kind, change.artwork_id, change.origin) == ("correct", work.id, "test")
    assert (change.before, change.after) == ({"title": "work-0"}, {"title": "harbour"})
    assert change.reason == "a mistake"
    assert change.completed_at is not None


def test_a_withdrawal_wipes_the_record(services: Services) -> None:
    """Nothing that described the work stays in what was corrected of it."""
    work = a_work(services)
    correction.correct(services, work.id, {"title": "harbour"}, US)

    withdraw(services, str(work.id), reason="asked for")

    (change,) = changes(services)
    assert (change.before, change.after, change.reason) == ({}, {}, None)


def test_consent_to_show_goes_and_comes_back(services: Services) -> None:
    """The picture goes with the consent, and is made again from the kept original."""
    work = a_work(services)

    correction.correct(services, work.id, {"consent_display": False}, US)
    assert not services.store.has_thumbnail(work.sha256)
    correction.correct(services, work.id, {"consent_display": True}, US)

    assert services.store.has_thumbnail(work.sha256)
    agree(services)


def test_what_may_not_be_corrected(services: Services) -> None:
    """Unknown, withdrawn, on its way in, forbidden by its file, or nothing said at all."""
    work, other = a_work(services), a_work(services, title="work-1")

    def correct(one: UUID, **said: object) -> None:
        correction.correct(services, one, said, US)

    with pytest.raises(NotFound, match="00000001"):
        correct(UUID(int=1), title="x")
    with pytest.raises(BadInput, match="nothing to correct"):
        correct(work.id)
    with pytest.raises(BadInput, match="withdraw it"):
        correct(work.id, consent_index=False)
    rights = {"data_mining": "http://ns.useplus.org/ldf/vocab/DMI-PROHIBITED"}
    with services.sessions.begin() as session:
        session.execute(update(Artwork).where(Artwork.id == work.id).values(rights=rights))
    with pytest.raises(NotAllowed, match="data mining: http"):
        correct(work.id, consent_train=True)
    withdraw(services, str(work.id), reason="asked for")
    with pytest.raises(Conflict, match="was withdrawn"):
        correct(work.id, title="x")
    with services.sessions.begin() as session:
        session.execute(
            update(Artwork).where(Artwork.id == other.id).values(status=ArtworkStatus.PENDING)
        )
    with pytest.raises(Conflict, match="is being ingested"):
        correct(other.id, title="x")
    with pytest.raises(Conflict, match="is being ingested"):
        correction.move(services, other.id, "artist-2", US)


def test_what_was_interrupted_is_finished(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQL has it already; asked again, or reconciled, the index follows."""
    work = a_work(services)

    def away(_: object) -> None:
        raise BackendUnavailable("the index is away")

    for finishing in ("asked again", "reconciled"):
        with monkeypatch.context() as patch:
            patch.setattr(services.index, "upsert", away)
            with pytest.raises(BackendUnavailable):
                correction.correct(services, work.id, {"title": finishing}, US)
        assert words(services, finishing) == set()
        assert reconcile(services, repair=False).unfinished_changes == 1

        if finishing == "reconciled":
            reconcile(services, repair=True)
        else:
            correction.correct(services, work.id, {"title": finishing}, US)

        assert words(services, finishing) == {work.id}
        agree(services)


def test_the_last_writer_of_a_point_looks(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two who correct a work at once, the index says in the end what SQL says."""
    work, real = a_work(services), services.index.upsert

    def meanwhile(points: list[object]) -> None:
        monkeypatch.undo()
        correction.correct(services, work.id, {"title": "second"}, US)
        real(points)  # type: ignore[arg-type]  # what the first had read before

    monkeypatch.setattr(services.index, "upsert", meanwhile)
    correction.correct(services, work.id, {"title": "first"}, US)

    assert words(services, "second") == {work.id}
    assert words(services, "first") == set()


def test_a_portfolio_ingested_again_corrects(services: Services, tmp_path: Path) -> None:
    """What a row says otherwise is taken over, what it does not say stays; again, it is known."""
    work = a_work(services)
    correction.correct(services, work.id, {"licence": "CC0-1.0"}, US)
    row = {"file_name": "work-0.png", "title": "harbour", "tags": ["fog"], "consent_train": "yes"}
    (tmp_path / "p" / "artist-1" / "metadata.jsonl").write_text(json.dumps(row))

    shown = preview(services, read_source(tmp_path / "p"), Options(allow_freer=True))
    first, again = (ingest(services, tmp_path / "p", allow_freer=True) for _ in range(2))

    assert (shown.known, shown.corrected) == (12, 1)
    assert (first.added, first.known, first.corrected) == (0, 12, 1)
    assert (again.known, again.corrected) == (12, 0)
    now = a_work(services, title="harbour")
    assert (now.id, now.tags, now.licence, now.consent_train) == (work.id, ["fog"], "CC0-1.0", True)
    assert words(services, "fog") == {work.id}
    assert changes(services)[0].origin == f"ingest job {first.job}"
    agree(services)


@pytest.mark.parametrize(
    "freer",
    [
        {"consent_train": "yes"},
        {"consent_generate": "yes"},
        {"licence": "CC0-1.0"},
        {"licence": "CC BY 4.0"},
    ],
)
def test_what_gets_freer_is_asked_for(
    services: Services, tmp_path: Path, freer: dict[str, str]
) -> None:
    """The rest of its row is followed; what would be allowed is said, and allowed when agreed."""
    work = a_work(services)
    (name,) = freer
    before = getattr(work, name)
    row = {"file_name": "work-0.png", "title": "harbour", "consent_display": "no"} | freer
    (tmp_path / "p" / "artist-1" / "metadata.jsonl").write_text(json.dumps(row))

    shown = preview(services, read_source(tmp_path / "p"))
    asked = ingest(services, tmp_path / "p")

    for summary in (shown, asked):
        (said,) = [one.reason for one in summary.items if one.reason]
        assert f"would become freer ({name}: " in said
        assert summary.asked == 1
    now = a_work(services, title="harbour")
    assert (getattr(now, name), now.consent_display) == (before, False)

    agreed = ingest(services, tmp_path / "p", allow_freer=True)

    assert (agreed.corrected, agreed.asked) == (1, 0)
    assert getattr(a_work(services, title="harbour"), name) != before


def test_a_stricter_licence_is_followed(services: Services, tmp_path: Path) -> None:
    """At once, and the way back is asked for."""
    table = tmp_path / "p" / "artist-1" / "metadata.jsonl"
    licences = ("CC0-1.0", "CC BY-NC 4.0", "CC-BY-4.0")
    for licence in licences:
        table.write_text(json.dumps({"file_name": "work-0.png", "licence": licence}))
        ingest(services, tmp_path / "p", allow_freer=licence == "CC0-1.0")

    assert a_work(services).licence == "CC BY-NC 4.0"


def test_a_refused_row_takes_consent_back_all_the_same(services: Services, tmp_path: Path) -> None:
    """Whatever else is wrong with it: its no is plain."""
    row = {"file_name": "work-0.png", "consent_display": "no", "consent_train": "perhaps"}
    (tmp_path / "p" / "artist-1" / "metadata.jsonl").write_text(json.dumps(row))

    summary = ingest(services, tmp_path / "p")

    assert summary.refused == 1
    assert not a_work(services).consent_display
    row = {"file_name": "work-0.png", "consent_index": "no", "consent_train": "perhaps"}
    (tmp_path / "p" / "artist-1" / "metadata.jsonl").write_text(json.dumps(row))
    for other in range(1, 4):
        (tmp_path / "p" / "artist-1" / f"work-{other}.png").unlink()
    ingest(services, tmp_path / "p")
    assert sizes(services)["artist-1"] == 3


@pytest.fixture
def by_fours(ingested: Settings) -> Iterator[Services]:
    """Open a collection that reads, encodes and writes four files at a time."""
    with open_services(ingested.model_copy(update={"batch_size": 4})) as opened:
        yield opened


@pytest.mark.parametrize("denied", [0, 6])
@pytest.mark.parametrize("purpose", ["index", "display", "train"])
def test_a_no_is_about_the_bytes(
    by_fours: Services, tmp_path: Path, denied: int, purpose: str
) -> None:
    """Whichever of two names of one file it stands under, and in whichever batch that comes."""
    source = portfolio(tmp_path / "new", artists=1, works=6)
    first, last = source / "artist-0" / "work-0.png", source / "artist-0" / "zz.png"
    picture(999).save(first)
    last.write_bytes(first.read_bytes())
    for n in range(5):
        picture(900 + n).save(source / "artist-0" / f"between-{n:02}.png")
    names = ("work-0.png", "zz.png")
    row = {"file_name": names[denied > 0], f"consent_{purpose}": "no", "consent_index": "yes"}
    row |= {f"consent_{purpose}": "no"}
    (source / "artist-0" / "metadata.jsonl").write_text(
        "\n".join(json.dumps(one) for one in (row, {"file_name": names[denied == 0], "year": 1}))
    )

    ingest(by_fours, source, artist="Zed")

    with by_fours.sessions() as session:
        sha256 = str(file_sha256(first))
        rows = queries.artworks_by_sha256(session, [sha256], status=ArtworkStatus.INDEXED)
    assert not any(purpose in one.consent for one in rows)


@pytest.mark.parametrize("is_known", [False, True])
@pytest.mark.parametrize("between", [0, 6])
@pytest.mark.parametrize("purpose", ["index", "display"])
def test_a_no_under_another_artist_is_about_the_bytes(
    by_fours: Services, tmp_path: Path, between: int, purpose: str, *, is_known: bool
) -> None:
    """A source that has a work under its artist is heard where it names the file again."""
    source = tmp_path / "new"
    for name in ("Ann/a.png", *(f"Ann/between-{n:02}.png" for n in range(between)), "Bob/z.png"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        picture(900 + (len(list(source.rglob("*.png"))) if "between" in name else 0)).save(
            source / name
        )
    if is_known:
        ingest(by_fours, source)
    row = {"file_name": "Bob/z.png", f"consent_{purpose}": "no"}
    (source / "metadata.jsonl").write_text(json.dumps(row))

    ingest(by_fours, source)

    with by_fours.sessions() as session:
        sha256 = str(file_sha256(source / "Ann" / "a.png"))
        rows = queries.artworks_by_sha256(session, [sha256], status=ArtworkStatus.INDEXED)
    assert purpose == "display" or not rows
    assert not any(purpose in one.consent for one in rows)


def test_what_a_person_corrected_stays(services: Services, tmp_path: Path) -> None:
    """A row that says what it always said undoes no correction by hand, and no consent denied."""
    work = a_work(services)
    row = {"file_name": "work-0.png", "title": "harbour", "year": 1999, "consent_train": "yes"}
    (tmp_path / "p" / "artist-1" / "metadata.jsonl").write_text(json.dumps(row))
    ingest(services, tmp_path / "p", allow_freer=True)
    by_hand = {"title": "the harbour", "consent_train": False}
    correction.correct(services, work.id, by_hand, US)

    again = ingest(services, tmp_path / "p")

    now = a_work(services, title="the harbour")
    assert (now.id, now.year, now.consent_train) == (work.id, 1999, False)
    assert again.corrected == 0


def test_the_first_file_of_a_job_speaks_for_its_work(by_fours: Services, tmp_path: Path) -> None:
    """Copies of a file in one portfolio do not correct each other, in whatever batch they are."""
    source = portfolio(tmp_path / "new", artists=1, works=11)
    for name in ("work-0", "zz"):
        data = (source / "artist-0" / "work-9.png").read_bytes()
        (source / "artist-0" / f"{name}.png").write_bytes(data)
    rows = [{"file_name": f"{name}.png", "title": name} for name in ("work-0", "work-9", "zz")]
    table = source / "artist-0" / "metadata.jsonl"
    table.write_text("\n".join(map(json.dumps, rows)))

    for _ in range(2):
        assert ingest(by_fours, source, artist="late").corrected == 0
        assert a_work(by_fours, "late", "work-0").title == "work-0"


def test_consent_to_show_comes_back_with_the_file(tmp_path: Path) -> None:
    """Without a kept original the picture is made from the file that is ingested again."""
    source = portfolio(tmp_path / "p", artists=1, works=1)
    table = source / "artist-0" / "metadata.jsonl"
    with open_services(Settings(home=tmp_path / "home", profile="stub")) as services:
        for said in ("no", "yes"):
            table.write_text(json.dumps({"file_name": "work-0.png", "consent_display": said}))
            ingest(services, source, allow_freer=True)
            work = a_work(services, "artist-0")
            assert services.store.has_thumbnail(work.sha256) == (said == "yes")


# ---- artists ------------------------------------------------------------------------------------


def test_a_moved_work_is_the_others(services: Services, tmp_path: Path) -> None:
    """Answers, filters, counts and classifier name the other artist; its claim is settled."""
    work = a_work(services)
    image = read_image_file(tmp_path / "p" / "artist-1" / "work-0.png")
    with services.sessions.begin() as session:
        two = queries.artist_by_slug(session, "artist-2")
        queries.record_claims(session, [NewClaim(work.id, two.id, "here")])

    correction.move(services, work.id, "artist-2", US)

    assert sizes(services) == {"artist-0": 4, "artist-1": 3, "artist-2": 5}
    answer = services.attributor.attribute(image)
    assert answer.copy_of is not None
    assert (answer.copy_of.slug, answer.copy_of.also_claimed_by) == ("artist-2", ())
    found = services.attributor.search(SearchQuery(text="work", artists=("artist-2",)))
    assert work.id in {hit.id for hit in found.hits}
    agree(services)
    with pytest.raises(Conflict, match="already under 'artist-2'"):
        correction.move(services, work.id, "artist-2", US)
    with pytest.raises(NotFound, match="did you mean"):
        correction.move(services, work.id, "artist-9", US)
    withdraw(services, "artist-0", reason="asked for")
    with pytest.raises(Conflict, match="has withdrawn"):
        correction.move(services, work.id, "artist-0", US)


def test_merged_artists_are_one(services: Services, tmp_path: Path) -> None:
    """Works, names, claims and receipts are the second's; the first slug and name lead there."""
    forgotten = a_work(services, title="work-3")
    withdraw(services, str(forgotten.id), reason="asked for")
    ingest(services, tmp_path / "p" / "artist-2", artist="artist-1")
    ingest(services, tmp_path / "p" / "artist-0", artist="artist-1")

    correction.merge(services, "artist-1", "artist-2", US, is_confirmed=True)

    assert sizes(services) == {"artist-0": 4, "artist-2": 7}
    with services.sessions() as session:
        assert queries.artist_by_slug(session, "artist-1").slug == "artist-2"
        own = queries.claims_for(session, [a_work(services, "artist-2", "work-2").id])
        others = queries.claims_for(session, [a_work(services, "artist-0").id])
        (receipt,) = queries.list_withdrawals(session).items
        gone = queries.artwork_by_id(session, forgotten.id)
    assert own == {}
    assert [claim.artist.slug for (claims) in others.values() for claim in claims] == ["artist-2"]
    assert receipt.artist_id == gone.artist_id
    again = ingest(services, tmp_path / "p")
    assert (again.known, again.conflicts, again.refused) == (11, 0, 1)
    agree(services)


def test_what_may_not_be_merged(services: Services, tmp_path: Path) -> None:
    """Not into itself, not with one who has withdrawn, not while works are on their way in."""

    def merge(slug: str, into: str) -> None:
        correction.merge(services, slug, into, US, is_confirmed=True)

    with pytest.raises(Conflict, match="are one artist"):
        merge("artist-1", "artist-1")
    with services.sessions.begin() as session:
        artist = queries.artist_by_slug(session, "artist-1")
        digest = "ab" * 32
        queries.add_artworks(session, [NewArtwork(artist.id, digest, digest, "0" * 16)])
        queries.create_job(session, source=str(tmp_path))
    with pytest.raises(Conflict, match=str(artwork_id("ab" * 32))):
        merge("artist-1", "artist-2")
    withdraw(services, "artist-0", reason="asked for")
    with pytest.raises(Conflict, match="'artist-0' has withdrawn"):
        merge("artist-2", "artist-0")
    agree_but_jobs = sizes(services)
    assert agree_but_jobs == {"artist-0": 0, "artist-1": 4, "artist-2": 4}


def test_a_renamed_artist_is_found_by_both_names(services: Services, tmp_path: Path) -> None:
    """Slug and works stay, the words of the index follow, the old folder is still theirs."""
    correction.rename(services, "artist-1", "Zoë  Quill", US)

    assert len(words(services, "zoe quill")) == 4
    again = ingest(services, tmp_path / "p")
    assert (again.known, again.conflicts, again.added) == (12, 0, 0)
    correction.rename(services, "artist-1", "artist-1", US)
    with services.sessions() as session:
        shown = queries.artist_by_slug(session, "artist-1")
    assert (shown.name, [alias.name for alias in shown.aliases]) == ("artist-1", ["Zoë Quill"])
    with pytest.raises(Conflict, match="called 'artist-1' already"):
        correction.rename(services, "artist-1", "artist-1", US)
    with pytest.raises(Conflict, match="merge the two artists"):
        correction.rename(services, "artist-1", "artist-2", US)


def test_a_rename_of_many_works_is_left_to_workers(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever renames does not wait while the points of a large portfolio are written again."""
    monkeypatch.setattr(correction, "AT_ONCE", 2)
    behind = services.settings.model_copy(update={"broker_url": "redis://127.0.0.1:1/0"})
    served = replace(services, settings=behind)
    written: list[int] = []
    upsert = services.index.upsert

    def noting(points: Sequence[Point]) -> None:
        written.append(len(points))
        upsert(points)

    monkeypatch.setattr(services.index, "upsert", noting)

    made = correction.rename(served, "artist-1", "Zoë Quill", US)

    assert (written, made.completed_at) == ([], None)
    correction.finish_all(served)
    with services.sessions() as session:
        assert queries.change_by_id(session, made.id).completed_at
    assert written == [2, 2]
    correction.finish_all(served)
    assert len(written) == 2
    assert correction.rename(services, "artist-2", "Ina Quill", US)  # without workers: at once
    assert len(written) == 4


def test_a_source_under_an_alias_is_obeyed(services: Services, tmp_path: Path) -> None:
    """Who is known by another name corrects and withdraws under it."""
    correction.confirm_alias(services, "artist-1", "Zoë", US)
    rows = [
        {"file_name": "work-0.png", "title": "harbour"},
        {"file_name": "work-1.png", "consent_index": "no"},
    ]
    source = tmp_path / "p" / "artist-1"
    (source / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))

    assert preview(services, read_source(source, artist="Zoë")).conflicts == 0
    summary = ingest(services, source, artist="Zoë")

    assert (summary.corrected, summary.refused, summary.conflicts) == (1, 1, 0)
    assert sizes(services)["artist-1"] == 3
    with pytest.raises(Conflict, match="a name of 'artist-1' already"):
        correction.confirm_alias(services, "artist-1", "Zoë", US)
    with pytest.raises(Conflict, match="already the name of 'artist-1'"):
        correction.confirm_alias(services, "artist-2", "Zoë", US)


# ---- any order ----------------------------------------------------------------------------------

artists = st.sampled_from(["artist-0", "artist-1", "artist-2", "late"])
steps = st.lists(
    st.tuples(
        st.sampled_from(["add", "correct", "move", "move", "merge", "withdraw"]),
        st.integers(0, 11),
        artists,
        artists,
    ),
    min_size=1,
    max_size=6,
)


@hypothesis_settings(
    deadline=None, max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps)
def test_any_history_counts_what_remains(
    services: Services, tmp_path: Path, history: list[tuple[str, int, str, str]]
) -> None:
    """Add, correct, move, merge, withdraw in any order: sums, counts and points are a rebuild's."""
    for what, number, slug, into in history:
        with services.sessions() as session:
            ids = [row.id for row in queries.list_artworks(session, status=None, limit=500).items]
        try:
            match what:
                case "add":
                    ingest(services, tmp_path / "p", artist=slug, reinstate=True)
                case "correct":
                    one = ids[number]
                    correction.correct(services, one, {"title": slug}, US)
                case "move":
                    correction.move(services, ids[number], slug, US)
                case "merge":
                    correction.merge(services, slug, into, US, is_confirmed=True)
                case _:
                    withdraw(services, str(ids[number]), reason="asked for")
        except (Conflict, NotFound):
            pass  # withdrawn, merged or not there yet: refused, and nothing has changed
        found = rebuild_sums(services, services.row)
        with services.sessions() as session:
            indexed = queries.counts(session).indexed
        assert (found.differences, found.works) == (0, indexed)
    agree(services)


def test_a_licence_is_found_by_its_identifier_and_in_any_spelling(services: Services) -> None:
    """The text stays as written; filters compare what it names, or the text where it names none."""
    work, other, third = (a_work(services, title=f"work-{n}").id for n in range(3))
    for one, text in ((work, "CC BY 4.0"), (other, "ask Ann"), (third, "CC-BY-4.0")):
        correction.correct(services, one, {"licence": text}, US)

    by_id = services.attributor.search(SearchQuery(text="work", licences=("CC-BY-4.0",)), limit=50)
    assert {(hit.licence, hit.licence_id) for hit in by_id.hits} == {
        ("CC BY 4.0", "CC-BY-4.0"),
        ("CC-BY-4.0", "CC-BY-4.0"),
    }
    assert licensed(services, "Creative Commons Attribution 4.0") == {work, third}
    assert licensed(services, "ask Ann") == {other}
    assert licensed(services, "ask ann") == set()
    assert licensed(services, "ask Ann", "CC BY 4.0") == {work, other, third}
    assert reconcile(services, repair=False).is_clean

    correction.correct(services, work, {"licence": None}, US)
    assert licensed(services, "CC BY 4.0") == {third}
    assert a_work(services).licence_id is None


def test_points_of_an_earlier_version_are_repaired(services: Services) -> None:
    """A point that holds the text of a licence is found by that text, and by all after a repair."""
    work = a_work(services)
    with services.sessions() as session:
        row = queries.artwork_by_id(session, work.id)
        vectors = services.index.vectors([work.id])[work.id]
        services.index.upsert([replace(point_of(row, vectors), licence="CC BY 4.0")])
    with services.sessions.begin() as session:
        named = {"licence": "CC BY 4.0", "licence_id": "CC-BY-4.0"}
        session.execute(update(Artwork).where(Artwork.id == work.id).values(named))

    assert licensed(services, "CC BY 4.0") == {work.id}
    assert licensed(services, "CC-BY-4.0") == set()
    assert reconcile(services, repair=True).stale == 1
    assert licensed(services, "CC-BY-4.0") == licensed(services, "CC BY 4.0") == {work.id}
