"""`lawful jobs`: what is on its way in, what stopped, and how it goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from api.cli.common import end_on_sigterm, plain, print_json, settings_from_environment
from api.cli.ingest import watch
from api.cli.loading import open_queue
from api.cli.outcomes import show as show_summary
from api.cli.watching import UNFINISHED
from attribution.errors import BackendUnavailable

if TYPE_CHECKING:
    from attribution.catalogue.models import IngestJob
    from attribution.collection import Stores

app = typer.Typer(help="Ingest jobs: list, show, cancel, retry.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
JobId = Annotated[UUID, typer.Argument(help="Id of a job, as `lawful jobs list` shows it.")]


@app.command("list")
def list_jobs(
    limit: Annotated[int, typer.Option(min=1, max=500, help="Jobs to show.")] = 20,
    *,
    failed: Annotated[bool, typer.Option(help="Only failed jobs.")] = False,
    as_json: Json = False,
) -> None:
    """List jobs, newest first.

    Example: [bold]lawful jobs list --failed[/]
    """
    from attribution.catalogue import queries
    from attribution.catalogue.models import JobStatus
    from attribution.collection import open_stores

    status = JobStatus.FAILED if failed else None
    with open_stores(settings_from_environment()) as stores, stores.sessions() as session:
        jobs = queries.list_jobs(session, status=status, limit=limit).items
        progress = {job.id: queries.job_progress(session, job.id) for job in jobs}
    if as_json:
        print_json({"jobs": [_facts(job, *progress[job.id]) for job in jobs]})
        return
    table = Table(box=None, pad_edge=False)
    for name in ("id", "status", "files", "created"):
        table.add_column(name, no_wrap=True)
    for name in ("source", "error") if any(job.error for job in jobs) else ("source",):
        table.add_column(name, overflow="fold")
    for job in jobs:
        done, total = progress[job.id]
        begun = f"{job.created_at:%Y-%m-%d %H:%M}"
        told = [escape(plain(text)) for text in (job.source, job.error or "")]
        table.add_row(
            str(job.id), job.status, f"{done}/{total}", begun, *told[: len(table.columns) - 4]
        )
    Console().print(table if jobs else "no jobs")


@app.command()
def show(job_id: JobId, *, as_json: Json = False) -> None:
    """Show the progress of a job, batch by batch, and what stopped it.

    Example: [bold]lawful jobs show ID[/]
    """
    from attribution.catalogue import queries
    from attribution.collection import open_stores
    from ingest.summary import summarise

    with open_stores(settings_from_environment()) as stores:
        with stores.sessions() as session:
            job = queries.job_by_id(session, job_id)
            batches = queries.batch_counts(session, job_id)
            progress = queries.job_progress(session, job_id)
            trouble = queries.trouble_of(session, job_id)
        if job.status in UNFINISHED and trouble is None:
            trouble = _disk_trouble(stores)
        summary = summarise(stores, job_id)
    counts = {status.value: count for status, count in batches.items()}
    if as_json:
        facts = _facts(job, *progress) | {"waiting": trouble, "batches": counts}
        print_json(facts | summary.as_json(seconds=0))
        return
    console = Console(soft_wrap=True)
    console.print(plain(f"{job.id} {job.status}: {job.source}"), markup=False)
    if job.error:
        console.print(plain(f"  {job.error}"), style="red", markup=False)
    if trouble:
        console.print(plain(f"  waiting: {trouble}"), style="yellow", markup=False)
    console.print("  batches: " + ", ".join(f"{count} {name}" for name, count in counts.items()))
    show_summary(console, summary, seconds=None)


@app.command()
def cancel(job_id: JobId) -> None:
    """Stop a job after the current files; what is done is kept.

    Example: [bold]lawful jobs cancel ID[/]
    """
    from attribution.catalogue import queries
    from attribution.collection import open_stores

    with open_stores(settings_from_environment()) as stores, stores.sessions.begin() as session:
        queries.cancel_job(session, job_id)
    Console().print(f"cancelled; `lawful jobs retry {job_id}` resumes it where it stopped")


@app.command()
def retry(job_id: JobId) -> None:
    """Resume a failed or cancelled job where it stopped.

    Example: [bold]lawful jobs retry ID[/]
    """
    from attribution.catalogue import queries

    end_on_sigterm()
    with open_queue(settings_from_environment()) as queue:
        with queue.stores.sessions.begin() as session:
            queries.retry_job(session, job_id)
        queue.submit(job_id)
        show_summary(Console(), watch(queue, job_id), seconds=None)


def _disk_trouble(stores: Stores) -> str | None:
    """Return what keeps a job from even noting what it waits for."""
    try:
        stores.store.check()
    except BackendUnavailable as outage:
        return str(outage)
    return None


def _facts(job: IngestJob, done: int, total: int) -> dict[str, Any]:
    return {
        "job": str(job.id),
        "status": job.status.value,
        "source": job.source,
        "error": job.error,
        "done": done,
        "files": total,
        "created_at": job.created_at.isoformat(),
    }
