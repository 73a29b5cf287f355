"""Lists and exports of works: every field, as tables that ingest takes back without loss."""

from __future__ import annotations

import csv
import gc
import io
import json
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet
from sqlalchemy import insert, text

from attribution.catalogue import queries
from attribution.catalogue.database import Database
from attribution.catalogue.models import Artist, Artwork, ArtworkStatus
from attribution.catalogue.queries import NewArtwork, Origin, WorksWanted
from attribution.collection import Stores, open_stores
from attribution.config import Settings
from attribution.services import Services, open_services
from attribution.upkeep import correction
from attribution.upkeep.withdrawal import withdraw
from ingest.exports import FORMATS, AsSent, Copied, Files, InFolder, Row, read_pages
from ingest.exports.rows import COLUMNS, PAGE, READ
from ingest.sources.formulas import quote, unquote
from tests.apis import archive, is_problem, png, upload
from tests.commands import lawful
from tests.homes import copy_ingested
from tests.portfolios import ingest, picture, portfolio

US = Origin("test", "as the table says")
ALL = WorksWanted()
ODD: list[dict[str, Any]] = [
    {
        "title": '=HYPERLINK("http://example.com")',
        "caption": "@home; “red”, 'blue' and 日本語",
        "tags": ["boat, red", "sea; calm", "-1"],
        "year": -500,
        "dated": "ca. 500 BC",
        "licence": "CC BY 4.0",
        "source": "+49 30 123",
    },
    {"title": "'=quoted already", "tags": ["'-a", "b"], "consent_train": True, "dated": "19th c."},
    {"title": "-", "tags": ["[x]"], "year": 1999, "dated": "1999-05-03", "consent_display": False},
    {"title": 'He said "no"', "tags": ['"', "\\n"], "consent_generate": True, "year": 7},
    {"licence": "ask the artist", "source": "https://example.com/?a=1,2", "caption": "''"},
    {"licence": "http://rightsstatements.org/vocab/InC/1.0/"},
]


