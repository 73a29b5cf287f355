"""`lawful works`: what is registered, on the terminal or as a table that ingest reads."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from api.cli.common import (
    SOME_REFUSED,
    check_writable,
    plain,
    progress_bar,
    settings_from_environment,
    status_console,
)
from attribution.errors import BadInput
from attribution.whole import written_whole

if TYPE_CHECKING:
    from attribution.catalogue.models import ArtworkStatus
    from attribution.collection import Stores
    from ingest.exports import Files, Row

SHOWN = 100  # works on the terminal, unless --limit says otherwise
SCREEN = 50  # works in one table
WIDTHS = {"work, id": 36, "artist, status": 19, "licence, consent": 21}  # 80 columns with gaps


def works(
    artist: Annotated[str | None, typer.Option(help="Only works of this artist (slug).")] = None,
    status: Annotated[
        str | None, typer.Option(help="Only works in this state, such as failed; default: all.")
    ] = None,
    licence: Annotated[
        str | None,
        typer.Option(help="Only works under this licence, in any spelling, or with this text."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="File to write; default: stdout.")] = None,
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="Maximum number of works; default: 100 shown, all exported."),
    ] = None,
    *,
    as_csv: Annotated[bool, typer.Option("--csv", help="Export CSV, for spreadsheets.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Export one JSON array, one work per line.")
    ] = False,
    as_jsonl: Annotated[
        bool, typer.Option("--jsonl", help="Export JSON Lines, one object per work.")
    ] = False,
    as_parquet: Annotated[
        bool, typer.Option("--parquet", help="Export Parquet; needs --out.")
    ] = False,
    files: Annotated[
        bool,
        typer.Option("--files", help="Copy files from elsewhere into a folder next to the table."),
    ] = False,
) -> None:
    """List the works of the catalogue, in the order in which they were registered.

    With --csv, --json, --jsonl or --parquet, or an --out that ends like one of them, writes a table
    with every field that ingest reads, and id, sha256, licence_id, rights, status, reason,
    path_seen. `lawful ingest TABLE` reads it back without loss if the files are next to it:
    file_name is relative to the folder of --out, or to the current folder, and empty for a work
    whose file is not there. --files copies originals that were kept (LAWFUL_KEEP_ORIGINALS) and
    files from elsewhere.

    Exit code 3: --files could not find the files of some works.

    Example: [bold]lawful works --artist ann-example --out portfolio/works.csv[/]
    """
    from attribution.catalogue import queries
    from attribution.collection import open_stores
    from ingest.exports import read_pages

    state = _state(status) if status else None
    flags = {"csv": as_csv, "json": as_json, "jsonl": as_jsonl, "parquet": as_parquet}
    kind = _kind([name for name, is_given in flags.items() if is_given], out)
    if kind is None and files:
        raise BadInput("--files goes with a table; give --out works.csv")
    if out:
        check_writable(out, "--out")
    with open_stores(settings_from_environment()) as stores:
        with stores.sessions() as session:
            artist_id = queries.artist_by_slug(session, artist).id if artist else None
            wanted = queries.WorksWanted(artist_id, state, licence)
            total = queries.count_artworks(session, wanted)
        most = limit or (SHOWN if kind is None else total)
        pages = read_pages(stores, wanted, _files(kind, out, stores, copies=files), limit=most)
        if kind is None:
            _show(Console(), pages, total)
            return
        missing = _export(pages, kind, out, min(total, most))
    if files and total:
        # Ingest knows a table by its ending.
        is_table = out is not None and out.suffix.lower() == f".{kind}"
        table = shlex.quote(str(out)) if is_table else f"TABLE.{kind}"
        said = plain(f"to bring them back: lawful ingest {table}")
        status_console().print(said, markup=False, soft_wrap=True)
    if files and missing:
        raise typer.Exit(SOME_REFUSED)


def _state(status: str) -> ArtworkStatus:
    from attribution.catalogue.models import ArtworkStatus

    if status not in set(ArtworkStatus):
        raise BadInput(f"--status {status} is not one of {', '.join(ArtworkStatus)}")
    return ArtworkStatus(status)


def _kind(flags: list[str], out: Path | None) -> str | None:
    """Return the format that is asked for, None for the terminal; raises BadInput."""
    from ingest.exports import FORMATS

    if len(flags) > 1:
        raise BadInput(f"--{flags[0]} and --{flags[1]} exclude each other; give one")
    ending = out.suffix.lower().removeprefix(".") if out else ""
    if out and not flags and ending not in FORMATS:
        raise BadInput(
            f"--out {out}: say how to write it; end it in {', '.join(f'.{one}' for one in FORMATS)}"
        )
    kind = flags[0] if flags else ending or None
    if kind == "parquet" and out is None:
        raise BadInput("--parquet is not text; give --out works.parquet")
    return kind


def _files(kind: str | None, out: Path | None, stores: Stores, *, copies: bool) -> Files:
    from ingest.exports import AsSent, Copied, InFolder

    folder = out.parent if out else Path()
    if kind is None:
        return AsSent()
    return Copied(folder, stores) if copies else InFolder(folder)


def _export(pages: Iterator[list[Row]], kind: str, out: Path | None, total: int) -> int:
    """Write a table; say how many works it has, and return of how many no file is known."""
    from ingest.exports import FORMATS

    console, done, missing = status_console(), 0, 0
    with progress_bar(console) as bar:
        task = bar.add_task("exporting", total=total)

        def counted() -> Iterator[list[Row]]:
            nonlocal done, missing
            for page in pages:
                yield page
                done += len(page)
                missing += sum(row["file_name"] is None for row in page)
                bar.update(task, completed=done)

        _write(FORMATS[kind].write(counted()), out)
    said = f"{_counted(done)}{f' in {out}' if out else ''}"
    if missing:
        said += (
            f"; {missing} without a file there: file_name is empty, path_seen says where they came "
            f"from (--files copies those that exist)"
        )
    console.print(plain(said), markup=False, soft_wrap=True)
    return missing


def _write(pieces: Iterator[bytes], out: Path | None) -> None:
    """Write to stdout, or a file that appears whole or not at all."""
    if out is None:
        try:
            for piece in pieces:
                sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
        except BrokenPipeError:  # whoever reads, such as `head`, has enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit from None
        return
    try:
        with written_whole(out) as new, new.open("wb") as file:
            file.writelines(pieces)
    except OSError as error:
        raise BadInput(f"--out {out} cannot be written: {error.strerror}") from None


def _show(console: Console, pages: Iterator[list[Row]], total: int) -> None:
    """Print works in tables of one shape, two lines a work or more: nothing is cut off."""
    shown = 0
    for page in pages:
        for start in range(0, len(page), SCREEN):
            table = Table(box=None, pad_edge=False, show_header=not shown)
            for heading, width in WIDTHS.items():
                table.add_column(heading, width=width, overflow="fold")
            for row in page[start : start + SCREEN]:
                table.add_row(*map(escape, map(_lines, _cells(row))))
                shown += 1
            console.print(table)
    if not total:
        console.print("no works; start with: lawful ingest FOLDER, or change the filters")
    elif shown < total:
        console.print(f"{shown} of {_counted(total)}; --limit shows more, --out works.csv has all")
    else:
        console.print(_counted(total))


def _counted(works: int) -> str:
    return "1 work" if works == 1 else f"{works:,} works"


def _cells(row: Row) -> tuple[list[str], ...]:
    """Return the lines of the three cells of a work."""
    when = row["dated"] or row["year"]
    title = row["title"] or "untitled"
    consent = [name.removeprefix("consent_") for name in row if _is_granted(row, name)]
    reason = [row["reason"]] if row["reason"] else []
    return (
        [f"{title} ({when})" if when else title, row["id"]],
        [row["artist"], ": ".join([row["status"], *reason])],
        [row["licence_id"] or row["licence"] or "no licence", ", ".join(consent) or "no consent"],
    )


def _is_granted(row: Row, column: str) -> bool:
    return column.startswith("consent_") and row[column]


def _lines(texts: list[str]) -> str:
    return "\n".join(map(plain, texts))
