"""For those who run it: `migrate`, `worker`, `beat`, and what looks after the stores."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.table import Table

from api.cli.common import (
    check_writable,
    print_json,
    progress_bar,
    settings_from_environment,
    status_console,
)
from attribution.errors import BadInput, Conflict

if TYPE_CHECKING:
    from attribution.arithmetic.reliability import Reliability
    from attribution.catalogue.models import Withdrawal
    from attribution.config import Settings

DIFFERED = 4  # exit code of reconcile: something differs and was not repaired
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def migrate() -> None:
    """Create or update the database tables; run it once before starting a new release.

    Example: [bold]lawful migrate[/]
    """
    from attribution.collection import open_database

    with open_database(settings_from_environment()) as database:
        before = database.current_revision()
        database.upgrade()
        after = database.current_revision()
        said = f"{database.masked_url}: {before or 'empty'} → {after}"
    Console(soft_wrap=True).print(said, markup=False)


def worker(
    pool: Annotated[
        Literal["prefork", "solo", "threads"],
        typer.Option(help="solo or threads on a GPU: CUDA does not survive a fork."),
    ] = "prefork",
    concurrency: Annotated[int, typer.Option(min=1, help="Batches to process at a time.")] = 1,
    queues: Annotated[
        str, typer.Option(help="Queues to serve, separated by commas.")
    ] = "ingest,encode,lookup,generate,maintenance,upkeep",
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Check the worker on this machine; start none.")
    ] = False,
) -> None:
    """Run the jobs of LAWFUL_BROKER_URL; every process loads its models once.

    With --check, asks the worker on this machine whether it is ready, as GET /readyz asks the API.
    Exit code 0: it is ready; 1: it is not, or does not answer.

    Example: [bold]lawful worker --queues encode --pool solo[/]
    """
    from ingest.work.application import QUEUES

    _with_broker()
    if check:
        _check_worker()
        return
    if unknown := set(queues.split(",")) - set(QUEUES):
        raise BadInput(f"--queues {queues}: no queue {min(unknown)!r}; known: {', '.join(QUEUES)}")
    from ingest.work.worker import app

    app.worker_main(
        [
            "worker",
            *("--pool", pool, "--concurrency", str(concurrency), "--queues", queues),
            *("--loglevel", "INFO", "--without-gossip", "--without-mingle"),
        ]
    )


def _check_worker() -> None:
    from ingest.work.application import make_app
    from ingest.work.dispatch import worker_readiness

    app = make_app(settings_from_environment())
    checks = worker_readiness(app, f"celery@{socket.gethostname()}")
    ready = all(said == "ok" for said in checks.values())
    print_json({"ready": ready, "checks": checks})
    if not ready:
        raise typer.Exit(1)


def beat() -> None:
    """Send the periodic tasks: lost messages, dead workers, comparing catalogue and index.

    Run exactly one, next to the workers.

    Example: [bold]lawful beat[/]
    """
    _with_broker()
    from ingest.work.worker import app

    # In memory: all periods are short, nothing is lost with them.
    app.start(["beat", "--loglevel", "INFO", "--scheduler", "celery.beat:Scheduler"])


def withdraw(
    what: Annotated[str, typer.Argument(help="Slug of an artist, or id of an artwork.")],
    reason: Annotated[str, typer.Option(help="Reason, for the receipt.")],
    receipt: Annotated[
        Path | None,
        typer.Option(help="Write the receipt here, signed, for those who have an evidence pack."),
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Remove an artwork, or an artist with all works, everywhere; prints a receipt.

    Searches stop returning it at once. Enough is kept to recognise the file: a later ingest refuses
    it, unless --reinstate is given.

    Example: [bold]lawful withdraw ann-example --reason "asked for by the artist"[/]
    """
    from attribution.collection import open_collection, open_stores
    from attribution.desk.receipts import sign_receipt
    from attribution.provenance.own_key import statement_signer
    from attribution.upkeep.calibrating import calibrate_if_due
    from attribution.upkeep.withdrawal import withdraw as withdraw_from

    if receipt:
        check_writable(receipt, "--receipt")
    settings = settings_from_environment()
    with open_stores(settings) as stores, open_collection(stores) as collection:
        row = withdraw_from(collection, what, reason=reason)
        said = _said(row, what)
        if receipt:
            signed = sign_receipt(said, statement_signer(settings))
            receipt.write_text(f"{signed}\n", encoding="ascii")
        if as_json:
            print_json(said)
        else:
            _show_receipt(row)
        if not settings.broker_url:  # else the beat sees to it
            with status_console().status("recalibrating"):
                calibrate_if_due(collection)
    if any(row.receipt["left"].values()):
        left = {name: count for name, count in row.receipt["left"].items() if count}
        raise Conflict(
            f"no search and no answer shows it any more, but not everything could be removed: "
            f"{left}; `lawful reconcile --repair` removes the rest"
        )


