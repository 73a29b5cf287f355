"""Which parts of an image speak for whom: the arithmetic, the use case, and every door to it."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from api.cli import app
from api.http.app import create_app
from api.reports.overlay import CELL_PX, draw_overlay
from attribution.arithmetic import patches
from attribution.catalogue import queries
from attribution.config import Settings
from attribution.encoders.clip import ClipEncoder
from attribution.encoders.encoder_set import EncoderSet
from attribution.encoders.profiles import load_encoders
from attribution.encoders.stub import StubEncoder
from attribution.errors import BadInput
from attribution.images import CheckedImage, read_image
from attribution.lookup.regions import ArtistRegions, find_regions
from attribution.services import Services, open_services
from attribution.types import PATCHES, Patches
from tests.apis import local_client
from tests.portfolios import ingest

EXAMPLES = Path(__file__).parent.parent / "examples" / "portfolio"


def stripes(colours: tuple[str, str], size: tuple[int, int] = (140, 140)) -> Image.Image:
    """Draw vertical stripes of two colours, narrower than a cell."""
    picture = Image.new("RGB", size, colours[0])
    for x in range(0, size[0], 8):
        picture.paste(colours[1], (x, 0, x + 4, size[1]))
    return picture


def checked(picture: Image.Image) -> CheckedImage:
    """Return a picture as it comes in."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return read_image(buffer.getvalue())


def ann_and_bob() -> Image.Image:
    """Draw a picture whose left half is Ann's, whose right half is Bob's, with paper below."""
    picture = Image.new("RGB", (280, 280), "white")
    picture.paste(stripes(("red", "black")), (0, 0))
    picture.paste(stripes(("blue", "yellow")), (140, 0))
    return picture


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Make a collection of two artists, each with two works of their own stripes."""
    for artist, colours in (("ann", ("red", "black")), ("bob", ("blue", "yellow"))):
        folder = tmp_path / "works" / artist
        folder.mkdir(parents=True)
        stripes(colours).save(folder / "large.png")
        stripes(colours, (100, 60)).save(folder / "small.png")
    with open_services(Settings(home=tmp_path / "home", profile="stub")) as opened:
        ingest(opened, tmp_path / "works")
    return tmp_path / "home"


@pytest.fixture
def services(home: Path) -> Iterator[Services]:
    """Open that collection."""
    with open_services(Settings(home=home, profile="stub")) as opened:
        yield opened


def test_each_part_speaks_for_its_artist(services: Services) -> None:
    """The left half speaks for Ann alone, the right half for Bob alone, the paper for nobody."""
    image = checked(ann_and_bob())
    found = find_regions(services, services.encoders, image, services.attributor.attribute(image))

    by_slug = {one.slug: np.array(one.cells, dtype=float) for one in found.artists}
    half = PATCHES // 2
    assert {slug: grid.shape for slug, grid in by_slug.items()} == {
        "ann": (PATCHES, PATCHES),
        "bob": (PATCHES, PATCHES),
    }
    assert (by_slug["ann"][:half, :half] > 0.1).all()
    assert (by_slug["ann"][:half, half:] < -0.1).all()
    assert (by_slug["bob"][:half, half:] > 0.1).all()
    assert np.isnan(by_slug["ann"][half + 1 :]).all()
    assert [one.works for one in found.artists] == [2, 2]


def test_only_works_that_may_be_seen_are_compared(tmp_path: Path, services: Services) -> None:
    """A work without display consent is left out, and the notes count it; without any, none."""
    folder = tmp_path / "cy"
    folder.mkdir()
    stripes(("green", "white")).save(folder / "hidden.png")
    row = {"file_name": "hidden.png", "artist": "Cy", "consent_display": "no"}
    (folder / "metadata.jsonl").write_text(json.dumps(row))
    ingest(services, folder)
    image = checked(stripes(("green", "white"), (200, 100)))

    answer = services.attributor.attribute(image)
    found = find_regions(services, services.encoders, image, answer)
    first = replace(answer, artists=answer.artists[:1])
    alone = find_regions(services, services.encoders, image, first)

    assert answer.artists[0].slug == "cy"
    assert {one.slug for one in found.artists} == {"ann", "bob"}
    assert any("1 of 5 works" in note for note in found.notes)
    assert alone.artists == ()
    assert any("two artists" in note for note in alone.notes)


def test_a_damaged_thumbnail_is_left_out(services: Services) -> None:
    """What is kept of one work is broken: the others are compared."""
    image = checked(ann_and_bob())
    answer = services.attributor.attribute(image)
    with services.sessions() as session:
        work = answer.artists[0].works[0].id
        sha256 = queries.artwork_by_id(session, work).sha256
    services.store.put_thumbnail(sha256, b"RIFF....WEBP")

    found = find_regions(services, services.encoders, image, answer)

    assert sum(one.works for one in found.artists) == 3
    assert any("1 of 4 works" in note for note in found.notes)


def test_regions_belong_to_one_image(services: Services) -> None:
    """Another image than the answer's is refused, with both hashes."""
    answer = services.attributor.attribute(checked(ann_and_bob()))
    other = checked(stripes(("red", "black")))

    with pytest.raises(BadInput, match="is about another image") as refused:
        find_regions(services, services.encoders, other, answer)
    assert other.facts.sha256[:12] in str(refused.value)


