"""Names that mean nobody, and what becomes of works under them: found as copies, never ranked."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from alembic import command
from PIL import Image
from sqlalchemy import Uuid, bindparam, text, update

from api.http.app import create_app
from attribution.answers import Reason, Verdict
from attribution.catalogue import queries, schema
from attribution.catalogue.database import Database
from attribution.catalogue.models import Artwork, ArtworkStatus, Claim, artwork_id
from attribution.catalogue.nobody import is_nobody, nobody
from attribution.catalogue.queries import Origin
from attribution.config import Settings
from attribution.errors import BadInput, Conflict
from attribution.generation.studio import references_of
from attribution.images import CheckedImage, read_image_file
from attribution.lookup.search_query import SearchQuery
from attribution.lookup.wording import by_whom
from attribution.services import Services, open_services
from attribution.upkeep.calibrating import calibrate
from attribution.upkeep.correction import confirm_alias, merge, move, rename, split
from attribution.upkeep.rebuilding import rebuild_sums
from attribution.upkeep.reconcile import reconcile
from attribution.upkeep.undoing import undo
from attribution.upkeep.withdrawal import withdraw
from ingest.datasets import DatasetOptions
from ingest.examples import NOBODYS, gather
from ingest.nobodys import GIVEN
from ingest.preview import preview
from ingest.sources import read_source
from tests.apis import local_client
from tests.asking import ids_of
from tests.portfolios import ingest, picture, portfolio, works

US = Origin("test", "a mistake")


@pytest.mark.parametrize(
    "name",
    [
        "unknown artist",
        "Unknown",
        "ANONYMOUS",
        "anon.",
        "Various Artists",
        "n/a",
        "N/A",
        "None",
        "nan",
        "NULL",
        "?",
        "-",
        "",
        "Unbekannt",
        "Künstler unbekannt",
        "anonyme",
        "inconnu",
        "desconocido",
        "anónimo",
        "Anonimo",
        "ignoto",
        "onbekend",
        "неизвестный художник",
        "作者不詳",
        "佚名",
        "無名",
        "不明",
        "작자 미상",
        "unidentified artist",
        "unknown-artist",
        "Unknown (French, 18th century)",
        "Anonymous, Italian",
        "Unknown artist [Japan]",
        "Anonymous (Italian, active ca. 1500–1520)",
        "Unknown / Anonymous",
        "Unbekannte Künstlerin",
        "Künstler/in unbekannt",
        "Fotograf unbekannt",
        "anonymous photographer",
        "Autor nieznany",
        "Autore sconosciuto",
        "Peintre inconnu",
        "autor anónimo",
        "Sin autor",
        "não identificado",
        "artist not known",
        "Artist(s) unknown",
        "[unknown]",
        "unknown?",
        "unknown artist 1",
        "Unknown Artist #3",
        "N.N.",
        "not specified",
        "unk",
        "okänd fotograf",
        "автор неизвестен",
        "Без автора",
        "匿名",
        "—",
        "…",
        "_",
        ".",
        "0",
        "!!!",
    ],
)
def test_nobody(name: str) -> None:
    """Case, punctuation and a museum's note of where and when do not make a person."""
    assert is_nobody(name)


@pytest.mark.parametrize(
    "name",
    [
        "Anonymous Bob",
        "Nobody Inc",
        "Nan Goldin",
        "Anon Ymous",
        "The Unknown",
        "Nanna",
        "🎨",
        "17",
        "Meister",
        "Maler Müller",
        "Anna Unbekannt Maier",
        "Master of Flémalle",
        "AC/DC",
        "No Name Ann",
    ],
)
def test_somebody(name: str) -> None:
    """A word of such a name within another one is a person's own."""
    assert not is_nobody(name)


def works_of(folder: Path, name: str, *seeds: int) -> Path:
    """Write a folder of an artist with these pictures; returns what it lies in."""
    works(folder / name, *seeds)
    return folder


def image(tmp_path: Path, seed: int) -> CheckedImage:
    """Return a picture as a person brings it."""
    path = tmp_path / f"asked-{seed}.png"
    picture(seed).save(path)
    return read_image_file(path)


def a_work(services: Services, seed: int, tmp_path: Path) -> Artwork:
    """Return the work that shows this picture, with its artist."""
    with services.sessions() as session:
        return queries.artwork_by_id(session, artwork_id(image(tmp_path, seed).facts.sha256))


