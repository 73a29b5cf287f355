"""`lawful ingest` and `lawful add`: works become findable."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table

from api.cli.common import (
    SOME_REFUSED,
    existing_file,
    plain,
    print_json,
    progress_bar,
    settings_from_environment,
    status_console,
)
from attribution.errors import BackendUnavailable, BadInput, LawfulError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from attribution.config import Settings
    from ingest.jobs import JobQueue
    from ingest.sources import SourceItem
    from ingest.summary import Summary

UNFINISHED = ("listing", "queued", "running")
POLL_S = 0.2
OUTAGE_POLL_S = 2
SHOWN = 20  # refusals listed in the terminal; --json has them all


def ingest(
    source: Annotated[
        Path, typer.Argument(help="A folder, a zip or tar, or a CSV/JSONL/Parquet manifest.")
    ],
    artist: Annotated[str | None, typer.Option(help="Every work is by this artist.")] = None,
    names_encoding: Annotated[
        str | None,
        typer.Option(help="Of names in an archive that are not UTF-8, such as cp932 or cp850."),
    ] = None,
    *,
    dry_run: Annotated[bool, typer.Option(help="Read and check, write nothing.")] = False,
    reinstate: Annotated[bool, typer.Option(help="Take withdrawn works in again.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One object with every file.")] = False,
) -> None:
    """Bring a portfolio into the catalogue and the index.

    A folder has one folder per artist. A metadata.csv or metadata.jsonl in it, or in any folder
    below, says more about the files beside and below it; the nearer one counts. Columns:
    file_name (or path), artist, title, caption, tags (separated by commas), year, licence, source,
    and consent_index, consent_display, consent_train, consent_generate (yes or no). A manifest
    takes only the files that it names. What a row says otherwise than before corrects a work that
    is known; an empty cell leaves it as it is.

    Links to files inside the folder are followed; links that lead out of it, and links to folders,
    are refused. What cannot be used is listed with its reason, and the rest goes on.

    A zip, tar or tar.gz archive is unpacked within the limits of uploads (LAWFUL_MAX_ARCHIVE_MB,
    LAWFUL_MAX_ARCHIVE_FILES) and read like a folder.

    A zip, tar or tar.gz archive is read like a folder, within the limits of uploads
    (LAWFUL_MAX_ARCHIVE_MB, LAWFUL_MAX_ARCHIVE_FILES).

    Run it again after an interruption or with new works: nothing is done twice.
    With LAWFUL_BROKER_URL the workers do it; otherwise it is done here.
    Exit code 0: every file is known now; 3: some were refused; 1: nothing could be done.

    Example: [bold]lawful ingest ~/portfolios[/]
    """
    from ingest.archives import is_archive_file
    from ingest.sources import read_source

    settings = settings_from_environment()
    started = time.monotonic()
    if is_archive_file(source):
        summary = _ingest_archive(
            settings, source, artist, names_encoding, dry_run=dry_run, reinstate=reinstate
        )
    elif names_encoding is not None:
        raise BadInput(f"--names-encoding is about the names in an archive; {source} is none")
    else:
        items = read_source(source, artist=artist)
        summary = _ingest_items(settings, source, items, dry_run=dry_run, reinstate=reinstate)
    seconds = time.monotonic() - started
    if as_json:
        print_json(summary.as_json(seconds=seconds))
    else:
        show(Console(), summary, seconds, dry_run=dry_run)
    if summary.refused:
        raise typer.Exit(SOME_REFUSED)


def _ingest_items(
    settings: Settings,
    source: Path,
    items: Iterable[SourceItem],
    *,
    dry_run: bool,
    reinstate: bool,
) -> Summary:
    from attribution.services import open_stores
    from ingest.jobs import open_queue
    from ingest.reading import preview

    if dry_run:
        with open_stores(settings) as stores:
            return preview(stores, items)
    with open_queue(settings) as queue:
        return run(queue, source, items, reinstate=reinstate)


def _ingest_archive(
    settings: Settings,
    archive: Path,
    artist: str | None,
    names_encoding: str | None,
    *,
    dry_run: bool,
    reinstate: bool,
) -> Summary:
    from attribution.services import open_stores
    from ingest.jobs import open_queue
    from ingest.uploads import accept_archive, preview_archive

    if dry_run:
        with open_stores(settings) as stores:
            return preview_archive(stores, archive, artist, names_encoding)
    with open_queue(settings) as queue:
        job_id = accept_archive(
            queue.stores, archive, artist, names_encoding=names_encoding, reinstate=reinstate
        )
        return _run_job(queue, job_id)


def add(
    image: Annotated[Path, typer.Argument(help="The file of one work.")],
    artist: Annotated[str, typer.Option(help="Who made it.")],
    title: Annotated[str | None, typer.Option(help="Default: the file's name.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A keyword; repeatable.")] = None,
    year: Annotated[
        int | None, typer.Option(min=-10_000, max=10_000, help="When it was made.")
    ] = None,
    licence: Annotated[str | None, typer.Option(help="Such as CC-BY-4.0.")] = None,
    *,
    reinstate: Annotated[bool, typer.Option(help="Take it in again if withdrawn.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One object.")] = False,
) -> None:
    """Add one work; it can be found when the command ends, a few seconds later.

    Example: [bold]lawful add boat.png --artist "Ann Example" --title "Red boat"[/]
    """
    from attribution.catalog.names import tidy
    from ingest.jobs import open_queue
    from ingest.sources import SourceItem, one_line

    item = SourceItem(
        path=existing_file(image),
        artist=tidy(artist),
        title=one_line(title or image.stem) or image.stem,
        tags=tuple(text for one in tag or () if (text := one_line(one))),
        year=year,
        licence=one_line(licence or "") or None,
        said=tuple(
            name
            for name, given in (
                ("title", title),
                ("tags", tag),
                ("year", year is not None),
                ("licence", licence),
            )
            if given
        ),
    )
    started = time.monotonic()
    with open_queue(settings_from_environment()) as queue:
        summary = run(queue, image, iter([item]), reinstate=reinstate)
    if as_json:
        print_json(summary.as_json(seconds=time.monotonic() - started))
    else:
        show(Console(), summary, time.monotonic() - started)
    if summary.refused:
        raise typer.Exit(SOME_REFUSED)


def run(
    queue: JobQueue, source: Path, items: Iterable[SourceItem], *, reinstate: bool = False
) -> Summary:
    """List the files, have the job run, and watch its rows until it ends."""
    from ingest.listing import plan

    stores = queue.stores
    job_id = plan(stores, str(source.resolve()), items, staged=queue.staged, reinstate=reinstate)
    return _run_job(queue, job_id)


def _run_job(queue: JobQueue, job_id: UUID) -> Summary:
    queue.submit(job_id)
    summary = watch(queue, job_id)
    with status_console().status("finding out what the votes mean now"):
        queue.wait()
    return summary


def watch(queue: JobQueue, job_id: UUID) -> Summary:
    """Show the progress of a job until it ends; raises LawfulError when it fails."""
    from attribution.catalog import queries
    from attribution.catalog.models import JobStatus
    from ingest.summary import summarise

    stores, console = queue.stores, status_console()
    try:
        with progress_bar(console) as bar:
            task = bar.add_task("ingesting")
            while True:
                try:
                    with stores.sessions() as session:
                        job = queries.job_by_id(session, job_id)
                        done, total = queries.job_progress(session, job_id)
                    if job.status not in UNFINISHED:
                        bar.update(task, completed=done, total=total, description=job.status.value)
                        summary = summarise(stores, job_id)
                        break
                    bar.update(task, completed=done, total=total, description=job.status.value)
                except BackendUnavailable:  # the job does not depend on who watches it
                    bar.update(task, description="the database does not answer, waiting")
                    time.sleep(OUTAGE_POLL_S)
                time.sleep(POLL_S)
    except KeyboardInterrupt:
        console.print(f"job {job_id} goes on where it stopped: lawful jobs show {job_id}")
        raise
    if job.status is JobStatus.FAILED:
        raise LawfulError(f"{job.error}; `lawful jobs retry {job_id}` goes on where it stopped")
    return summary


def show(
    console: Console, summary: Summary, seconds: float | None, *, dry_run: bool = False
) -> None:
    """Print the counts of a job, and what was refused or claimed twice."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_row("would be added" if dry_run else "added", str(summary.added), style="green")
    table.add_row("already known", str(summary.known))
    if summary.corrected:
        corrected = "would be corrected" if dry_run else "corrected"
        table.add_row(f"  of these {corrected}", str(summary.corrected), style="green")
    if summary.conflicts:
        table.add_row("  of these claimed by two artists", str(summary.conflicts), style="yellow")
    table.add_row("refused", str(summary.refused), style="red" if summary.refused else None)
    table.add_row("artists", str(summary.artists))
    if seconds is not None:
        table.add_row("seconds", f"{seconds:.1f}")
    console.print(table)
    odd = [item for item in summary.items if item.reason]
    for item in odd[:SHOWN]:
        said = plain(f"  {item.outcome.value}: {item.path}: {item.reason}")
        console.print(said, markup=False, soft_wrap=True)
    if len(odd) > SHOWN:
        console.print(f"  … and {len(odd) - SHOWN} more; --json lists every file")