def test_a_blank_image_speaks_for_nobody(services: Services) -> None:
    """Where nothing is drawn there is nothing to compare, and the note says so."""
    image = checked(Image.new("RGB", (90, 40), "white"))

    found = find_regions(services, services.encoders, image, services.attributor.attribute(image))

    assert found.artists == ()
    assert "nothing is drawn" in found.notes[0]


def test_profiles_without_a_map_say_so(services: Services) -> None:
    """No encoder that sees parts, or one whose model has no map: no regions, and the reason."""

    class Mapless(StubEncoder):
        def encode_patches(self, images: Sequence[Image.Image]) -> Patches:
            raise BadInput(f"x/y keeps no map of places of {len(images)} images")

    image = checked(ann_and_bob())
    answer = services.attributor.attribute(image)
    _, vae, _ = load_encoders(services.settings, "starter")

    blind = find_regions(services, EncoderSet([vae]), image, answer)
    mapless = find_regions(services, EncoderSet([Mapless()]), image, answer)

    assert blind.artists == mapless.artists == ()
    assert "this profile has none" in blind.notes[0]
    assert "keeps no map" in mapless.notes[0]


def test_margins_favour_nobody_by_number() -> None:
    """An artist's match is a mean over works: the same work twice changes nothing."""
    rng = np.random.default_rng(0)
    places, first, second = (rng.normal(size=(n, 8)).astype(np.float32) for n in (5, 6, 7))

    once = patches.margins(places, [[first], [second]])
    twice = patches.margins(places, [[first, first], [second]])

    np.testing.assert_allclose(once, twice, atol=1e-6)
    np.testing.assert_allclose(once[0], -once[1], atol=1e-6)


def test_one_artist_at_most_wins_a_cell() -> None:
    """Among any number of artists a cell is positive for one at most; a tie is for nobody."""
    rng = np.random.default_rng(1)
    works = [[rng.normal(size=(6, 8)).astype(np.float32)] for _ in range(4)]
    places = rng.normal(size=(30, 8)).astype(np.float32)

    assert ((patches.margins(places, works) > 0).sum(axis=0) == 1).all()
    assert (patches.margins(places, [works[0], works[0], works[1]]) <= 0)[:2].all()