def digest(services: Services) -> str:
    """Return the digest of the classifier's statistics, which are those of a rebuild."""
    with services.sessions() as session:
        live = queries.live_collection(session)
    assert live is not None
    found = rebuild_sums(services, live)
    assert not found.differences
    return found.digest


def claims(services: Services) -> int:
    """Count claims."""
    with services.sessions() as session:
        return queries.count_claims(session)


def test_all_such_names_are_one_row(services: Services, tmp_path: Path) -> None:
    """It is in no list of artists and in no count of them; its works are listed and counted."""
    source = works_of(works_of(tmp_path / "q", "Unknown Artist", 901), "anonymous", 902, 903)
    summary = ingest(services, works_of(source, "Zoe", 904))

    assert (summary.added, summary.artists) == (4, 1)
    assert summary.remarks == [
        "3 works by nobody in particular (Unknown Artist, anonymous): found as copies, never ranked"
    ]
    with services.sessions() as session:
        row = queries.artist_by_slug(session, "unknown-artist")
        listed = [artist.slug for artist, _ in queries.all_artists(session)]
        paged = [artist.slug for artist, _ in queries.list_artists(session).items]
        counts = queries.counts(session)
        works = queries.list_artworks(session, artist_id=row.id).items
        assert queries.proposed_aliases(session) == []
    assert (row.id, row.name, row.works) == (nobody(), "Unknown artist", 3)
    assert listed == paged == ["artist-0", "artist-1", "artist-2", "zoe"]
    assert (counts.artists, counts.indexed, counts.nobodys) == (4, 16, 3)
    assert len(works) == 3


def test_a_dry_run_says_the_same(services: Services, tmp_path: Path) -> None:
    """The files come under the row for nobody, with the same remark; nothing is written."""
    source = works_of(works_of(tmp_path / "q", "m.m", 900), "佚名", 901)

    found = preview(services, read_source(source))

    assert (found.added, found.artists) == (2, 1)
    assert {one.artist for one in found.items} == {"m.m", "Unknown artist"}
    assert found.remarks[-1].startswith("1 work by nobody in particular (佚名)")


def test_answers_are_the_same_with_and_without(tmp_path: Path) -> None:
    """Ranking, shares, probabilities, counts of artists and the classifier's sums, to the bit."""
    with open_services(Settings(home=tmp_path / "home", profile="stub")) as services:
        ingest(services, portfolio(tmp_path / "p", artists=6, works=6))
        before, sums = said_of(services, tmp_path), digest(services)

        # More than all neighbours that vote.
        ingest(services, works_of(tmp_path / "q", "unknown", *range(900, 960)))

        assert digest(services) == sums
        assert said_of(services, tmp_path) == before
        assert services.index.count() == 36 + 60


def said_of(services: Services, tmp_path: Path) -> list[Any]:
    """Calibrate, ask about some pictures, and return everything that an answer weighs."""
    made = calibrate(services)
    assert made is not None
    said: list[Any] = [made.numbers, made.works, made.artists, made.asked]
    for seed in (777, 778, 5_003):
        answer = services.attributor.attribute(image(tmp_path, seed))
        assert answer.confidence is not None
        said += [answer.artists, answer.verdict, answer.reasons, answer.searched.artists]
        said += [answer.confidence.nobody, answer.confidence.p_nobody, answer.confidence.likely]
    shown = [image(tmp_path, seed) for seed in (777, 778)]
    joint = services.attributor.attribute_set(shown)
    return [*said, joint.artists, joint.nobody, joint.p_nobody]


def test_copies_of_such_works_are_found(services: Services, tmp_path: Path) -> None:
    """The same file and an altered copy, by `member` and in answers; the ranking is of artists."""
    detail = Image.effect_mandelbrot((96, 96), (-2.0, -1.2, 0.8, 1.2), 60).convert("RGB")
    own = tmp_path / "q" / "unknown"
    own.mkdir(parents=True)
    detail.resize((480, 480)).save(own / "Boat.png")
    ingest(services, tmp_path / "q")
    altered = tmp_path / "altered.jpg"
    detail.resize((240, 240)).save(altered, quality=70)

    for path in (own / "Boat.png", altered):
        asked = read_image_file(path)
        answer, member = services.attributor.attribute(asked), services.attributor.member(asked)

        assert answer.verdict == Verdict.COPY
        assert answer.copy_of is not None
        assert answer.copy_of.slug == "unknown-artist"
        assert member.copy_of is not None
        assert by_whom(member.copy_of) == ", by an unknown artist"
        assert answer.artists
        assert "unknown-artist" not in {one.slug for one in answer.artists}
        assert references_of(services.sessions, answer)[0].slug == answer.artists[0].slug
        too_little = replace(answer, copy_of=None, reasons=(Reason.LOW_QUALITY,))
        assert references_of(services.sessions, too_little) == ()  # nothing was compared
    hits = services.attributor.search(SearchQuery(text="boat")).hits
    assert [hit.slug for hit in hits][:1] == ["unknown-artist"]


