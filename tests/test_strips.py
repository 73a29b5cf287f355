"""Strips: panels cut out of them are found, and their tiles are in nobody's way."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np
import pytest
from PIL import Image

from attribution.answers import CopyKind, CopyMatch
from attribution.catalogue import queries
from attribution.catalogue.models import Artwork
from attribution.catalogue.queries import Origin
from attribution.collection import open_stores
from attribution.config import Settings
from attribution.images import read_image_file
from attribution.images.views import MOST_TILES, TILED_PIXELS, cut_tiles, tiled_size
from attribution.lookup.search_query import SearchQuery
from attribution.services import Services, open_services
from attribution.types import Part
from attribution.upkeep.correction import merge, move
from attribution.upkeep.reconcile import reconcile
from attribution.upkeep.reindex import change_profile, make_anew
from attribution.upkeep.withdrawal import withdraw
from tests.portfolios import ingest
from tests.test_copies import drawing

PANEL = (220, 260)
FRAME = (240, 300)  # of a panel with the white around it
PANELS = 8


def webtoon(first: int) -> Image.Image:
    """Return panels below each other: the same first one, the same strip."""
    strip = Image.new("RGB", (FRAME[0], FRAME[1] * PANELS), "white")
    for number in range(PANELS):
        strip.paste(drawing(first + number, size=PANEL), (10, number * FRAME[1] + 20))
    return strip


def panorama(seed: int) -> Image.Image:
    """Return a long drawing on its side."""
    strip = Image.new("RGB", (2_400, 300))
    for number in range(8):
        strip.paste(drawing(seed + number, size=(300, 300)), (number * 300, 0))
    return strip


def portfolio(folder: Path) -> Path:
    """Write two artists' strips and single panels."""
    for artist in ("ann", "bob"):
        (folder / artist).mkdir(parents=True)
    webtoon(100).save(folder / "ann" / "webtoon.jpg", quality=85)
    drawing(300, size=PANEL).save(folder / "ann" / "panel.png")
    panorama(200).save(folder / "bob" / "panorama.jpg", quality=85)
    for seed in range(310, 316):
        drawing(seed).save(folder / "bob" / f"drawing-{seed}.png")
    return folder


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """Open a collection that no test changes."""
    yield from opened(tmp_path_factory.mktemp("strips"))


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    """Open a collection of this test's own."""
    yield from opened(tmp_path)


def opened(home: Path) -> Iterator[Services]:
    """Ingest the portfolio."""
    with open_services(Settings(home=home / "home", profile="stub")) as services:
        ingest(services, portfolio(home / "p"))
        yield services


def ask(services: Services, image: Image.Image, folder: Path) -> CopyMatch | None:
    """Return the copy finding of a picture."""
    image.save(folder / "question.jpg", quality=80)
    return services.attributor.attribute(read_image_file(folder / "question.jpg")).laid_on


def work_called(services: Services, title: str) -> Artwork:
    """Return a work by its title."""
    with services.sessions() as session:
        return next(row for row in queries.list_artworks(session).items if row.title == title)


@pytest.mark.parametrize("panel", [0, 3, PANELS - 1])
def test_a_panel_of_a_webtoon_is_found_where_it_is(
    shared: Services, tmp_path: Path, panel: int
) -> None:
    """The outline lies on the whole strip; how much of its content is there, is not said."""
    top = panel * FRAME[1]
    found = ask(shared, webtoon(100).crop((0, top, FRAME[0], top + FRAME[1])), tmp_path)

    assert found is not None
    assert (found.title, found.kind) == ("webtoon", CopyKind.ALTERED_COPY)
    assert found.overlap is not None
    upper, lower = np.min(found.overlap.work, 0), np.max(found.overlap.work, 0)
    assert upper[1] >= panel / PANELS - 0.01
    assert lower[1] <= (panel + 1) / PANELS + 0.01
    assert lower[1] - upper[1] > 0.6 / PANELS
    assert found.content is None  # of the strip, that is: nobody has measured it


@pytest.mark.parametrize("left", [0, 415, 1_700])
def test_a_cut_of_a_panorama_is_found(shared: Services, tmp_path: Path, left: int) -> None:
    """Wherever it begins, at another size."""
    cut = panorama(200).crop((left, 0, left + 400, 300)).resize((320, 240))
    found = ask(shared, cut, tmp_path)

    assert found is not None
    assert found.title == "panorama"
    assert found.overlap is not None
    assert np.min(found.overlap.work, 0)[0] >= left / 2_400 - 0.01
    assert np.max(found.overlap.work, 0)[0] <= (left + 400) / 2_400 + 0.01


