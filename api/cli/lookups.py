"""`lawful lookups`: many images looked up by workers, one by one, and what they say together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from api.cli.common import (
    SOME_REFUSED,
    end_on_sigterm,
    plain,
    print_json,
    settings_from_environment,
)
from api.cli.loading import open_queue
from api.cli.watching import UNFINISHED, Stand, watch
from attribution.errors import BadInput, LawfulError, TooLarge

if TYPE_CHECKING:
    from api.lookups import LookupBatchDetail, LookupItemOut
    from attribution.collection import Stores
    from attribution.lookup.batches import BatchFindings
    from ingest.work.jobs import JobQueue

app = typer.Typer(
    help="Many images at once: start, list, show, findings, cancel, retry.", no_args_is_help=True
)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
BatchId = Annotated[
    UUID, typer.Argument(help="Id of a batch, as `lawful lookups list` shows it.", metavar="ID")
]
Level = Annotated[
    float,
    typer.Option(min=0.001, max=0.999, help="False discovery rate of resemblance in style."),
]


@app.command()
def start(
    source: Annotated[
        Path,
        typer.Argument(
            help="Zip or tar of images, CSV with a column url, or JSON list of work ids.",
            metavar="FILE",
        ),
    ],
    level: Level = 0.1,
    *,
    as_json: Json = False,
) -> None:
    """Look up many images, and say which registered works they show and whose styles they resemble.

    Each answer is recorded like one of `lawful attribute`. Images that cannot be read or fetched
    are listed with the reason, and the others are looked up. After an interruption `lawful lookups
    retry` resumes the batch: nothing is looked up twice. With LAWFUL_BROKER_URL set, workers run
    it; otherwise this command does.

    Exit code 3: some images could not be looked up.

    Example: [bold]lawful lookups start downloads.zip[/]
    """
    _check(source)
    end_on_sigterm()
    with open_queue(settings_from_environment(), as_json=as_json) as queue:
        _finish(queue, _accepted(queue.stores, source), level, as_json=as_json)


@app.command("list")
def list_batches(
    limit: Annotated[int, typer.Option(min=1, max=500, help="Batches to show.")] = 20,
    *,
    as_json: Json = False,
) -> None:
    """List lookup batches, newest first.

    Example: [bold]lawful lookups list[/]
    """
    from api.lookups import LookupBatchDetail
    from attribution.catalogue import queries
    from attribution.collection import open_stores

    with open_stores(settings_from_environment()) as stores, stores.sessions() as session:
        rows = queries.list_lookup_batches(session, limit=limit).items
        batches = [LookupBatchDetail.of(session, row.id) for row in rows]
    if as_json:
        print_json({"batches": [one.model_dump(mode="json") for one in batches]})
        return
    table = Table(box=None, pad_edge=False)
    for name in ("id", "status", "images", "created"):
        table.add_column(name, no_wrap=True)
    table.add_column("name", overflow="fold")
    for one in batches:
        begun = f"{one.created_at:%Y-%m-%d %H:%M}"
        done, total = _progress(one)
        table.add_row(str(one.id), one.status, f"{done}/{total}", begun, escape(plain(one.name)))
    Console().print(table if batches else "no lookup batches")


@app.command()
def show(
    batch_id: BatchId,
    limit: Annotated[int, typer.Option(min=1, max=500, help="Images to show.")] = 100,
    *,
    refused: Annotated[bool, typer.Option(help="Only images that could not be looked up.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object that lists every image.")
    ] = False,
) -> None:
    """Show how far a lookup batch is, and what was found for each image so far.

    Example: [bold]lawful lookups show ID --refused[/]
    """
    from api.lookups import LookupBatchDetail
    from attribution.collection import open_stores

    with open_stores(settings_from_environment()) as stores:
        with stores.sessions() as session:
            batch = LookupBatchDetail.of(session, batch_id)
        items = _items(stores, batch_id, None if as_json else limit, only_refused=refused)
    if as_json:
        listed = [one.model_dump(mode="json") for one in items]
        print_json({"batch": batch.model_dump(mode="json"), "items": listed})
    else:
        _show_batch(Console(soft_wrap=True), batch, items)


@app.command()
def findings(batch_id: BatchId, level: Level = 0.1, *, as_json: Json = False) -> None:
    """Say which registered works the images show so far, and whose styles they resemble.

    Example: [bold]lawful lookups findings ID --level 0.05[/]
    """
    from attribution.collection import open_stores
    from attribution.lookup.batches import findings_of

    with open_stores(settings_from_environment()) as stores, stores.sessions() as session:
        _tell(findings_of(session, batch_id, level=level), as_json=as_json)


@app.command()
def cancel(batch_id: BatchId) -> None:
    """Stop a lookup batch after the current image; answers are kept.

    Example: [bold]lawful lookups cancel ID[/]
    """
    from attribution.collection import open_stores
    from ingest import lookups

    with open_stores(settings_from_environment()) as stores:
        lookups.cancel(stores, batch_id)
    Console().print(f"cancelled; `lawful lookups retry {batch_id}` resumes it where it stopped")


@app.command()
def retry(batch_id: BatchId, level: Level = 0.1, *, as_json: Json = False) -> None:
    """Resume a lookup batch where it stopped: interrupted, failed, cancelled, or with timeouts.

    Example: [bold]lawful lookups retry ID[/]
    """
    from attribution.catalogue import queries
    from ingest import lookups

    end_on_sigterm()
    with open_queue(settings_from_environment(), as_json=as_json) as queue:
        with queue.stores.sessions() as session:
            status = queries.lookup_batch_by_id(session, batch_id).status
        if status not in UNFINISHED:
            lookups.retry(queue.stores, batch_id)
        _finish(queue, batch_id, level, as_json=as_json)


def _check(source: Path) -> None:
    if not source.is_file():
        what = "is a folder" if source.is_dir() else "does not exist"
        raise BadInput(
            f"{source} {what}; give a zip or tar of images, a CSV with a column url, or a JSON "
            f"list of work ids"
        )


def _accepted(stores: Stores, source: Path) -> UUID:
    """Take in a file of this machine as if it were sent; raises BadInput, TooLarge."""
    from ingest.lookups import accept, accept_works

    if source.suffix.lower() == ".json":
        return accept_works(stores, _ids(source))
    limit = stores.settings.max_archive_mb
    if source.stat().st_size > limit * 2**20:
        raise TooLarge(f"{source} has more than {limit:g} MiB; split it (LAWFUL_MAX_ARCHIVE_MB)")
    with source.open("rb") as file:
        return accept(stores, file, source.name)


def _ids(path: Path) -> list[str]:
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(list[str]).validate_json(path.read_bytes())
    except ValidationError as error:
        said = error.errors()[0]["msg"]
        raise BadInput(f'{path}: {said}; write a list of work ids: ["…", "…"]') from None


def _finish(queue: JobQueue, batch_id: UUID, level: float, *, as_json: bool) -> None:
    """Have a batch run, watch it to its end, and print what it has found."""
    from api.lookups import LookupBatchDetail
    from attribution.catalogue.models import JobStatus
    from attribution.lookup.batches import findings_of

    sessions = queue.stores.sessions

    def look() -> Stand:
        with sessions() as session:
            batch = LookupBatchDetail.of(session, batch_id)
        return Stand(batch.status, *_progress(batch), batch.waiting, batch.error)

    def end(seen: Stand) -> BatchFindings:
        if seen.status is JobStatus.FAILED:
            again = f"; `lawful lookups retry {batch_id}` resumes it where it stopped"
            raise LawfulError(f"{seen.error}{again if seen.total else ''}")
        with sessions() as session:
            return findings_of(session, batch_id, level=level)

    queue.look_up(batch_id)
    resumes = f"batch {batch_id} resumes where it stopped: lawful lookups retry {batch_id}"
    found = watch(queue, look, end, resumes=resumes)
    if not as_json:
        Console().print(f"batch {batch_id}")
    _tell(found, as_json=as_json, batch_id=batch_id)
    if found.unreadable:
        raise typer.Exit(SOME_REFUSED)


def _tell(found: BatchFindings, *, as_json: bool, batch_id: UUID | None = None) -> None:
    from api.answers import BatchFindingsOut
    from api.cli.render import show_batch

    if as_json:
        begun = {"batch": str(batch_id)} if batch_id else {}
        print_json(begun | BatchFindingsOut.of(found).model_dump(mode="json"))
    else:
        show_batch(Console(), found)


def _items(
    stores: Stores, batch_id: UUID, limit: int | None, *, only_refused: bool
) -> list[LookupItemOut]:
    """Return images of a batch: the first ones, or with no limit all."""
    from api.lookups import LookupItemOut
    from attribution.catalogue import queries
    from attribution.catalogue.queries.lookups import WITHOUT_ANSWER

    outcomes = WITHOUT_ANSWER if only_refused else ()
    items: list[LookupItemOut] = []
    cursor: str | None = None
    with stores.sessions() as session:
        while True:
            page = queries.list_lookup_items(
                session, batch_id, outcomes=outcomes, cursor=cursor, limit=limit or 500
            )
            items += map(LookupItemOut.of, page.items)
            cursor = page.next
            if limit or cursor is None:
                return items


def _progress(batch: LookupBatchDetail) -> tuple[int, int]:
    from attribution.catalogue.models import LookupOutcome

    total = sum(batch.outcomes.values())
    return total - batch.outcomes[LookupOutcome.PENDING], total


def _show_batch(console: Console, batch: LookupBatchDetail, items: list[LookupItemOut]) -> None:
    from attribution.lookup.wording import VERDICTS

    console.print(plain(f"{batch.id} {batch.status}: {batch.name}"), markup=False)
    if batch.error:
        console.print(plain(f"  {batch.error}"), style="red", markup=False)
    if batch.waiting:
        console.print(plain(f"  waiting: {batch.waiting}"), style="yellow", markup=False)
    counts = ", ".join(f"{count:,} {outcome}" for outcome, count in batch.outcomes.items())
    console.print(f"  images: {counts}")
    for one in items:
        said = one.reason or one.outcome.value
        if one.answer:
            said = f"{VERDICTS[one.answer.verdict]}; lawful show {one.answer.id}"
        console.print(plain(f"  {one.name}: {said}"), markup=False, highlight=False)
    if len(items) < sum(batch.outcomes.values()):
        console.print("  --limit shows more, --json lists every image")