def test_only_works_of_nobody(tmp_path: Path) -> None:
    """No artist is named, nothing is calibrated, and the note says that none is registered."""
    with open_services(Settings(home=tmp_path / "home", profile="stub")) as services:
        ingest(services, works_of(tmp_path / "q", "unknown", *range(40)))
        answer = services.attributor.attribute(image(tmp_path, 777))

    assert (answer.artists, answer.verdict) == ((), Verdict.ABSTAIN)
    assert (answer.searched.works, answer.searched.artists) == (40, 0)
    assert answer.notes == ("only 0 artists are registered: nobody can stand out among so few",)


def test_such_works_are_withdrawn_by_their_ids(services: Services, tmp_path: Path) -> None:
    """Nobody can withdraw for all of them; a single one leaves no trace."""
    ingest(services, works_of(tmp_path / "q", "unknown", 901, 902))

    with pytest.raises(Conflict, match="withdraw the works by their ids"):
        withdraw(services, "unknown-artist", reason="asked for")
    receipt = withdraw(
        services, str(a_work(services, 901, tmp_path).id), reason="asked for"
    ).receipt

    assert receipt["statistics"]["equals a rebuild"]
    assert receipt["after"]["works of the artist"] == 1
    assert services.attributor.member(image(tmp_path, 901)).copy_of is None
    assert services.attributor.member(image(tmp_path, 902)).copy_of is not None


def test_nobody_is_no_artist(services: Services, tmp_path: Path) -> None:
    """Not to be merged, either way, renamed or named otherwise; no artist gets such a name."""
    ingest(services, works_of(tmp_path / "q", "unknown", 901))

    for one, other in (("unknown-artist", "artist-0"), ("artist-0", "unknown-artist")):
        with pytest.raises(Conflict, match="is not an artist"):
            merge(services, one, other, US, is_confirmed=True)
    with pytest.raises(Conflict, match="is not an artist"):
        rename(services, "unknown-artist", "Ann", US)
    with pytest.raises(Conflict, match="is not an artist"):
        confirm_alias(services, "unknown-artist", "Ann", US)
    with pytest.raises(BadInput, match="'Anonymous' means nobody"):
        rename(services, "artist-0", "Anonymous", US)
    with pytest.raises(BadInput, match="'n/a' means nobody"):
        confirm_alias(services, "artist-0", "n/a", US)


def test_a_work_moved_from_nobody_counts(services: Services, tmp_path: Path) -> None:
    """It enters the sums and the ranking with the move and leaves them with the way back."""
    ingest(services, works_of(tmp_path / "q", "unknown", 901, 902))
    sums = digest(services)
    work = a_work(services, 901, tmp_path).id

    made = move(services, work, "artist-0", US)
    moved = digest(services)
    undo(services, made.id, US)
    back = digest(services)
    two = sorted(ids_of(services, "artist-0"))[:2]
    split(services, "artist-0", two, "anonymous", US)

    assert moved != sums == back
    assert digest(services) not in {sums, moved}
    assert reconcile(services, repair=False).is_clean
    assert len(ids_of(services, "unknown-artist")) == 4


def test_an_index_that_lags_names_nobody(services: Services, tmp_path: Path) -> None:
    """What the catalogue has just given to nobody has no vote, whatever the index still says."""
    ingest(services, works_of(tmp_path / "q", "unknown", 901))
    ids = ids_of(services, "artist-0")
    with services.sessions.begin() as session:
        session.execute(update(Artwork).where(Artwork.id.in_(ids)).values(artist_id=nobody()))

    answer = services.attributor.attribute(image(tmp_path, 777))

    assert answer.artists
    assert all(one.slug != "unknown-artist" for one in answer.artists)