def _said(row: Withdrawal, what: str) -> dict[str, Any]:
    """Return a receipt as JSON values, as `lawful verify --receipt` reads it."""
    done = row.completed_at and row.completed_at.isoformat()
    head = {"id": str(row.id), "what": what, "requested_at": row.requested_at.isoformat()}
    return {**head, "completed_at": done, **row.receipt}


def _show_receipt(row: Withdrawal) -> None:
    from attribution.lookup.wording import receipt_said

    receipt = row.receipt
    console = Console()
    console.print(
        f"receipt {row.id}, {row.requested_at:%Y-%m-%d %H:%M UTC}: {len(receipt['works'])} works"
    )
    table = Table("", "before", "after", box=None, pad_edge=False)
    for name, count in receipt["before"].items():
        table.add_row(name, str(count), str(receipt["after"][name]))
    console.print(table)
    table = Table("removed", "", box=None, pad_edge=False)
    for name, count in receipt["removed"].items():
        table.add_row(name, str(count))
    console.print(table)
    for sentence in receipt_said(receipt):
        console.print(sentence, soft_wrap=True)


def reconcile(
    *,
    repair: Annotated[bool, typer.Option(help="Repair what differs.")] = False,
    as_json: Json = False,
) -> None:
    """Compare catalogue and index, work by work; the SQL database is authoritative.

    If it is interrupted, run it again within a day: it resumes.

    Exit code 0: they agree, or were repaired; 4: they differ, or a record was altered
    (`lawful audit verify` says which).

    Example: [bold]lawful reconcile --repair[/]
    """
    from attribution.collection import open_collection, open_stores
    from attribution.upkeep.reconcile import reconcile as reconcile_stores

    with (
        open_stores(settings_from_environment()) as stores,
        open_collection(stores) as collection,
        progress_bar(status_console()) as bar,
    ):
        task = bar.add_task("works", total=None)
        report = reconcile_stores(
            collection,
            repair=repair,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    if as_json:
        print_json(report.as_json())
    else:
        table = Table(box=None, pad_edge=False, show_header=False)
        for name, value in report.as_json().items():
            if isinstance(value, int):
                table.add_row(name.replace("_", " "), str(value))
        Console().print(table)
    if report.altered or not (report.is_clean or repair):
        raise typer.Exit(DIFFERED)


def calibrate(*, as_json: Json = False) -> None:
    """Recalibrate the probabilities by looking up registered works while they are hidden.

    Runs by itself when the catalogue has changed; see docs/confidence.md.

    Example: [bold]lawful calibrate[/]
    """
    from attribution.arithmetic.calibration import FEWEST_ARTISTS, FEWEST_WORKS
    from attribution.arithmetic.reliability import Reliability
    from attribution.collection import open_collection, open_stores
    from attribution.upkeep.calibrating import calibrate as calibrate_collection

    with (
        open_stores(settings_from_environment()) as stores,
        open_collection(stores) as collection,
        progress_bar(status_console()) as bar,
    ):
        task = bar.add_task("looking up works", total=None)
        made = calibrate_collection(
            collection,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    if not made:
        raise BadInput(
            f"too few works are registered to calibrate: it takes {FEWEST_WORKS} works by "
            f"{FEWEST_ARTISTS} artists who have other pictures too; until then answers show "
            f"shares of the vote and no probabilities"
        )
    if as_json:
        state = {name: getattr(made, name) for name in ("works", "artists", "asked", "voices")}
        found = made.numbers | {"reliability": made.reliability}
        print_json({"made_at": made.made_at.isoformat()} | state | found)
        return
    console = Console()
    console.print(
        f"calibrated on {made.asked} of {made.works} works by {made.artists} artists, each looked "
        f"up twice: once with it and its near-duplicates hidden, once with its artist hidden"
    )
    table = Table("voice", "weight", box=None, pad_edge=False)
    for voice, weight in zip(made.voices, made.numbers["weights"], strict=True):
        table.add_row(voice, f"{weight:.2f}")
    for space, weight in sorted(made.numbers["spaces"].items()):
        table.add_row(f"part of {space} in the neighbours' share", f"{weight:.2f}")
    console.print(table)
    _show_reliability(console, Reliability.of_json(made.reliability))


def _show_reliability(console: Console, found: Reliability) -> None:
    from attribution.lookup.wording import reliability_said

    console.print(reliability_said(found))
    if not found.bins:
        return
    table = Table("probability", "questions", "on average", "right", "95 %", box=None)
    for one in found.bins:
        table.add_row(
            f"{one.lowest:.1f} to {one.highest:.1f}",
            f"{one.questions:,}",
            f"{one.predicted:.1%}",
            f"{one.right:.1%}",
            f"{one.right_from:.1%} to {one.right_to:.1%}",
        )
    console.print(table)


def reindex(
    profile: Annotated[
        str | None, typer.Option(help="Profile of other encoders; default: the same ones.")
    ] = None,
    *,
    partial: Annotated[
        bool, typer.Option(help="Leave out works whose original was not kept.")
    ] = False,
    keep_old: Annotated[
        bool, typer.Option(help="Keep the collection of the old encoders for now.")
    ] = False,
    drop_old: Annotated[
        bool, typer.Option(help="Only delete the collections that --keep-old kept.")
    ] = False,
) -> None:
    """Rebuild the index from the kept vectors, or with other encoders from the kept originals.

    Without --profile: for a lost or damaged index. The new one is built next to it and then
    replaces it: on a server all running processes answer from the old one until then, from the
    new one afterwards; a folder belongs to this command meanwhile. With --profile: the new
    collection is counted before it replaces the old one. Running processes use the old one as
    long as it exists: give --keep-old, restart them with the new LAWFUL_PROFILE, then run
    --drop-old.

    Example: [bold]lawful reindex --profile standard[/]
    """
    from attribution.collection import open_collection, open_stores
    from attribution.upkeep.calibrating import calibrate_if_due
    from attribution.upkeep.reindex import change_profile, drop_collections, make_anew
    from attribution.upkeep.tenants import for_each

    with (
        open_stores(settings_from_environment()) as stores,
        progress_bar(status_console()) as bar,
    ):
        task = bar.add_task("works")

        def show(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        if drop_old:
            said = f"{drop_collections(stores)} old collections deleted"
        elif profile is None:
            points, lost = make_anew(stores, progress=show)
            said = f"{points} points written; {lost} works have to be ingested again"
        else:
            change_profile(stores, profile, partial=partial, keep_old=keep_old, progress=show)
            bar.update(task, description="recalibrating")
            with open_collection(stores) as collection:
                for_each(stores, lambda: calibrate_if_due(collection))
            said = f"the collection now has profile {profile}: set LAWFUL_PROFILE={profile}"
    Console(soft_wrap=True).print(said, markup=False)


def _with_broker() -> Settings:
    settings = settings_from_environment()
    if not settings.broker_url:
        raise BadInput(
            "LAWFUL_BROKER_URL is empty: jobs run in the process that takes them, and no worker is "
            "needed; set it to redis://… to use workers"
        )
    return settings
