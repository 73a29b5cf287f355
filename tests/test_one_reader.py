"""One table of cases goes through every command that reads works: none hears less than another."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from PIL import PngImagePlugin

from api.cli import evaluate
from attribution.catalogue import queries
from attribution.catalogue.models import ArtworkStatus, artwork_id
from attribution.collection import open_stores
from attribution.config import Settings
from attribution.encoders.encoder_set import EncoderSet
from attribution.encoders.stub import StubEncoder
from attribution.errors import LawfulError
from attribution.images import file_sha256
from attribution.laboratory.starter.works import partition
from attribution.laboratory.works import Labelled, embed
from attribution.services import Services, open_services
from ingest.datasets import DatasetOptions
from ingest.examples import gather
from ingest.lessons import read_lessons, read_starter_works
from tests.portfolios import ingest_at_once, picture

ARTISTS = partition()["train"][:2]
NAMES = [f"{artist}/{work}.png" for artist in ARTISTS for work in range(2)]
DENIED = NAMES[1]

Rows = list[dict[str, Any]]
Case = Callable[[Path, Rows, str], None]


def lines(folder: Path, rows: Rows, name: str = "metadata.jsonl") -> None:
    """Write rows as JSON lines."""
    (folder / name).write_text("\n".join(map(json.dumps, rows)))


def says(word: object) -> Case:
    """Return a case in which the row of the denied work has a word."""

    def write(folder: Path, rows: Rows, purpose: str) -> None:
        rows[1][f"consent_{purpose}"] = word
        lines(folder, rows)

    return write


def european(folder: Path, rows: Rows, purpose: str) -> None:
    """Write the table as a spreadsheet program in Europe does."""
    body = "".join(
        f"{row['file_name']};Prïvate;CC0-1.0;{'nein' if row is rows[1] else ''}\r\n" for row in rows
    )
    head = f"File Name;Title;License;Consent {purpose.title()}\r\n"
    (folder / "Metadata.CSV").write_bytes((head + body).encode("cp1252"))


def misspelt_column(folder: Path, rows: Rows, purpose: str) -> None:
    """Write a column that is nearly a known one."""
    rows[1][f"consent_{purpose[:-2]}{purpose[-1]}{purpose[-2]}"] = "no"
    lines(folder, rows)


def misspelt_file(folder: Path, rows: Rows, purpose: str) -> None:
    """Write a row under another name; the picture has none of its own."""
    rows[1] |= {"file_name": f"{ARTISTS[0]}/one.png", f"consent_{purpose}": "no"}
    lines(folder, rows)


def other_table(folder: Path, rows: Rows, purpose: str) -> None:
    """Write a table under a name that is not looked for."""
    rows[1][f"consent_{purpose}"] = "no"
    lines(folder, rows, "metadata (1).jsonl")


def broken_table(folder: Path, rows: Rows, purpose: str) -> None:
    """Write a table that breaks off behind the row."""
    rows[1][f"consent_{purpose}"] = "no"
    lines(folder, rows)
    with (folder / "metadata.jsonl").open("a") as file:
        file.write('\n{"file_name": ')


def twice(folder: Path, rows: Rows, purpose: str) -> None:
    """Write two rows about the picture, a yes behind a no."""
    lines(
        folder,
        [
            *rows,
            rows[1] | {f"consent_{purpose}": "no"},
            rows[1] | {f"consent_{purpose}": "yes"},
        ],
    )


def far_away(folder: Path, rows: Rows, purpose: str) -> None:
    """Write the no into the table of the outer folder, a yes into that of the inner."""
    rows[1][f"consent_{purpose}"] = "no"
    lines(folder, rows)
    inner = {"file_name": "1.png", f"consent_{purpose}": "yes"}
    lines(folder / ARTISTS[0], [inner])


def of_its_copy(folder: Path, rows: Rows, purpose: str) -> None:
    """Write a yes into the row, and the no into that of a copy by another artist."""
    copy = f"{ARTISTS[1]}/copy.png"
    (folder / copy).write_bytes((folder / DENIED).read_bytes())
    rows[1][f"consent_{purpose}"] = "yes"
    lines(folder, [*rows, {"file_name": copy, f"consent_{purpose}": "no"}])


def in_its_file(folder: Path, rows: Rows, purpose: str) -> None:
    """Write no word into the table, and a no into the picture."""
    del purpose
    said = PngImagePlugin.PngInfo()
    said.add_text("Comment", "noai")
    picture(1, side=96).save(folder / DENIED, pnginfo=said)
    lines(folder, rows)


def as_keyword(folder: Path, rows: Rows, purpose: str) -> None:
    """Write the no as sites of artists do."""
    del purpose
    rows[1] |= {"tags": ["sea", "noai"], "consent_train": "yes"}
    lines(folder, rows)


CASES: dict[str, Case] = {
    **{f"{word!r}": says(word) for word in ("no", " n", "off", "0.0", "FALSE", "Nein", False, 0)},
    **{f"{word!r}": says(word) for word in ("maybe", "no (ask me)", ["no"])},
    **{
        case.__name__: case
        for case in (
            european,
            misspelt_column,
            misspelt_file,
            other_table,
            broken_table,
            twice,
            far_away,
            of_its_copy,
        )
    },
}
AGAINST_TRAINING = CASES | {
    "in_its_file": in_its_file,
    "as_keyword": as_keyword,
    "None": says("None"),
}


def written(
    tmp_path: Path, case: Case, purpose: str, seeds: Iterable[int] = range(len(NAMES))
) -> Path:
    """Write two artists with two works each, the second of which says no."""
    folder = tmp_path / "works"
    for name, seed in zip(NAMES, seeds, strict=False):  # takes no seed more than it needs
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        picture(seed, side=96).save(folder / name)
    case(folder, [{"file_name": name, "licence": "CC0-1.0"} for name in NAMES], purpose)
    return folder


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """Open one collection for all cases: each brings pictures of its own."""
    home = tmp_path_factory.mktemp("home")
    with open_services(Settings(home=home, profile="stub")) as opened:
        yield opened


@pytest.fixture(scope="module")
def seeds() -> Iterator[int]:
    """Count the pictures."""
    return count()


@pytest.mark.parametrize("purpose", ["index", "display", "train", "generate"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_ingest(
    services: Services, seeds: Iterator[int], tmp_path: Path, case: Case, purpose: str
) -> None:
    """What is denied is not indexed, not shown, not trained on, not generated from."""
    folder = written(tmp_path, case, purpose, seeds)
    ingest_at_once(services, folder)
    with services.sessions() as session:
        sha256 = str(file_sha256(folder / DENIED))
        rows = queries.artworks_by_sha256(session, [sha256], status=ArtworkStatus.INDEXED)
    assert not any(purpose in row.consent for row in rows)
    if purpose == "display":
        assert not services.store.has_thumbnail(sha256)


@pytest.mark.parametrize("case", AGAINST_TRAINING.values(), ids=AGAINST_TRAINING)
def test_training(tmp_path: Path, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """No command learns from it: finetune, both of train-starter, train classifier, evaluate."""
    folder = written(tmp_path, case, "train")
    seen: dict[str, set[Path | None]] = {}
    denied = folder / DENIED
    seen["finetune, train-starter --generator"] = taken(
        lambda: {lesson.path for lesson in read_lessons(folder)[0]}
    )
    seen["train-starter"] = taken(lambda: {work.path for work in read_starter_works(folder)[0]})
    seen["train classifier"] = taken(lambda: learned(folder, tmp_path))
    seen["evaluate"] = taken(lambda: evaluated(folder, monkeypatch))

    assert not [command for command, paths in seen.items() if denied in paths]


def taken(read: Callable[[], set[Path | None]]) -> set[Path | None]:
    """Return what a command takes; nothing where it refuses altogether."""
    try:
        return read()
    except LawfulError:
        return set()


def learned(folder: Path, tmp_path: Path) -> set[Path | None]:
    """Return the files that `train classifier` would learn from."""
    by_id = {artwork_id(str(file_sha256(folder / name))): folder / name for name in NAMES}
    with open_stores(Settings(home=tmp_path / "home", profile="stub")) as stores:
        gathered = gather(stores, str(folder), DatasetOptions(), None, lambda *_: None)
        return {by_id.get(one) for one in gathered.ids}


def evaluated(folder: Path, monkeypatch: pytest.MonkeyPatch) -> set[Path | None]:
    """Return the files that `evaluate` would split and learn from."""
    chosen: list[Labelled] = []

    class Enough(LawfulError):
        pass

    def run(items: list[Labelled], *_: object, **__: object) -> None:
        chosen.extend(items)
        raise Enough("enough")

    monkeypatch.setattr(evaluate, "_run", run)
    with pytest.raises(Enough):
        evaluate.evaluate(folder)
    return set(embed(chosen, EncoderSet([StubEncoder()]), lambda *_: None).paths)