def test_two_folders_of_nobody_claim_nothing(services: Services, tmp_path: Path) -> None:
    """The same file in `unknown` and `anonymous` is one work, come twice."""
    summary = ingest(services, works_of(works_of(tmp_path / "q", "unknown", 901), "anonymous", 901))

    assert [one.outcome for one in summary.items] == ["added", "repeated"]
    assert claims(services) == 0


def test_nobody_claims_nothing_of_an_artist(services: Services, tmp_path: Path) -> None:
    """A file that an artist has registered stays theirs, and no claim is recorded."""
    source = works_of(tmp_path / "q", "unknown", 100)
    shown = preview(services, read_source(source))
    summary = ingest(services, source)

    assert [one.outcome for one in summary.items] == ["conflict"]
    assert [one.outcome for one in shown.items] == ["conflict"]
    assert summary.items[0].reason == "the same file is registered under artist-1"
    assert claims(services) == 0


def test_an_artist_gets_what_was_nobodys(services: Services, tmp_path: Path) -> None:
    """A source that names the artist moves the work: a change with its job, which can be undone."""
    ingest(services, works_of(tmp_path / "q", "unknown", 901, 902))
    source = works_of(tmp_path / "r", "Zoe", 901, 903)

    shown = preview(services, read_source(source))
    summary = ingest(services, source)

    assert [one.outcome for one in shown.items] == ["corrected", "added"]
    assert [(one.outcome, one.reason) for one in summary.items] == [
        ("corrected", GIVEN),
        ("added", None),
    ]
    assert claims(services) == 0
    assert a_work(services, 901, tmp_path).artist.name == "Zoe"
    assert reconcile(services, repair=False).is_clean
    with services.sessions() as session:
        (change,) = queries.list_changes(session).items
    assert change.origin == f"ingest job {summary.job}"

    undo(services, change.id, US)
    again = ingest(services, source)

    assert a_work(services, 901, tmp_path).artist.is_nobody
    assert [one.outcome for one in again.items] == ["conflict", "known"]
    assert claims(services) == 1
    assert reconcile(services, repair=False).is_clean


def test_both_in_one_source(services: Services, tmp_path: Path) -> None:
    """The named artist has the work in the end, whichever file comes first."""
    for number, name in enumerate(("Ann", "Zoe")):
        source = works_of(tmp_path / name, name, 901 + number)
        ingest(services, works_of(source, "unknown", 901 + number))

        assert a_work(services, 901 + number, tmp_path).artist.name == name
    assert claims(services) == 0
    assert reconcile(services, repair=False).is_clean


@pytest.mark.parametrize("artist", ["anonymous", "Zoe"])
def test_whoever_says_no_for_a_work_of_nobody_is_heard(
    services: Services, tmp_path: Path, artist: str
) -> None:
    """A no to the index withdraws it, a no to showing hides it, by a named artist too."""
    ingest(services, works_of(tmp_path / "q", "unknown", 901, 902))
    source = works_of(tmp_path / "r", artist, 901, 902, 903)
    said = f"file_name,consent_index,consent_display\n{artist}/work-901.png,no,\n"
    (source / "metadata.csv").write_text(f"{said}{artist}/work-902.png,,no\n")

    shown = preview(services, read_source(source))
    summary = ingest(services, source)

    assert shown.items[0].reason == queries.WITHDREW
    assert [one.outcome for one in summary.items] == ["refused", "corrected", "added"]
    assert a_work(services, 901, tmp_path).status is ArtworkStatus.WITHDRAWN
    assert not a_work(services, 902, tmp_path).consent_display


def test_the_last_file_of_a_source_is_heard_too(services: Services, tmp_path: Path) -> None:
    """Of several files of one work the first one's words count, and every no."""
    source = works_of(works_of(works_of(tmp_path / "q", "unknown", 901), "Ann", 901), "Zoe", 901)
    ingest(services, tmp_path / "q" / "unknown", artist="unknown")
    said = "file_name,title,consent_display\nAnn/work-901.png,Boat,\nZoe/work-901.png,Ship,no\n"
    (source / "metadata.csv").write_text(said)

    ingest(services, source)

    work = a_work(services, 901, tmp_path)
    assert (work.artist.name, work.title, work.consent_display) == ("Ann", "Boat", False)


