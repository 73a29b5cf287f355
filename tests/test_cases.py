"""What people reported in public about programs that do this job, and what happens to it here."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from attribution.answers import CopyKind, Verdict
from attribution.catalogue import queries
from attribution.catalogue.models import ArtworkStatus
from attribution.config import Settings
from attribution.errors import BadInput
from attribution.images import read_image_file
from attribution.services import Services, open_services
from ingest.options import BY_RULE, Options, Reading
from ingest.sources import read_source
from ingest.summary import Summary
from ingest.uploads import preview_archive
from tests.portfolios import ingest, picture

CASES = Path(__file__).parent / "data" / "cases"


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    """Give everything embedded, with the torch-free encoder."""
    with open_services(Settings(home=tmp_path / "home", profile="stub")) as opened:
        yield opened


@dataclass(frozen=True)
class Expected:
    """What a careful person expects of a source."""

    source: str
    taken: dict[str, str]  # file -> artist, of what may be found
    refused: dict[str, str]  # file -> words of the reason
    remarks: tuple[str, ...] = ()


NOT_GRANTED = "its source says no to finding it"
TABLES = [
    Expected("m01-semicolon/in", {"boat.png": "Ann Example"}, {"secret.png": NOT_GRANTED}),
    Expected("m04-headers/in/capitals", {}, {"boat.png": NOT_GRANTED}),
    Expected(
        "m06-nan/in/works.jsonl", {"0.png": "Ann", "2.png": "Bob"}, {"1.png": "it has no artist"}
    ),
    Expected("m07-table-name/in/metadata-parquet", {}, {"secret.png": NOT_GRANTED}),
    Expected(
        "m07-table-name/in/metadata_(1)-csv",
        {},
        {
            "secret.png": "its table says something that could not be read: metadata (1).csv",
        },
    ),
    Expected(
        "m08-nas/in",
        {"boat.jpg": "Ann"},
        {},
        (
            "skipped: previews of a program or a storage server: 2",
            "skipped: recycle bins: 2",
            "skipped: sidecars of picture programs: 1",
        ),
    ),
    Expected("m13-shifted/in", {}, {"boat.png": "metadata.csv, line 2: it has 7 cells"}),
    Expected("m13-shifted/in2", {}, {"boat.png": "metadata.csv, line 2: it has 6 cells"}),
    Expected(
        "m18-wrapped/in",
        {f"{artist}/{n}.png": artist for artist in ("Ann", "Bob", "Cy") for n in range(2)},
        {},
        ("treated as a wrapper, not an artist: portfolios",),
    ),
]


@pytest.mark.parametrize("expected", TABLES, ids=lambda one: one.source)
def test_folders_and_tables(services: Services, expected: Expected) -> None:
    """Each file is taken under its artist or refused for its reason; the rest is said once."""
    summary = ingest(services, CASES / expected.source)

    taken = {one.path: one.outcome for one in summary.items if one.outcome != "refused"}
    refused = {one.path: str(one.reason) for one in summary.items if one.outcome == "refused"}
    assert set(taken.values()) <= {"added"}
    assert len(taken) == len(expected.taken)
    for file in expected.taken:
        assert any(path.endswith(file) for path in taken)
    for file, words in expected.refused.items():
        assert any(path.endswith(file) and words in why for path, why in refused.items())
    assert len(refused) == len(expected.refused)
    with services.sessions() as session:
        named = {artist.name for artist, works in queries.all_artists(session) if works}
    assert named == set(expected.taken.values())
    for remark in expected.remarks:
        assert any(one.startswith(remark) for one in summary.remarks)


def test_decomposed_names_are_matched(tmp_path: Path) -> None:
    """llmsresearch/paperbanana#240: files from a Mac, a table from elsewhere."""
    folder = tmp_path / unicodedata.normalize("NFD", "José Núñez")
    folder.mkdir()
    for seed, name in enumerate(("Café.png", "Privé.png")):
        picture(seed).save(folder / unicodedata.normalize("NFD", name))
    (tmp_path / "metadata.csv").write_text(
        "file_name,title,consent_index\n"
        "José Núñez/Café.png,Coffee house,yes\nJosé Núñez/Privé.png,Private,no\n"
    )

    items = list(read_source(tmp_path))

    assert [(one.title, "index" in one.consent, one.refused) for one in items] == [
        ("Coffee house", True, None),
        ("Private", False, None),
    ]


