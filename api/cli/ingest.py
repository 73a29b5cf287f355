"""`lawful ingest` and `lawful add`: works become findable."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Literal
from uuid import UUID

import typer
from rich.console import Console

from api.cli import watching
from api.cli.common import (
    SOME_REFUSED,
    end_on_sigterm,
    existing_file,
    print_json,
    settings_from_environment,
    status_console,
)
from api.cli.given_vectors import take_vectors
from api.cli.loading import open_queue
from api.cli.outcomes import profiled, show, show_profile
from api.cli.whose import Names, ask_whose, may_ask
from attribution.errors import BadInput, LawfulError

if TYPE_CHECKING:
    from attribution.collection import Stores
    from attribution.config import Settings
    from ingest.options import Options, Reading
    from ingest.sources import Source
    from ingest.summary import Summary
    from ingest.work.jobs import JobQueue


def ingest(
    source: Annotated[
        Path, typer.Argument(help="Folder, zip or tar, or CSV/JSONL/Parquet manifest.")
    ],
    artist: Annotated[str | None, typer.Option(help="Artist of all works in the source.")] = None,
    names_encoding: Annotated[
        str | None,
        typer.Option(help="Encoding of names in an archive, such as cp932, if not UTF-8."),
    ] = None,
    layout: Annotated[
        Literal["artist", "wrapped"] | None,
        typer.Option(help="Top folders are the artists, or contain the artists' folders."),
    ] = None,
    names: Names = None,
    *,
    vectors: Annotated[
        bool,
        typer.Option("--vectors", help="The source holds vectors of works in place of pictures."),
    ] = False,
    model: Annotated[
        str | None,
        typer.Option(help="With --vectors: the encoders that made them, as `lawful info` has it."),
    ] = None,
    dry_run: Annotated[bool, typer.Option(help="Read and check only; write nothing.")] = False,
    reinstate: Annotated[bool, typer.Option(help="Register withdrawn works again.")] = False,
    allow_freer: Annotated[
        bool, typer.Option(help="Accept rows that grant more, or a freer licence, than before.")
    ] = False,
    profile: Annotated[bool, typer.Option(help="Say where the time went, stage by stage.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object that lists every file.")
    ] = False,
) -> None:
    """Bring a portfolio into the catalogue and the index.

    A folder has one folder per artist. A table called metadata (.csv, .tsv, .jsonl, .json,
    .parquet, .xlsx, .ods) in it, or in any folder below, describes the files in its folder and
    below. Columns: file_name (or path), artist, title, caption, tags, year, dated, licence, source,
    and consent_index, consent_display, consent_train, consent_generate (yes or no). A manifest
    registers only the files that it names. A row that differs from before corrects a registered
    work; an empty cell changes nothing; whatever would allow more than before waits for
    --allow-freer.

    Nothing unreadable counts as a yes: if a row or a column of a table cannot be understood, the
    works that it may concern wait. docs/ingest.md explains how a folder is read; --dry-run shows it
    for yours. Files that cannot be used are listed, and the others are ingested.

    A zip, tar or tar.gz archive is read like a folder, within the limits of uploads
    (LAWFUL_MAX_ARCHIVE_MB, LAWFUL_MAX_ARCHIVE_FILES).

    With --vectors, works come with vectors that were made before: by `lawful bulk`, by others as
    Parquet with a column for each vector, or as clip-retrieval lays them out. No picture is read:
    what only a picture tells, above all copies, is not known of works that come without it.

    Run it again after an interruption or with new works: nothing is done twice. With
    LAWFUL_BROKER_URL set, workers run the job; otherwise this command does.

    --profile says which stage of the work took how long. Stages run at the same time, so that
    their seconds add up to more than the whole took.

    Exit code 0: nothing was refused; 3: something was; 1: nothing could be done.

    Example: [bold]lawful ingest ~/portfolios[/]

    Example: [bold]lawful ingest --vectors ~/laion-art --model 0123456789ab[/]
    """
    from attribution.catalogue.models import NameRule
    from attribution.stages import measured
    from ingest.options import Options, Reading
    from ingest.sources import Level

    settings = settings_from_environment()
    if profile and settings.broker_url and not (dry_run or vectors):
        raise BadInput(
            "--profile measures this process, and LAWFUL_BROKER_URL has workers do the work; "
            "leave one of them out"
        )
    started = time.monotonic()
    reading = Reading(artist, Level(layout) if layout else None, names_encoding)
    rule = NameRule(names or settings.names)
    options = Options(reinstate=reinstate, allow_freer=allow_freer, names=rule)
    with measured() as stages:
        if vectors:
            if dry_run or layout or names_encoding:
                raise BadInput(
                    "--vectors goes with neither --dry-run, --layout nor --names-encoding"
                )
            summary = take_vectors(settings, source, options, artist, model, as_json=as_json)
        elif model:
            raise BadInput("--model says what made vectors; it goes with --vectors")
        else:
            does = _preview if dry_run else partial(_ingest, as_json=as_json)
            summary = does(settings, source, reading, options)
    seconds = time.monotonic() - started
    took = profiled(stages.seconds, len(summary.items)) if profile else []
    if as_json:
        shown = {"profile": took} if profile else {}
        print_json(summary.as_json(seconds=seconds) | shown)
    else:
        show(Console(), summary, seconds, dry_run=dry_run)
        if took:
            show_profile(Console(), took)
    if summary.refused:
        raise typer.Exit(SOME_REFUSED)


def _preview(settings: Settings, source: Path, reading: Reading, options: Options) -> Summary:
    """Say what a job would do."""
    from attribution.collection import open_stores
    from ingest.preview import preview
    from ingest.sources.archives import is_archive_file
    from ingest.uploads import preview_archive

    with open_stores(settings) as stores:
        if is_archive_file(source):
            return preview_archive(stores, source, reading, options)
        return preview(stores, _read(source, reading), options)


def _ingest(
    settings: Settings, source: Path, reading: Reading, options: Options, *, as_json: bool
) -> Summary:
    """Run a job to its end."""
    from ingest.sources.archives import is_archive_file
    from ingest.uploads import accept_archive

    is_archive = is_archive_file(source)
    items = None if is_archive else _read(source, reading)
    if may_ask(options):
        ask_whose(settings, lambda stores: _names(stores, source, reading))
    end_on_sigterm()
    with open_queue(settings, as_json=as_json) as queue:
        if items is not None:
            return run(queue, source, items, options)
        return _run_job(queue, accept_archive(queue.stores, source, reading, options))


def _names(stores: Stores, source: Path, reading: Reading) -> list[str]:
    """Return the artists of a source as it spells them, in order."""
    from ingest.sources.archives import is_archive_file
    from ingest.uploads import names_in_archive

    if is_archive_file(source):
        return names_in_archive(stores, source, reading)
    items = _read(source, reading)
    return list(dict.fromkeys(item.artist for item in items if item.refused is None))


def _read(source: Path, reading: Reading) -> Source:
    from ingest.sources import NoArtist, read_source

    if reading.names_encoding is not None:
        raise BadInput(f"--names-encoding applies to archives only; {source} is not an archive")
    try:
        return read_source(source, artist=reading.artist, level=reading.layout)
    except NoArtist as error:
        way_out = f"--artist {quote(error.may_be or 'NAME')}"
        raise BadInput(f"{error}. To name one for all files: {way_out}") from None


def add(
    image: Annotated[Path, typer.Argument(help="Image file of the work.")],
    artist: Annotated[str, typer.Option(help="Name of the artist.")],
    title: Annotated[str | None, typer.Option(help="Title; default: the name of the file.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Keyword (repeatable).")] = None,
    year: Annotated[
        int | None, typer.Option(min=-10_000, max=10_000, help="Year of the work.")
    ] = None,
    licence: Annotated[str | None, typer.Option(help="Licence, such as CC-BY-4.0.")] = None,
    names: Names = None,
    *,
    reinstate: Annotated[bool, typer.Option(help="Register it again if it was withdrawn.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Add one work; it can be found as soon as the command ends, after a few seconds.

    Example: [bold]lawful add boat.png --artist "Ann Example" --title "Red boat"[/]
    """
    from attribution.catalogue.models import NameRule
    from attribution.catalogue.names import tidy, visible
    from ingest.options import Options
    from ingest.sources import Source, SourceItem

    item = SourceItem(
        path=existing_file(image),
        artist=tidy(artist),
        title=visible(title or image.stem) or image.stem,
        tags=tuple(text for one in tag or () if (text := visible(one))),
        year=year,
        licence=visible(licence or "") or None,
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
    settings = settings_from_environment()
    options = Options(reinstate=reinstate, names=NameRule(names or settings.names))
    if may_ask(options):
        ask_whose(settings, lambda _: [item.artist])
    end_on_sigterm()
    started = time.monotonic()
    with open_queue(settings, as_json=as_json) as queue:
        summary = run(queue, image, Source([item]), options)
    if as_json:
        print_json(summary.as_json(seconds=time.monotonic() - started))
    else:
        show(Console(), summary, time.monotonic() - started)
    if summary.refused:
        raise typer.Exit(SOME_REFUSED)


def run(queue: JobQueue, source: Path, items: Source, options: Options) -> Summary:
    """List the files, have the job run, and watch its rows until it ends."""
    from ingest.listing import plan

    stores = queue.stores
    job_id = plan(stores, str(source.resolve()), items, staged=queue.staged, options=options)
    return _run_job(queue, job_id)


def _run_job(queue: JobQueue, job_id: UUID) -> Summary:
    queue.submit(job_id)
    summary = watch(queue, job_id)
    with status_console().status("recalibrating"):
        queue.wait()
    return summary


def watch(queue: JobQueue, job_id: UUID) -> Summary:
    """Show the progress of a job until it ends; raises LawfulError when it fails."""
    from attribution.catalogue import queries
    from attribution.catalogue.models import JobStatus
    from ingest.summary import summarise

    stores = queue.stores

    def look() -> watching.Stand:
        with stores.sessions() as session:
            job = queries.job_by_id(session, job_id)
            done, total = queries.job_progress(session, job_id)
            waiting = queries.trouble_of(session, job_id)
            return watching.Stand(job.status, done, total, waiting, job.error)

    def end(seen: watching.Stand) -> Summary:
        if seen.status is JobStatus.FAILED:
            raise LawfulError(
                f"{seen.error}; `lawful jobs retry {job_id}` resumes it where it stopped"
            )
        return summarise(stores, job_id)

    resumes = f"job {job_id} resumes where it stopped: lawful jobs show {job_id}"
    return watching.watch(queue, look, end, resumes=resumes)