def test_works_of_nobody_are_no_class(services: Services, tmp_path: Path) -> None:
    """The trained classifier and its works: left out, and counted."""
    source = works_of(tmp_path / "q", "unknown", 901, 902)
    (source / "metadata.csv").write_text(
        "file_name,consent_train\nunknown/work-901.png,yes\nunknown/work-902.png,yes\n"
        "Ann/work-903.png,yes\n"
    )
    ingest(services, works_of(source, "Ann", 903))

    def quiet(_what: str, _done: int, _all: int) -> None: ...

    registered = gather(services, "catalogue", DatasetOptions(), None, quiet)
    brought = gather(services, str(source), DatasetOptions(), None, quiet)

    assert (len(registered.labels), brought.labels) == (1, ("Ann",))
    assert registered.left_out[NOBODYS] == brought.left_out[NOBODYS] == 2


def test_artists_of_an_earlier_version_become_nobody(services: Services, tmp_path: Path) -> None:
    """`reconcile` finds them and `--repair` merges them, exactly; the merge can be undone."""
    ingest(services, works_of(tmp_path / "q", "unknown", 901))
    with services.sessions.begin() as session:
        artist = queries.artist_by_slug(session, "artist-0")
        artist.name = "Anonymous"
        claimed = min(ids_of(services, "artist-1"))
        session.add(Claim(artwork_id=claimed, artist_id=artist.id, path="x.png"))

    found = reconcile(services, repair=False)
    reconcile(services, repair=True)

    assert (found.called_as_nobody, found.is_clean) == (1, False)
    assert reconcile(services, repair=False).is_clean
    assert len(ids_of(services, "artist-0")) == 5  # its slug leads to nobody
    assert claims(services) == 0
    digest(services)
    with services.sessions() as session:
        (change,) = queries.list_changes(session).items
    undo(services, change.id, US)
    assert reconcile(services, repair=True).is_clean  # a person has decided
    rename(services, "artist-0", "Anonymous Bob", US)
    assert reconcile(services, repair=False).is_clean
    assert (len(ids_of(services, "artist-0")), claims(services)) == (4, 1)


def test_lists_over_http(tmp_path: Path) -> None:
    """`GET /v1/artists` names artists only; works of nobody have their row's name and slug."""
    settings = Settings(home=tmp_path / "home", profile="stub")
    with open_services(settings) as services:
        ingest(services, works_of(portfolio(tmp_path / "p"), "unknown", 901))
    with local_client(create_app(settings)) as client:
        artists = client.get("/v1/artists").json()["items"]
        works = client.get("/v1/artworks", params={"artist": "unknown-artist"}).json()["items"]
        refused = client.post(
            "/v1/withdrawals", json={"what": "unknown-artist", "reason": "asked for"}
        )

    assert [one["slug"] for one in artists] == ["artist-0", "artist-1", "artist-2"]
    assert [work["artist"]["name"] for work in works] == ["Unknown artist"]
    assert refused.status_code == 409


def test_one_row_for_all_writers(database: Database) -> None:
    """Processes that bring works of nobody at once make one row, on both engines."""
    names = ["Unknown", "anonymous", "n/a", "佚名"]

    def bring(name: str) -> UUID:
        with database.sessions.begin() as session:
            return queries.get_or_create_artist(session, name).id

    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(bring, names)) == {nobody()}


def test_the_name_is_free_after_an_upgrade(empty_database: Database) -> None:
    """An artist of exactly that name gets another one; who had withdrawn stays closed by it."""
    with empty_database.migrating() as connection:
        command.upgrade(schema.configuration(connection), "20261130_folded_names")
        connection.execute(
            text(
                "INSERT INTO artists (id, slug, name, folded, identifiers, works, withdrawn_at, "
                "created_at) VALUES (:id, 'unknown-artist', 'Unknown artist', 'artist unknown', "
                "'{}', 0, '2026-01-01 00:00:00', '2026-01-01 00:00:00')"
            ).bindparams(bindparam("id", uuid4(), Uuid()))
        )

    empty_database.upgrade()

    with empty_database.sessions.begin() as session:
        row = queries.get_or_create_artist(session, "unknown artist")
        assert (row.id, row.name) == (nobody(), "Unknown artist")
        assert row.slug == "unknown-artist-2"
        assert queries.closed_artists(session, ["Unknown artist"]) == {"Unknown artist"}
        assert queries.called_as_nobody(session) == []