@pytest.mark.parametrize(
    ("manifest", "says"),
    [
        ("m05-quote/in/works.csv", "works.csv, line 3: a quotation mark that begins here"),
        ("m12-double-column/in/works.csv", "column 4 'consent_index' is called as column 3"),
        ("m12-double-column/in/empty.csv", "column 3 'artist' is called as column 2"),
        ("m05-quote/in", "its table says something that could not be read: works.csv, line 3"),
        ("m10-img2dataset/in", "output of img2dataset, which names no artists"),
    ],
)
def test_what_is_refused_as_a_whole(manifest: str, says: str) -> None:
    """With the place in it, or with what would help."""
    with pytest.raises(BadInput) as caught:
        list(read_source(CASES / manifest))
    assert says in str(caught.value)


def test_a_table_of_the_whole_collection(tmp_path: Path) -> None:
    """ieee8023/covid-chestxray#39: 50,000 rows, 3 pictures, one sentence."""
    (tmp_path / "Ann").mkdir()
    for n in range(3):
        picture(n).save(tmp_path / "Ann" / f"{n}.png")
    rows = "".join(f"Ann/{n}.png,Work {n}\n" for n in range(50_000))
    (tmp_path / "metadata.csv").write_text(f"file_name,title\n{rows}")

    source = read_source(tmp_path)

    assert [one.title for one in source] == ["Work 0", "Work 1", "Work 2"]
    (remark,) = source.remarks
    assert remark.startswith("metadata.csv: 49,997 rows have no picture here")


def test_img2dataset_is_understood(services: Services) -> None:
    """rom1504/img2dataset#31: captions and addresses, and no artist 00000."""
    summary = ingest(services, CASES / "m10-img2dataset" / "in", artist="Ann")

    assert (summary.added, summary.refused, summary.artists) == (6, 0, 1)
    with services.sessions() as session:
        rows = queries.list_artworks(session).items
    assert {row.caption for row in rows} == {"work 0", "work 1", "work 2"}
    assert all(str(row.source).startswith("https://example.org/") for row in rows)


@pytest.mark.parametrize(
    ("name", "encoding", "artists"),
    [
        ("utf8-noflag.zip", None, {"José Núñez"}),
        ("cp850.zip", None, {"José Núñez"}),
        ("backslash.zip", None, {"Ann Example"}),
        ("sjis.zip", "cp932", {"葛飾北斎", "歌川広重"}),
    ],
)
def test_names_in_archives(
    services: Services, name: str, encoding: str | None, artists: set[str]
) -> None:
    """nih-at/libzip#212: as they were meant."""
    reading = Reading(names_encoding=encoding)
    summary = preview_archive(services, CASES / "m19-zip-names" / "in" / name, reading, BY_RULE)

    assert {item.artist for item in summary.items} == artists


@pytest.mark.parametrize(
    ("name", "says"),
    [("sjis.zip", "as cp932: '歌川広重/東海道.png'"), ("deflate64.zip", "packed with Deflate64")],
)
def test_archives_that_are_asked_about(services: Services, name: str, says: str) -> None:
    """Never names that nobody has, never "damaged" for what is only packed otherwise."""
    archive = CASES / "m19-zip-names" / "in" / name
    with pytest.raises(BadInput) as caught:
        preview_archive(services, archive, Reading(), Options())
    assert says in str(caught.value)


def test_an_archive_with_its_outer_folder(services: Services) -> None:
    """One level too many is unwrapped."""
    archive = CASES / "m18-wrapped" / "wrapped.zip"
    summary = preview_archive(services, archive, Reading(), BY_RULE)

    assert {item.artist for item in summary.items} == {"Ann", "Bob", "Cy"}


