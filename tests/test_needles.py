"""After a withdrawal no file and no table has the words, hashes, vectors and pictures any more."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from attribution.catalogue import queries
from attribution.catalogue.database import connect
from attribution.catalogue.queries import Origin
from attribution.config import Settings
from attribution.generation.generator import ImageRequest
from attribution.images import read_image_file
from attribution.services import Services, open_services
from attribution.upkeep import correction, non_copies
from attribution.upkeep.withdrawal import withdraw
from ingest.generations import ask
from ingest.uploads import Described, accept
from ingest.work.jobs import job_queue
from tests import needles
from tests.portfolios import finish, ingest, picture, portfolio, wait_until

ARTIST = "Zephyrine Quillfeather"
SLUG = "zephyrine-quillfeather"
FOLDER = ("ndltitle", "ndlcaption", "ndltag", "ndldate", "ndllicence", "ndlsource", "ndlfile")
UPLOAD = ("ndluptitle", "ndlupcaption", "ndluptag", "ndluplicence", "ndlupfile")
LATER = ("ndlcorrected", "ndlreason", "ndlclaim", "ndlprompt", "ndldeclared")
WORDS = (*FOLDER, *UPLOAD, *LATER)


@pytest.fixture
def services(tmp_path: Path, database_url: str) -> Iterator[Services]:
    """Open a collection of others' works, with an index in a folder, on each engine."""
    home = tmp_path / "home"
    if database_url.startswith("sqlite"):
        database_url = f"sqlite:///{home / 'lawful.db'}"
    else:
        database = connect(database_url)
        database.upgrade()
        database.dispose()
    settings = Settings(
        home=home,
        database_url=database_url,
        profile="stub",
        generator="stub",
        keep_originals=True,
    )
    with open_services(settings) as opened:
        ingest(opened, portfolio(tmp_path / "others"))
        yield opened


def bring(services: Services, folder: Path) -> None:
    """Have an artist's works come in by every door, and be spoken of."""
    own = folder / "hers" / ARTIST
    own.mkdir(parents=True, exist_ok=True)
    for number in range(3):
        picture(9_000 + number).save(own / f"ndlfile-{number}.png")
    said = {
        "title": "Ndltitle", "caption": "the ndlcaption", "tags": ["ndltag"],
        "date": "ndldate 1901", "licence": "by ndllicence only",
        "source": "https://ndlsource.example/1",
    }  # fmt: skip
    rows = [json.dumps({"file_name": f"{ARTIST}/ndlfile-{n}.png"} | said) for n in range(3)]
    (folder / "hers" / "metadata.jsonl").write_text("\n".join(rows))
    ingest(services, folder / "hers")
    upload(services)


def upload(services: Services) -> None:
    """Have one work uploaded with all that can be said of it."""
    file = io.BytesIO()
    picture(9_100).save(file, "PNG")
    file.seek(0)
    said = Described(
        artist=ARTIST, title="Ndluptitle", caption="the ndlupcaption", tags=("ndluptag",),
        licence="by ndluplicence only", said=("title", "caption", "tags", "licence"),
    )  # fmt: skip
    finish(services, accept(services, file, "ndlupfile.png", said))


def speak_of_them(services: Services, folder: Path) -> None:
    """Correct a work, claim one, ask about one, and have a picture drawn in the artist's name."""
    with services.sessions() as session:
        work = needles.works_of(session, SLUG)[0]
    origin = Origin("api", "ndlreason of a person")
    for title in ("Ndlcorrected", "ndlcorrected, once more"):
        correction.correct(services, work.id, {"title": title}, origin)
    other = folder / "claim" / "artist-1"
    other.mkdir(parents=True, exist_ok=True)
    picture(9_000).save(other / "ndlclaim.png")
    assert ingest(services, folder / "claim").conflicts == 1
    for path in sorted((folder / "hers" / ARTIST).iterdir()):
        services.attributor.attribute(read_image_file(path))
    picture(9_100, side=96).save(folder / "larger.png")  # the same work
    larger = read_image_file(folder / "larger.png")
    non_copies.declare(
        services, larger.facts, work.id, Origin("api", "ndldeclared by a person", "Bob")
    )
    assert services.attributor.attribute(larger).declared
    prompt = "an ndlprompt boat by ZEPHYRINE  Quillfeather, oil on canvas"
    wanted = ask(services, ImageRequest(prompt, negative_prompt="ndlprompt haze"))
    with job_queue(services) as queue:
        queue.draw(wanted)
        wait_until(lambda: is_drawn(services, wanted))


def is_drawn(services: Services, generation_id: UUID) -> bool:
    """Tell whether a request for pictures is done."""
    with services.sessions() as session:
        return queries.generation_by_id(session, generation_id).status == "done"


def held(services: Services, wanted: needles.Needles) -> dict[str, list[str]]:
    """Return what of these any file of the home, or any table, still has."""
    found = needles.in_files(services.settings.home, wanted)
    if services.settings.database_url.startswith("postgresql"):
        with services.sessions() as session:
            for name, tables in needles.in_tables(session, wanted).items():
                found.setdefault(name, []).extend(tables)
    return found


def told(found: dict[str, list[str]]) -> str:
    """Say where which needles are."""
    return "\n".join(f"{name}: {', '.join(places)}" for name, places in sorted(found.items()))


def test_nothing_is_left(services: Services, tmp_path: Path) -> None:
    """Words, hashes, vectors, pictures: gone from all files and tables, also after another run."""
    bring(services, tmp_path)
    with services.sessions() as session:
        works = [row.id for row in needles.works_of(session, SLUG)]
    wanted = needles.of_words(WORDS) | needles.of_works(services, works)
    speak_of_them(services, tmp_path)
    services.index.flush()
    assert len(works) == 4
    assert held(services, wanted).keys() == wanted.keys(), "the needles can be found"

    receipt = withdraw(services, SLUG, reason="asked for").receipt

    left = held(services, wanted)
    assert not left, told(left)
    assert not any(receipt["left"].values())

    again = ingest(services, tmp_path / "hers")
    upload(services)
    ingest(services, tmp_path / "claim")

    assert again.refused == 3
    left = held(services, wanted)
    assert not left, told(left)