@pytest.mark.parametrize(
    ("size", "grid"),
    [
        ((280, 280), (PATCHES, PATCHES)),
        ((280, 140), (PATCHES // 2, PATCHES)),
        ((8, 800), (PATCHES, 1)),
        ((800, 8), (1, PATCHES)),
        ((8, 8), (PATCHES, PATCHES)),
        ((3, 1), (5, PATCHES)),
    ],
)
def test_grids_fit_their_picture(size: tuple[int, int], grid: tuple[int, int]) -> None:
    """Wide, tall and tiny pictures have the cells that lie on them; overlays keep their shape."""
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    picture = Image.fromarray(noise)
    cells = tuple((0.1,) * grid[1] for _ in range(grid[0]))

    overlay = draw_overlay(picture, ArtistRegions("a", "A", 1, cells))

    assert patches.drawn(picture).shape == patches.grid_of(picture) == grid
    assert max(overlay.size) == PATCHES * CELL_PX
    assert overlay.width / overlay.height == pytest.approx(size[0] / size[1], rel=0.2)


def test_overlays_glow_where_the_cells_speak() -> None:
    """Positive cells are orange, negative and plain ones grey."""
    cells = tuple(tuple((0.3, -0.3, None)[column % 3] for column in range(3)) for _ in range(3))
    regions = ArtistRegions("a", "A", 1, cells)
    picture = np.asarray(draw_overlay(Image.new("RGB", (90, 90), "grey"), regions), dtype=int)

    warmth = picture[..., 0] - picture[..., 2]
    middle = CELL_PX // 2
    assert warmth[middle, middle] > 100
    assert warmth[middle, middle + 2 * CELL_PX] == 0


def test_starter_knows_a_half_by_its_hand() -> None:
    """Of a picture made of two hands, the starter finds the half of each, by their other works."""
    encoder, *_ = load_encoders(Settings())
    assert isinstance(encoder, ClipEncoder)
    hands = []
    for name in ("codifiedivining", "gerald-g"):
        works = [Image.open(path).convert("RGB") for path in sorted((EXAMPLES / name).glob("*"))]
        hands.append([work.resize((160, 160)) for work in works[:4]])
    picture = Image.new("RGB", (320, 160))
    picture.paste(hands[0][0], (0, 0))
    picture.paste(hands[1][0], (160, 0))

    def places(one: Image.Image) -> tuple[np.ndarray, np.ndarray]:
        drawn = patches.drawn(one)
        grid = encoder.encode_patches([patches.squared(one)])[0]
        return grid[: drawn.shape[0], : drawn.shape[1]][drawn], drawn

    query, drawn = places(picture)
    margin = patches.margins(query, [[places(work)[0] for work in hand[1:]] for hand in hands])[0]
    left = np.argwhere(drawn)[:, 1] < PATCHES // 2

    assert margin[left].mean() > margin[~left].mean() + 0.02


def test_regions_over_http(home: Path, tmp_path: Path) -> None:
    """The file is sent again with the answer's id; another file is refused."""
    buffer = io.BytesIO()
    ann_and_bob().save(buffer, "PNG")
    with local_client(create_app(Settings(home=home, profile="stub"))) as client:
        image = {"image": buffer.getvalue()}
        at = client.post("/v1/attributions", files=image).headers["location"]
        found = client.post(f"{at}/regions", files=image)
        refused = client.post(
            f"{at}/regions",
            files={"image": (tmp_path / "works" / "ann" / "large.png").read_bytes()},
        )

    assert found.status_code == 200
    body = found.json()
    assert {one["slug"] for one in body["artists"]} == {"ann", "bob"}
    assert len(body["artists"][0]["cells"]) == PATCHES
    assert body["artists"][0]["cells"][-1] == [None] * PATCHES
    assert "positive speaks for the artist" in body["meaning"]
    assert refused.status_code == 422


def test_regions_on_the_command_line(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--regions` writes a picture, adds numbers to `--json` and overlays to the report."""
    monkeypatch.setenv("LAWFUL_HOME", str(home))
    monkeypatch.setenv("LAWFUL_PROFILE", "stub")
    image, out, report = (tmp_path / name for name in ("i.png", "out.png", "r.html"))
    ann_and_bob().save(image)
    options = ["--regions", str(out), "--report", str(report), "--json"]

    done = CliRunner().invoke(app, ["attribute", str(image), *options])
    two = CliRunner().invoke(app, ["attribute", str(image), str(image), "--regions", str(out)])

    assert done.exit_code == 0
    answer = json.loads(done.stdout)
    assert {one["slug"] for one in answer["regions"]["artists"]} == {"ann", "bob"}
    with Image.open(out) as drawn:
        assert drawn.size == (PATCHES * CELL_PX, PATCHES * CELL_PX)
    assert report.read_text().count("with the parts that support") == 2
    assert isinstance(two.exception, BadInput)