def open_home(folder: Path, **values: Any) -> Any:
    """Open a collection of its own."""
    return open_services(Settings(home=folder, profile="stub", **values))


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fill a `home` with three artists of two works each, from `p`; odd things are said of them."""
    folder = tmp_path_factory.mktemp("odd")
    with open_home(folder / "home", keep_originals=True) as opened:
        ingest(opened, portfolio(folder / "p", works=2))
        rows = sorted(works_of(opened).values(), key=lambda row: row["path_seen"])
        for row, said in zip(rows, ODD, strict=True):
            correction.correct(opened, UUID(row["id"]), said, US)
        correction.rename(opened, "artist-1", "=Ann Örn", US)
    return folder


@pytest.fixture
def services(odd: Path, tmp_path: Path) -> Iterator[Services]:
    """Open a copy of that collection."""
    copy_ingested(odd, tmp_path)
    with open_home(tmp_path / "home", keep_originals=True) as opened:
        yield opened


def rows_of(stores: Stores, files: Files | None = None, works: WorksWanted = ALL) -> list[Row]:
    """Return the rows of an export."""
    return [row for page in read_pages(stores, works, files or AsSent()) for row in page]


def works_of(stores: Stores) -> dict[str, Row]:
    """Return the rows of an export by the hash of the file."""
    return {row["sha256"]: row for row in rows_of(stores)}


def export(stores: Stores, table: Path, files: Files | None = None) -> None:
    """Write a table of all works."""
    pages = read_pages(stores, ALL, files or InFolder(table.parent))
    table.write_bytes(b"".join(FORMATS[table.suffix[1:]].write(pages)))


def said(row: Row) -> dict[str, Any]:
    """Return what is said of a work."""
    return {name: row[name] for name in (*READ, "licence_id", "status") if name != "file_name"}


@pytest.mark.parametrize("kind", FORMATS)
def test_an_export_comes_back_without_loss(services: Services, tmp_path: Path, kind: str) -> None:
    """Every field, consent and name is the same in a new collection that has read the table."""
    table = tmp_path / "p" / f"works.{kind}"
    export(services, table)

    with open_home(tmp_path / "new") as fresh:
        summary = ingest(fresh, table)
        found = works_of(fresh)

    assert (summary.added, summary.refused) == (6, 0)
    before = works_of(services)
    assert {one: said(row) for one, row in found.items()} == {
        one: said(row) for one, row in before.items()
    }
    assert {row["dated"] for row in found.values()} >= {"ca. 500 BC", "19th c.", "1999-05-03"}
    assert {row["id"] for row in found.values()} == {row["id"] for row in before.values()}


def test_an_export_that_is_read_where_it_was_written_changes_nothing(
    services: Services, tmp_path: Path
) -> None:
    """Works stay as they are, artists keep their slugs and aliases, nothing is corrected."""
    before = rows_of(services)
    export(services, tmp_path / "p" / "works.csv")
    with services.sessions() as session:
        names = [(one.slug, one.name) for one, _ in queries.all_artists(session)]

    summary = ingest(services, tmp_path / "p" / "works.csv")

    assert (summary.known, summary.corrected, summary.conflicts) == (6, 0, 0)
    assert rows_of(services) == before
    with services.sessions() as session:
        assert [(one.slug, one.name) for one, _ in queries.all_artists(session)] == names
        assert queries.kept_names(session, ["artist-1"]) == {"artist-1": "=Ann Örn"}


def test_all_formats_say_the_same(services: Services, tmp_path: Path) -> None:
    """Of every work the same values, in the same order and under the same names."""
    for kind in FORMATS:
        export(services, tmp_path / f"works.{kind}")
    rows = rows_of(services, InFolder(tmp_path))

    assert json.loads((tmp_path / "works.json").read_text("utf-8")) == rows
    lines = (tmp_path / "works.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line) for line in lines] == rows
    table = parquet.read_table(tmp_path / "works.parquet").to_pylist()
    assert [row | {"rights": json.loads(row["rights"])} for row in table] == rows
    with (tmp_path / "works.csv").open(encoding="utf-8-sig", newline="") as file:
        cells = list(csv.DictReader(file))
    assert [unquote(row["title"]) for row in cells] == [row["title"] for row in rows]
    assert list(cells[0]) == list(rows[0]) == list(COLUMNS)


def test_no_cell_of_a_csv_is_a_formula(services: Services) -> None:
    """A spreadsheet runs none of what others have written; numbers stay numbers."""
    table = b"".join(FORMATS["csv"].write(read_pages(services, ALL, AsSent()))).decode()

    assert table.startswith("\ufefffile_name,")  # Excel would take it for its own code page
    cells = [cell for row in csv.reader(io.StringIO(table)) for cell in row]
    assert [cell for cell in cells if cell[:1] in {"=", "+", "-", "@"}] == ["-500"]
    assert '\'=HYPERLINK("http://example.com")' in cells
    assert "''=quoted already" in cells


@given(st.text() | st.from_regex(r"'*[=+\-@\t\r]?.*"))
def test_quoting_is_undone_exactly(cell: str) -> None:
    """Whatever is written into a cell comes out of it, and begins like no formula."""
    assert unquote(quote(cell)) == cell
    assert quote(cell)[:1] not in {"=", "+", "-", "@", "\t", "\r"}


def test_an_empty_catalogue_is_a_table_without_rows(tmp_path: Path) -> None:
    """Each format is whole without works."""
    with open_stores(Settings(home=tmp_path / "home", profile="stub")) as stores:
        for kind in FORMATS:
            export(stores, tmp_path / f"works.{kind}")

    assert json.loads((tmp_path / "works.json").read_bytes()) == []
    assert (tmp_path / "works.jsonl").read_bytes() == b""
    assert parquet.read_table(tmp_path / "works.parquet").num_rows == 0
    assert (tmp_path / "works.csv").read_text("utf-8-sig").split("\n")[1:] == [""]


def test_a_withdrawn_work_is_listed_and_does_not_come_back(
    services: Services, tmp_path: Path
) -> None:
    """Its row says so, grants nothing and names no file, though the file still lies there."""
    gone = rows_of(services)[0]
    withdraw(services, gone["id"], reason="asked for")
    table = tmp_path / "p" / "works.jsonl"
    export(services, table)

    (row,) = [one for one in rows_of(services, InFolder(tmp_path / "p")) if one["reason"]]
    assert (row["id"], row["status"], row["reason"]) == (gone["id"], "withdrawn", "asked for")
    assert (row["file_name"], row["path_seen"], row["licence_id"]) == (None, None, None)
    assert not any(row[f"consent_{purpose}"] for purpose in ("index", "display", "train"))
    with open_home(tmp_path / "new") as fresh:
        assert (ingest(fresh, table).added, gone["sha256"] in works_of(fresh)) == (5, False)


def test_a_work_without_its_file_is_visible(services: Services, tmp_path: Path) -> None:
    """Gone, replaced by another, or elsewhere: the row says where it came from, and no file."""
    folder = tmp_path / "p"
    gone, other = folder / "artist-0" / "work-0.png", folder / "artist-0" / "work-1.png"
    gone.unlink()
    picture(999, side=70).save(other)

    rows = {row["path_seen"]: row["file_name"] for row in rows_of(services, InFolder(folder))}
    assert len(rows) == 6
    assert rows[str(gone)] is rows[str(other)] is None
    assert rows[str(folder / "artist-2" / "work-0.png")] == "artist-2/work-0.png"
    assert {row["file_name"] for row in rows_of(services, InFolder(tmp_path / "home"))} == {None}


def test_kept_originals_are_copied_next_to_the_table(services: Services, tmp_path: Path) -> None:
    """With the copies the table is whole, wherever the files were, and a second run copies none."""
    (tmp_path / "p").rename(tmp_path / "elsewhere")
    out = tmp_path / "out"
    out.mkdir()
    export(services, out / "works.csv", Copied(out, services))

    names = [row["file_name"] for row in rows_of(services, InFolder(out))]
    assert names == [None] * 6  # nothing was seen there: the table names the copies
    copies = sorted(out.glob("files/*/*.png"))
    assert len(copies) == 6
    times = [one.stat().st_mtime_ns for one in copies]
    export(services, out / "works.csv", Copied(out, services))
    assert [one.stat().st_mtime_ns for one in copies] == times
    with open_home(tmp_path / "new") as fresh:
        assert ingest(fresh, out / "works.csv").added == 6
        assert [said(row) for row in works_of(fresh).values()]


def test_the_file_of_a_work_is_the_one_seen_last(services: Services, tmp_path: Path) -> None:
    """A portfolio that has moved is named by its new place; a claim of another artist is not."""
    moved = tmp_path / "moved"
    (tmp_path / "p").rename(moved)
    ingest(services, moved)
    ingest(services, moved, artist="Somebody Else")

    rows = rows_of(services, InFolder(moved))
    assert {row["path_seen"] for row in rows} == {str(one) for one in moved.glob("*/*.png")}
    assert min(row["file_name"] for row in rows) == "artist-0/work-0.png"


def test_works_are_listed_by_artist_state_and_licence(services: Services) -> None:
    """Filters join by AND; a licence is meant whatever its spelling, else by its exact text."""
    with services.sessions() as session:
        ann = queries.artist_by_slug(session, "artist-1").id
        none = [
            queries.count_artworks(session, wanted)
            for wanted in (
                WorksWanted(status=ArtworkStatus.FAILED),
                WorksWanted(ann, licence="CC BY 4.0"),
                WorksWanted(licence="ask the"),
            )
        ]
    assert none == [0, 0, 0]
    for wanted, count in (
        (WorksWanted(ann, ArtworkStatus.INDEXED), 2),
        (WorksWanted(licence="creative commons attribution 4.0"), 1),
        (WorksWanted(licence="in copyright"), 1),
        (WorksWanted(licence="ask the artist"), 1),
    ):
        assert len(rows_of(services, works=wanted)) == count


def test_an_export_of_50000_works_holds_a_few_pages(tmp_path: Path) -> None:
    """Neither rows nor bytes pile up; every work is written, each once."""
    pages, most, place = 0, 0, 0
    with open_stores(Settings(home=tmp_path / "home", profile="stub")) as stores:
        fill(stores, 50_000)
        lines, ids = 0, set[bytes]()
        for piece in FORMATS["csv"].write(read_pages(stores, ALL, AsSent())):
            assert len(piece) < 1_000_000
            lines += piece.count(b"\n")
            rows = [line.split(b",") for line in piece.splitlines()]
            place = place if pages else rows[0].index(b"id")
            ids |= {row[place] for row in rows}
            pages += 1
            if pages % 10 == 0:
                most = max(most, sum(type(one) is Artwork for one in gc.get_objects()))

    assert lines == len(ids) == 50_001
    assert 0 < most <= 2 * PAGE


def test_parquet_is_handed_on_page_by_page(tmp_path: Path) -> None:
    """What is written of it comes at once, not at the end."""
    with open_stores(Settings(home=tmp_path / "home", profile="stub")) as stores:
        fill(stores, 10_000)
        pieces = list(FORMATS["parquet"].write(read_pages(stores, ALL, AsSent())))

    assert len(pieces) == 11
    assert parquet.ParquetFile(io.BytesIO(b"".join(pieces))).num_row_groups == 10


def fill(stores: Stores, works: int) -> None:
    """Write works of one artist, many to a moment, in one statement."""
    with stores.sessions.begin() as session:
        artist = Artist(slug="ann", name="Ann", folded="ann", turned="ann")
        session.add(artist)
        session.flush()
        session.execute(text(MANY), {"artist": artist.id.hex, "works": works})


MANY = """
INSERT INTO artworks (id, artist_id, sha256, pixel_sha256, phash, tags, consent_index,
  consent_display, consent_train, consent_generate, status, facts, rights, created_at)
WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < :works)
SELECT printf('%032x', (n * 7919) % 1000003), :artist, printf('%064x', n), '', '', '[]', true,
  true, false, false, 'indexed', '{}', '{}',
  strftime('%Y-%m-%d %H:%M:%S.000000', 1767225600 + n / 500, 'unixepoch')
FROM numbers
"""


def test_pages_are_cut_on_both_databases(database: Database) -> None:
    """No work is left out or repeated where many came in at one moment."""
    with database.sessions.begin() as session:
        ann = queries.get_or_create_artist(session, "Ann").id
        moments = [datetime(2026, 1, 1, second=n, tzinfo=UTC) for n in range(4)]
        works = [NewArtwork(ann, f"{n:064x}", "", "") for n in range(2_000)]
        session.execute(
            insert(Artwork),
            [
                queries.artwork_row(one) | {"created_at": moments[n // 500]}
                for n, one in enumerate(works)
            ],
        )
    after, ids = None, list[UUID]()
    while True:
        with database.sessions() as session:
            page = queries.next_artworks(session, ALL, after=after, limit=77)
            assert queries.last_seen(session, [work.id for work in page]) == {}
        if not page:
            break
        ids += [work.id for work in page]
        after = page[-1].created_at, page[-1].id
    assert len(ids) == len(set(ids)) == 2_000


def test_the_api_lists_and_exports_every_field(client: TestClient) -> None:
    """The list has what the export has; files are named as they were sent."""
    members = {"Ann/1.png": png(1), "Ann/2.png": png(2), "Bob/1.png": png(3)}
    table = b"file_name,title,licence\nAnn/1.png,Sea,CC BY 4.0\nBob/1.png,=Sun,ask Bob\n"
    upload(client, archive(members | {"metadata.csv": table}), "all.zip")

    (work,) = client.get("/v1/artworks?licence=cc-by-4.0").json()["items"]
    assert (work["licence"], work["licence_id"], work["path_seen"]) == (
        "CC BY 4.0",
        "CC-BY-4.0",
        "Ann/1.png",
    )
    assert work.keys() >= {"dated", "source", "sha256", "reason", "rights", "status", "caption"}
    assert len(client.get("/v1/artworks?licence=ask Bob&artist=bob").json()["items"]) == 1
    bob = client.get("/v1/artworks?artist=bob").json()["items"][0]["id"]
    client.post("/v1/withdrawals", json={"what": bob, "reason": "asked for"})

    assert len(client.get("/v1/artworks").json()["items"]) == 2
    assert len(client.get("/v1/artworks?status=any").json()["items"]) == 3
    answer = client.get("/v1/artworks/export?format=jsonl")
    rows = {row["file_name"]: row for row in map(json.loads, answer.text.splitlines())}
    assert rows.keys() == {"Ann/1.png", "Ann/2.png", None}
    assert rows[None]["status"] == "withdrawn"
    assert answer.headers["content-disposition"] == 'attachment; filename="works.jsonl"'
    table = client.get("/v1/artworks/export?artist=ann&status=indexed").content
    assert table.startswith("\ufefffile_name".encode())
    assert len(table.splitlines()) == 3
    found = client.get("/v1/artworks/export?format=parquet&licence=CC BY 4.0").content
    assert parquet.read_table(io.BytesIO(found)).column("title").to_pylist() == ["Sea"]


def test_the_api_refuses_what_it_cannot_export(client: TestClient) -> None:
    """Before the first byte: an unknown artist, format, state or parameter."""
    is_problem(client.get("/v1/artworks/export?artist=nobody"), 404, "not-found")
    for asked in ("format=xlsx", "status=gone", "artits=ann", "format=csv&format=json"):
        is_problem(client.get(f"/v1/artworks/export?{asked}"), 422, "invalid-request")


def test_the_terminal_shows_works_in_eighty_columns(tmp_path: Path) -> None:
    """Long titles and reasons are folded, not cut; the rest is counted, ids are whole."""
    home, title = tmp_path / "home", "A title [b]that[/b] goes on and on and ends here"
    folder = portfolio(tmp_path / "p", artists=2, works=8)
    (folder / "metadata.jsonl").write_text(
        json.dumps({"file_name": "artist-0/work-0.png", "title": title, "licence": "CC BY 4.0"})
    )
    lawful(home, "ingest", str(folder))

    listed = lawful(home, "works", "--limit", "14")
    lines = listed.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert sum("indexed" in line for line in lines) == 14
    assert lines[-1] == "14 of 16 works; --limit shows more, --out works.csv has all"
    (one,) = (
        json.loads(line)
        for line in lawful(home, "works", "--licence", "cc-by-4.0", "--jsonl").stdout.splitlines()
    )
    shown = lawful(home, "works", "--licence", "CC BY 4.0").stdout
    assert one["id"] in shown
    assert "CC-BY-4.0" in shown
    assert title in " ".join(line[:36].strip() for line in shown.splitlines())


def test_the_command_writes_a_table_that_ingest_reads(tmp_path: Path) -> None:
    """The ending of --out says the format; what has no file there is counted."""
    home, folder = tmp_path / "home", portfolio(tmp_path / "p", artists=2, works=1)
    lawful(home, "ingest", str(folder))

    done = lawful(home, "works", "--artist", "artist-0", "--out", str(folder / "works.csv"))
    assert done.returncode == 0
    assert "1 work in" in done.stderr
    assert lawful(tmp_path / "new", "ingest", str(folder / "works.csv")).returncode == 0
    listed = json.loads(lawful(tmp_path / "new", "works", "--json").stdout)
    assert [row["path_seen"] for row in listed] == [str(folder / "artist-0" / "work-0.png")]

    apart = lawful(home, "works", "--out", str(tmp_path / "apart.jsonl"), "--files")
    assert (apart.returncode, (tmp_path / "files").exists()) == (0, False)  # they lie below it
    (folder / "artist-1" / "work-0.png").unlink()
    lacking = lawful(home, "works", "--out", str(folder / "works.parquet"), "--files")
    assert lacking.returncode == 3
    assert "2 works in" in lacking.stderr
    assert "1 without a file there" in lacking.stderr


def test_an_export_with_files_says_how_it_comes_back(tmp_path: Path) -> None:
    """By a command that can be pasted, on stderr; an export of no works has none."""
    home, table = tmp_path / "home", tmp_path / "to keep" / "works.csv"
    table.parent.mkdir()
    empty = lawful(home, "works", "--files", "--out", str(table))
    lawful(home, "ingest", str(portfolio(tmp_path / "p", artists=1, works=2)))

    written = lawful(home, "works", "--files", "--out", str(table))
    odd = lawful(home, "works", "--files", "--json", "--out", str(table.with_suffix(".txt")))

    assert "lawful ingest" not in empty.stderr
    _, _, command = written.stderr.splitlines()[-1].partition("to bring them back: lawful ")
    assert shlex.split(command) == ["ingest", str(table)]
    assert lawful(tmp_path / "new", *shlex.split(command)).returncode == 0
    assert len(json.loads(table.with_suffix(".txt").read_text())) == 2
    assert odd.stderr.endswith("to bring them back: lawful ingest TABLE.json\n")
    assert (written.stdout, odd.stdout) == ("", "")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--csv", "--json"], "--csv and --json exclude each other"),
        (["--out", "works.xlsx"], "end it in .csv"),
        (["--out", "nowhere/works.csv"], "there is no folder nowhere"),
        (["--parquet"], "--out works.parquet"),
        (["--files"], "--files goes with a table"),
        (["--status", "indexd"], "indexed"),
        (["--artist", "nobody"], "nobody"),
    ],
)
def test_what_cannot_be_listed_is_said(tmp_path: Path, words: list[str], message: str) -> None:
    """One line that names the value and the way out."""
    done = lawful(tmp_path / "home", "works", *words)

    assert done.returncode == 1
    assert message in done.stderr
