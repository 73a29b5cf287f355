"""A dry run says of every file what the job then does, in whatever batch a "no" stands."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from attribution.catalogue import queries
from attribution.catalogue.models import WIPED, ArtworkStatus
from attribution.config import Settings
from attribution.services import Services, open_services
from ingest.options import AS_IT_IS, BY_RULE
from ingest.preview import preview
from ingest.reading import ELSEWHERE, FORBIDS
from ingest.sources import read_source
from ingest.summary import Summary
from ingest.uploads import accept_archive, preview_archive
from tests.portfolios import finish, ingest, picture

BETWEEN = {
    f"{name}/{n}.png": n for name, at in (("Abel", 100), ("Max", 200)) for n in range(at, at + 8)
}


@pytest.fixture(params=[2, 32], ids=["small batches", "one batch"])
def services(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Services]:
    """Open a collection in which Ann has works 1 to 5, and nobody has 6 and 7."""
    settings = Settings(home=tmp_path / "home", profile="stub", batch_size=request.param)
    known = {f"Ann/{n}.png": n for n in range(1, 6)} | {f"unknown/{n}.png": n for n in (6, 7)}
    with open_services(settings) as opened:
        ingest(opened, written(tmp_path / "p", known))
        yield opened


def written(root: Path, files: Mapping[str, int], said: str = "") -> Path:
    """Write pictures by name and seed, and a table."""
    for name, seed in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        picture(seed).save(root / name)
    if said:
        (root / "metadata.csv").write_text(said)
    return root


def counts(summary: Summary) -> dict[str, Any]:
    """Return the numbers of a summary."""
    said = summary.as_json(seconds=0)
    return {name: value for name, value in said.items() if isinstance(value, int)}


def both(services: Services, source: Path) -> Summary:
    """Preview a source, then ingest it; returns what both say, which must be the same.

    Of a withdrawn work the job keeps no path.
    """
    shown, done = preview(services, read_source(source)), ingest(services, source)

    kept = [
        WIPED if two.path == WIPED else one.path
        for one, two in zip(shown.items, done.items, strict=True)
    ]
    assert kept == [one.path for one in done.items]
    assert [one.outcome for one in shown.items] == [one.outcome for one in done.items]
    assert counts(shown) == counts(done)
    return shown


def reasons(summary: Summary, seed: int) -> list[str | None]:
    """Return what is said of the files of one picture, in the order of their artists."""
    return [one.reason for one in summary.items if Path(one.path).stem == str(seed)]


def works(services: Services) -> dict[str, tuple[str, bool]]:
    """Return the works that can be found, by title: their artists, and whether they are shown."""
    with services.sessions() as session:
        rows = queries.list_artworks(session, status=ArtworkStatus.INDEXED, limit=200).items
        return {str(row.title): (row.artist.name, row.consent_display) for row in rows}


def test_a_no_to_be_found_is_foreseen_under_another_artist(
    services: Services, tmp_path: Path
) -> None:
    """Before or after the file of the work's own artist, of known works and of new ones."""
    files = {"Ann/1.png": 1, "Zed/1.png": 1, "Aaron/2.png": 2, "Ann/2.png": 2, "Ann/z.png": 1}
    files |= {"Aaron/3.png": 3, "Zed/3.png": 3, "Ann/6.png": 6, "Zed/6.png": 6}
    files |= {"Ann/20.png": 20, "Zed/20.png": 20, "Aaron/21.png": 21, "Zed/21.png": 21}
    denying = ("Zed/1", "Aaron/2", "Zed/3", "Zed/6", "Zed/20", "Aaron/21")
    rows = "".join(f"{name}.png,no\n" for name in denying)
    source = written(tmp_path / "q", files | BETWEEN, f"file_name,consent_index\n{rows}")

    shown = both(services, source)

    assert (shown.refused, shown.withdrawn, shown.added) == (13, 3, 16)
    assert reasons(shown, 1) == [queries.WITHDREW, FORBIDS]
    assert reasons(shown, 2) == [FORBIDS, queries.WITHDREW]
    assert reasons(shown, 3) == [ELSEWHERE, FORBIDS]  # it may be Ann's, and she has not said so
    assert reasons(shown, 6) == [queries.WITHDREW, FORBIDS]
    assert (reasons(shown, 20), reasons(shown, 21)) == ([ELSEWHERE, FORBIDS], [FORBIDS, ELSEWHERE])
    assert not {"1", "2", "6", "20", "21"} & works(services).keys()
    assert "3" in works(services)


def test_a_no_to_be_shown_is_foreseen_under_another_artist(
    services: Services, tmp_path: Path
) -> None:
    """The work's own file is said to be corrected, wherever the no stands."""
    files = {"Ann/4.png": 4, "Zed/4.png": 4, "Aaron/5.png": 5, "Ann/5.png": 5}
    files |= {"Ann/22.png": 22, "Zed/22.png": 22}
    rows = "Zed/4.png,no\nAaron/5.png,no\nZed/22.png,no\n"
    source = written(tmp_path / "q", files | BETWEEN, f"file_name,consent_display\n{rows}")

    shown = both(services, source)

    assert (shown.added, shown.corrected, shown.conflicts) == (17, 2, 3)
    assert reasons(shown, 4)[0] == reasons(shown, 5)[1] == "consent_display: yes → no"
    found = works(services)
    assert [found[name] for name in ("4", "5", "22")] == [("Ann", False)] * 3


def test_an_archive_is_foreseen_as_well(services: Services, tmp_path: Path) -> None:
    """An upload knows every no of its archive before the first file too."""
    files = {"Ann/1.png": 1, "Zed/1.png": 1, "Ann/20.png": 20, "Zed/20.png": 20}
    rows = "file_name,consent_index\nZed/1.png,no\nZed/20.png,no\n"
    folder = written(tmp_path / "q", files | BETWEEN, rows)
    archive = Path(shutil.make_archive(str(tmp_path / "q"), "zip", folder))

    shown = preview_archive(services, archive, AS_IT_IS, BY_RULE)
    done = finish(services, accept_archive(services, archive, AS_IT_IS, BY_RULE))

    assert counts(shown) == counts(done)
    assert (shown.added, shown.refused, shown.withdrawn) == (16, 4, 1)


def test_another_artist_than_the_folder_is_said_by_both(services: Services, tmp_path: Path) -> None:
    """Before the job, and at its end."""
    source = written(tmp_path / "q", {"Ann/30.png": 30}, "file_name,artist\nAnn/30.png,Zed\n")

    shown, done = preview(services, read_source(source)), ingest(services, source)

    assert list(shown.remarks) == list(done.remarks)
    assert list(done.remarks) == [
        "1 work has another artist than its folder says: Ann/30.png by Zed"
    ]