def test_the_strip_itself_is_found(shared: Services, tmp_path: Path) -> None:
    """Saved again and smaller, with other pixels."""
    found = ask(shared, webtoon(100).resize((180, 1_800)), tmp_path)

    assert found is not None
    assert found.title == "webtoon"


def test_a_registered_panel_is_found_in_a_strip(shared: Services, tmp_path: Path) -> None:
    """Somebody else's strip that has one of our drawings in it; the outline lies on the strip."""
    strip = webtoon(400)
    strip.paste(drawing(300, size=PANEL), (10, 5 * FRAME[1] + 20))
    found = ask(shared, strip, tmp_path)

    assert found is not None
    assert found.title == "panel"
    assert found.overlap is not None
    assert np.min(found.overlap.image, 0)[1] == pytest.approx(5 / PANELS, abs=0.03)
    assert found.content is not None
    assert found.content > 0.9


def test_strangers_and_white_gutters_are_no_copies(shared: Services, tmp_path: Path) -> None:
    """Another strip, a panel of it, and the blank between panels."""
    assert ask(shared, webtoon(500), tmp_path) is None
    assert ask(shared, webtoon(500).crop((0, 600, 240, 900)), tmp_path) is None
    assert ask(shared, Image.new("RGB", (240, 60), "white"), tmp_path) is None


def test_tiles_are_in_nobodys_way(shared: Services, tmp_path: Path) -> None:
    """Counts, votes and searches know works alone: nine works, nine points."""
    webtoon(100).crop((0, 0, 240, 300)).save(tmp_path / "panel.png")
    image = read_image_file(tmp_path / "panel.png")
    answer = shared.attributor.attribute(image)
    cited = {work.id for artist in answer.artists for work in artist.works}

    assert shared.index.count() == answer.searched.works == 9
    assert shared.index.parts.count() > 15
    with shared.sessions() as session:
        assert queries.artworks_by_id(session, cited).keys() == cited
    assert len(shared.attributor.search(SearchQuery(image=image), limit=50).hits) == 9
    report = reconcile(shared, repair=False)
    assert report.is_clean
    assert (report.works, report.points) == (9, 9)


def test_a_strip_has_so_many_tiles_at_most() -> None:
    """Also the longest that is taken in, and all of it is covered."""
    for size in ((700, 30_000), (1_000, 100_000), (20_000, 500), (200, 610)):
        width, height = tiled_size(*size)
        noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
        boxes = [box for box, _ in cut_tiles(Image.fromarray(noise))]

        assert width * height <= TILED_PIXELS * 1.01
        assert 2 <= len(boxes) <= MOST_TILES
        axis = 0 if width > height else 1
        assert boxes[0][axis] == 0
        assert boxes[-1][axis + 2] == 1
        assert all(after[axis] < before[axis + 2] for before, after in pairwise(boxes))


def test_a_withdrawn_strip_leaves_no_tile(services: Services, tmp_path: Path) -> None:
    """Neither sketches nor vectors nor points: the receipt counts them, its panel is unknown."""
    work, panel = work_called(services, "webtoon"), webtoon(100).crop((0, 600, 240, 900))
    others = services.index.parts.count() - services.index.parts.count([work.id])

    receipt = withdraw(services, str(work.id), reason="asked for").receipt

    assert receipt["removed"]["points of parts"] > 5
    assert receipt["removed"]["copy sketches"] == receipt["removed"]["points of parts"] + 1
    assert receipt["removed"]["kept vectors of parts"] == 1
    assert set(receipt["left"].values()) == {0}
    assert services.index.parts.count() == others
    assert ask(services, panel, tmp_path) is None
    assert reconcile(services, repair=False).is_clean


def test_a_panel_is_whoever_s_the_strip_is_now(services: Services, tmp_path: Path) -> None:
    """Moved to another artist, and then merged into a third."""
    panel = webtoon(100).crop((0, 600, 240, 900))
    (tmp_path / "more" / "cy").mkdir(parents=True)
    drawing(800).save(tmp_path / "more" / "cy" / "other.png")
    ingest(services, tmp_path / "more")
    by_hand = Origin("test")

    move(services, work_called(services, "webtoon").id, "bob", by_hand)
    moved = ask(services, panel, tmp_path)
    merge(services, "bob", "cy", by_hand, is_confirmed=True)
    merged = ask(services, panel, tmp_path)

    assert moved is not None
    assert merged is not None
    assert (moved.slug, merged.slug) == ("bob", "cy")
    assert reconcile(services, repair=False).is_clean