def test_white_glyphs_stay_apart(services: Services) -> None:
    """ugurkocde/IntuneGet#847: twelve icons, white on transparency, are twelve pictures."""
    case = CASES / "p03-white-glyphs"
    assert ingest(services, case / "in").added == 12

    again = services.attributor.attribute(read_image_file(case / "query" / "bob1-again.png"))
    stranger = services.attributor.attribute(read_image_file(case / "query" / "stranger.png"))
    dark = services.attributor.attribute(read_image_file(case / "query" / "bob1-on-dark.png"))

    for answer, kind in ((again, CopyKind.SAME_IMAGE), (dark, CopyKind.ALTERED_COPY)):
        assert answer.laid_on is not None
        assert (answer.laid_on.name, answer.laid_on.kind) == ("Bob", kind)
    assert stranger.laid_on is None


def test_cut_off_downloads_say_what_they_are(services: Services) -> None:
    """python-pillow/Pillow#2717: named by their format; what is whole in every viewer is taken."""
    reasons = reasons_of(ingest(services, CASES / "p09-cut-off" / "in"))

    assert reasons.pop("cut-last-2-bytes.jpg") is None
    for name, words in {
        "cut.avif": "AVIF",
        "cut.lzw.tif": "TIFF",
        "cut.png": "PNG",
        "cut.progressive.jpg": "JPEG",
        "html-error.jpg": "a web page",
        "lfs-pointer.png": "git lfs pull",
        "cloud-placeholder.jpg": "empty",
    }.items():
        assert words in str(reasons[name])
    assert all(reasons.values())


def test_a_word_is_no_manifest(services: Services) -> None:
    """contentauth/verify-site#316: "jumbo" in a comment is no Content Credential."""
    reasons = reasons_of(ingest(services, CASES / "p11-jumb-word" / "in"))

    assert not any(reasons.values())
    with services.sessions() as session:
        rows = queries.list_artworks(session).items
    assert all(not row.facts.get("credentials", {}).get("forbids") for row in rows)


def test_blank_pages_say_nothing(services: Services, tmp_path: Path) -> None:
    """JohannesBuchner/imagehash#134: an empty scan is no copy of a failed rendering."""
    page = Image.new("RGB", (181, 256), "white")
    for name in ("Ann", "Bob"):
        (tmp_path / "in" / name).mkdir(parents=True)
        picture(len(name) + ord(name[0])).save(tmp_path / "in" / name / "work.png")
    page.save(tmp_path / "in" / "Ann" / "failed-rendering.png")
    page.save(tmp_path / "scan.bmp")
    summary = ingest(services, tmp_path / "in")

    scan = read_image_file(tmp_path / "scan.bmp")
    answer, member = services.attributor.attribute(scan), services.attributor.member(scan)

    assert (summary.added, summary.blank) == (3, 1)
    assert (answer.verdict, answer.copy_of, answer.artists) == (Verdict.ABSTAIN, None, ())
    assert (member.copy_of, member.is_blank) == (None, True)
    with services.sessions() as session:
        page_rows = queries.list_artworks(session, status=ArtworkStatus.BLANK).items
    assert len(page_rows) == 1


def test_a_panel_of_a_strip_is_found(services: Services, tmp_path: Path) -> None:
    """A webtoon is described in tiles: a panel that was cut out of it is a copy."""
    strip = Image.new("RGB", (350, 6_000), "white")
    for n in range(6):
        panel = Image.new("RGB", (330, 400), (40 * n, 200 - 30 * n, 90))
        draw = ImageDraw.Draw(panel)
        for m in range(12):
            x, y = (37 * m * (n + 3)) % 300, (53 * m * (n + 2)) % 370
            draw.ellipse([x, y, x + 20 + 9 * m, y + 60], fill=(20 * m, 250 - 18 * m, 30 * n))
        strip.paste(panel, (10, n * 1_000 + 100))
    (tmp_path / "in" / "Ann").mkdir(parents=True)
    strip.save(tmp_path / "in" / "Ann" / "webtoon.jpg", quality=60)
    strip.crop((0, 3_050, 350, 3_550)).save(tmp_path / "panel.jpg", quality=85)
    ingest(services, tmp_path / "in")

    answer = services.attributor.attribute(read_image_file(tmp_path / "panel.jpg"))

    assert answer.laid_on is not None
    assert answer.laid_on.title == "webtoon"


def reasons_of(summary: Summary) -> dict[str, str | None]:
    """Return why each file was refused, by its name; None for what was taken."""
    return {
        Path(one.path).name: one.reason if one.outcome == "refused" else None
        for one in summary.items
    }
