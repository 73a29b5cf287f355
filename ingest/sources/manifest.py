"""A manifest as a source: only the files that it names, relative to itself.

Tables called `metadata` and sidecars next to those files are heard as in a folder: they may say no.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path, PurePath

from ingest.sources.company import Company, company
from ingest.sources.folder import FolderTables
from ingest.sources.item import SourceItem
from ingest.sources.making import LEADS_OUT, make_item
from ingest.sources.rows import NAMED, contradictions
from ingest.sources.sidecars import may_be_sidecar
from ingest.sources.tables import Row, Table, is_called_ours
from ingest.sources.ties import Files, below
from ingest.sources.walk import Entry, leads_to_folder, link_refusal

FEW_ABSENT = 20  # files that are not there and are named one by one
LONGEST_NAME = 1_000  # characters of a path that is shown
ABSENT = "there is no such file"


def manifest_items(
    manifest: Path, table: Table, artist: str | None, granted: Sequence[str]
) -> Iterator[SourceItem]:
    """Yield each file that the rows name, then what could not be used.

    Many rows whose files are not there are one item with their count.
    """
    folder, files = manifest.parent, Files(manifest.parent)
    real_folder = folder.resolve()
    rows: dict[str, list[Row]] = {}  # by file
    lost: list[tuple[Row, str]] = []
    for row in table.rows:
        if not row.name:
            lost.append((row, str(row.refused)))
        elif (path := files.find("", row.name)) is not None:
            rows.setdefault(path, []).append(row)
        elif below("", row.name.replace("\\", "/")) is None:
            lost.append((row, f"{row.name!r} {LEADS_OUT}"))
        else:
            lost.append((row, ABSENT))
    tables, others = _beside(manifest, rows)
    said = FolderTables(folder, tables, Files(folder, rows), others, table)
    for path, about in rows.items():
        refused = link_refusal(folder / path, real_folder)
        row = said.row(path, granted)
        yield make_item(folder / path, row, artist, None, refused, granted)
        for reason in contradictions(about):
            yield _refused(folder / path, about[0], reason, artist)
    for place, row, reason in _few(manifest, lost):
        yield _refused(place, row, reason, artist)


def _beside(manifest: Path, paths: Iterable[str]) -> tuple[list[Entry], list[Path]]:
    """Return what is called as a table of ours or as a sidecar, in the folders of some files."""
    root, real_root = manifest.parent, manifest.parent.resolve()
    tables, others = list[Entry](), list[Path]()
    for folder in sorted({parent for path in paths for parent in PurePath(path).parents}):
        with suppress(OSError):
            for file in sorted(root.joinpath(folder).iterdir()):
                path = file.relative_to(root)
                if file == manifest or leads_to_folder(file):
                    continue
                if company(file.name, is_folder=False) is Company.SYSTEM:
                    continue
                if is_called_ours(path):
                    tables.append(
                        Entry(path, is_folder=False, refused=link_refusal(file, real_root))
                    )
                elif may_be_sidecar(path):
                    others.append(path)
    return tables, others


def _few(manifest: Path, lost: Sequence[tuple[Row, str]]) -> Iterator[tuple[Path, Row, str]]:
    """Yield rows that name no file, each by itself, or one for all where there are many."""
    counts = Counter(reason == ABSENT for _, reason in lost)
    for row, reason in lost:
        if len(row.name) > LONGEST_NAME:
            cut = f"{row.name[:60]!r}… is too long for the name of a file"
            yield manifest, row, f"{row.where}: {cut}"
        elif reason != ABSENT or counts[True] <= FEW_ABSENT:
            path = manifest.parent / row.name if reason == ABSENT else manifest
            yield path, row, f"{row.where}: {reason}"
    if counts[True] > FEW_ABSENT:
        absent = [row for row, reason in lost if reason == ABSENT]
        names = ", ".join(repr(row.name) for row in absent[:NAMED])
        reason = f"{len(absent):,} rows name files that are not there, such as {names}"
        yield manifest, absent[0], f"{manifest.name}: {reason}"


def _refused(path: Path, row: Row, reason: str, artist: str | None) -> SourceItem:
    refused = Row(row.where, {"artist": row.values.get("artist")}, row.name, reason)
    return make_item(path, refused, artist, None, None, ())