def test_strips_of_an_earlier_version_get_tiles_when_ingested_again(
    services: Services, tmp_path: Path
) -> None:
    """They are told by their size, and nothing else of them changes."""
    panel, works = webtoon(100).crop((0, 600, 240, 900)), tmp_path / "p"
    with services.sessions.begin() as session:
        session.connection().exec_driver_sql("DELETE FROM copy_sketches WHERE part > 0")
        session.connection().exec_driver_sql("DELETE FROM part_vectors")
    services.index.parts.delete({part.work for part in services.index.parts.entries()})
    before = reconcile(services, repair=True)
    assert (before.untiled, before.unsketched, before.is_clean) == (2, 0, True)
    assert ask(services, panel, tmp_path) is None

    summary = ingest(services, works)

    found = ask(services, panel, tmp_path)
    assert (summary.known, summary.added, summary.corrected) == (9, 0, 0)
    assert found is not None
    assert found.title == "webtoon"
    after = reconcile(services, repair=False)
    assert (after.untiled, after.is_clean) == (0, True)


def test_lost_and_strange_points_of_parts_are_mended(services: Services, tmp_path: Path) -> None:
    """Points that were lost come back from the kept vectors, those of no work go."""
    work, stranger = work_called(services, "webtoon").id, uuid4()
    panel, count = webtoon(100).crop((0, 600, 240, 900)), services.index.parts.count()
    with services.sessions() as session:
        (rows,) = queries.kept_part_vectors(session, services.row.fingerprint, [work]).values()
    services.index.parts.delete([work])
    services.index.parts.upsert({stranger: rows[:3]})

    found = reconcile(services, repair=False)
    reconcile(services, repair=True)

    assert found.wrong_parts == 2
    assert set(found.examples["wrong_parts"]) == {str(work), str(stranger)}
    assert reconcile(services, repair=False).is_clean
    assert services.index.parts.count() == count
    assert services.index.parts.held([Part(work, 1), Part(stranger, 1)]) == {Part(work, 1)}
    assert ask(services, panel, tmp_path) is not None


def test_a_collection_that_is_made_anew_has_its_parts(tmp_path: Path) -> None:
    """From the kept vectors, without a picture."""
    settings = Settings(home=tmp_path / "home", profile="stub")
    with open_services(settings) as services:
        ingest(services, portfolio(tmp_path / "p"))
        count = services.index.parts.count()
    with open_stores(settings) as stores:
        assert make_anew(stores, progress=lambda _done, _total: None) == (9, 0)
    with open_services(settings) as services:
        assert services.index.parts.count() == count
        assert ask(services, webtoon(100).crop((0, 600, 240, 900)), tmp_path) is not None


def test_other_encoders_describe_the_parts_again(tmp_path: Path) -> None:
    """From the kept originals; the old collection of parts goes with that of the works."""
    settings = Settings(home=tmp_path / "home", profile="stub", keep_originals=True)
    with open_services(settings) as services:
        ingest(services, portfolio(tmp_path / "p"))
        count = services.index.parts.count()
    with open_stores(settings) as stores:
        change_profile(
            stores, "starter", partial=False, keep_old=False, progress=lambda _done, _total: None
        )
    with open_services(settings.model_copy(update={"profile": "starter"})) as services:
        assert services.index.parts.count() == count
        assert ask(services, webtoon(100).crop((0, 600, 240, 900)), tmp_path) is not None
        assert reconcile(services, repair=False).is_clean
    folders = [path.name for path in (settings.home / "index").iterdir() if path.is_dir()]
    assert sorted(one.endswith("-parts") for one in folders) == [False, True]


def test_works_that_are_known_get_their_missing_parts(services: Services, tmp_path: Path) -> None:
    """A strip of which nothing is kept is described when it is ingested again."""
    work, count = work_called(services, "webtoon").id, services.index.parts.count()
    forget_description(services, work)
    assert ask(services, webtoon(100).crop((0, 600, 240, 900)), tmp_path) is None

    ingest(services, tmp_path / "p")

    assert services.index.parts.count() == count
    assert ask(services, webtoon(100).crop((0, 600, 240, 900)), tmp_path) is not None
    assert reconcile(services, repair=False).is_clean


def forget_description(services: Services, work: UUID) -> None:
    """Delete what the copy lane keeps of a work."""
    services.index.parts.delete([work])
    with services.sessions.begin() as session:
        for table in ("copy_sketches", "part_vectors"):
            session.connection().exec_driver_sql(
                f"DELETE FROM {table} WHERE artwork_id = ?",  # noqa: S608  two names of our own
                (work.hex,),
            )


def test_parts_are_found_among_many(services: Services, tmp_path: Path) -> None:
    """Thousands of others do not hide a panel."""
    rng = np.random.default_rng(0)
    width = services.row.dims["clip"]
    rows = rng.standard_normal((3_000, width)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    services.index.parts.upsert({UUID(int=n): rows[n * 60 : n * 60 + 60] for n in range(50)})

    assert ask(services, webtoon(100).crop((0, 600, 240, 900)), tmp_path) is not None
