"""`lawful audit`: who did what, and whether the records still say what was recorded."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from api.cli.common import (
    check_writable,
    plain,
    print_json,
    progress_bar,
    settings_from_environment,
    status_console,
)
from attribution.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from attribution.catalogue.models import AuditEntry
    from attribution.catalogue.verification import Findings, Head
    from attribution.collection import Stores

DIFFERED = 4  # exit code of verify: a record does not say what was recorded
PAGE = 1_000
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object per entry.")]
Since = Annotated[
    str | None,
    typer.Option(metavar="ENTRY|TIME", help="From this entry on: its number, or a time (UTC)."),
]

app = typer.Typer(
    name="audit",
    help="Who did what, and whether the records still say what was recorded.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)


@app.command("list")
def list_entries(
    action: Annotated[str | None, typer.Option(help="Only this, such as lookup.")] = None,
    actor: Annotated[str | None, typer.Option(help="Only by this actor, as shown.")] = None,
    about: Annotated[
        str | None, typer.Option("--object", help="Only about this, such as attribution:ID.")
    ] = None,
    since: Since = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="Entries to show.")] = 50,
    *,
    as_json: Json = False,
) -> None:
    """List who did what, newest first; times are UTC.

    Example: [bold]lawful audit list --action withdraw --since 2026-11-01[/]
    """
    from api.audit import AuditEntryOut
    from attribution.catalogue import queries
    from attribution.catalogue.queries import EntriesWanted
    from attribution.collection import open_stores

    wanted = EntriesWanted(action, actor, about, _since(since))
    with open_stores(settings_from_environment()) as stores, stores.sessions() as session:
        page = queries.list_entries(session, wanted, limit=limit)
    if as_json:
        for entry in page.items:
            print_json(AuditEntryOut.model_validate(entry).model_dump(mode="json"))
    elif page.items:
        _show_entries(page.items)
    else:
        Console().print("no such entry")


@app.command()
def verify(
    since: Since = None,
    head: Annotated[
        Path | None,
        typer.Option(help="A head of earlier, as `lawful audit head` printed it: is it there?"),
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check that no answer, change, receipt or entry was altered, removed, inserted or reordered.

    Anyone who can write to the database could write a whole new audit. Against that helps a head
    that you keep elsewhere, or publish: give it with --head. Exit code 4: something is wrong.

    Example: [bold]lawful audit verify --head head-of-november.jws[/]
    """
    from api.audit import VerifiedOut
    from attribution.catalogue import verification
    from attribution.collection import open_stores

    published = _published(head) if head else None
    with open_stores(settings_from_environment()) as stores, progress_bar(status_console()) as bar:
        tasks: dict[str, int] = {}

        def show(what: str, done: int, total: int) -> None:
            task = tasks.setdefault(what, len(tasks))
            if task not in bar.task_ids:
                bar.add_task(f"verifying {what}")
            bar.update(bar.task_ids[task], completed=done, total=total or done)

        found = verification.verify(
            stores.sessions, show, since=_first(stores, since), published=published
        )
    if as_json:
        print_json(VerifiedOut.of(found).model_dump(mode="json"))
    else:
        _show(found)
    if found.faults:
        raise typer.Exit(DIFFERED)


@app.command()
def head(
    output: Annotated[Path | None, typer.Option(help="Write it here; default: print it.")] = None,
) -> None:
    """Print how far the audit goes, signed with the key that signs evidence packs.

    A JSON Web Signature with its certificates. Keep it where nobody who can write to the database
    can: it shows later that the audit up to here was not made again.

    Example: [bold]lawful audit head --output head-of-november.jws[/]
    """
    from attribution.catalogue import queries
    from attribution.collection import open_stores
    from attribution.desk.proof import sign_head
    from attribution.provenance.own_key import statement_signer

    settings = settings_from_environment()
    if output:
        check_writable(output, "--output")
    with open_stores(settings) as stores, stores.sessions() as session:
        row = queries.audit_head(session)
    signed = sign_head(row.sequence, row.digest, statement_signer(settings))
    if output:
        output.write_text(f"{signed}\n", encoding="ascii")
        status_console().print(plain(f"head of entry {row.sequence}: {output}"), markup=False)
    else:
        print(signed)  # noqa: T201  as it is, for a file


@app.command()
def export(
    since: Since = None,
    output: Annotated[Path | None, typer.Option(help="Write it here; default: print it.")] = None,
) -> None:
    """Write the audit as JSON Lines, oldest first, with what is needed to check its digests.

    Example: [bold]lawful audit export --output audit.jsonl[/]
    """
    from api.audit import AuditEntryOut
    from attribution.catalogue import queries
    from attribution.collection import open_stores

    if output:
        check_writable(output, "--output")
    with open_stores(settings_from_environment()) as stores, stores.sessions() as session:
        begin = _first(stores, since)
        out = output.open("w", encoding="utf-8") if output else sys.stdout
        try:
            first = begin
            while entries := queries.entries_from(session, first, PAGE):
                for entry in entries:
                    out.write(f"{AuditEntryOut.model_validate(entry).model_dump_json()}\n")
                first = entries[-1].sequence + 1
                session.expunge_all()
        finally:
            if output:
                out.close()
    if output:
        status_console().print(plain(f"{first - begin} entries: {output}"), markup=False)


@app.command()
def erase(
    actor: Annotated[str, typer.Argument(help="Whose name is to go, as the list shows it.")],
    reason: Annotated[str, typer.Option(help="Why, for the entry that says so; not the name.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Take the name of an actor out of the entries that there are; the audit still verifies.

    What the actor did stays, and so do entries of later. An entry says that the name was erased, by
    whom and why. Interrupted, run it again.

    Example: [bold]lawful audit erase "oidc 42 (ann)" --reason "asked for it on 2026-11-20"[/]
    """
    from api.audit import ErasedOut
    from attribution.collection import open_stores
    from attribution.upkeep import erasing

    with open_stores(settings_from_environment()) as stores:
        done = erasing.erase(stores, actor, reason)
    if as_json:
        print_json(ErasedOut.model_validate(done).model_dump(mode="json"))
        return
    entries = "1 entry" if done.entries == 1 else f"{done.entries} entries"
    Console().print(f"the name is gone from {entries}", markup=False)
    if done.is_in_log:
        status_console().print("the log of the database still has it, until its readers are gone")


def _since(text: str | None) -> int | datetime | None:
    """Read --since; raises BadInput."""
    from api.audit import read_since

    try:
        return None if text is None else read_since(text)
    except ValueError as error:
        raise BadInput(f"--since {error}") from None


def _first(stores: Stores, since: str | None) -> int:
    """Return the number of the first entry that --since means; raises BadInput."""
    from attribution.catalogue import queries

    with stores.sessions() as session:
        return queries.first_number(session, _since(since))


def _published(path: Path) -> Head:
    """Read a head of earlier; raises BadInput."""
    from attribution.catalogue.verification import Head
    from attribution.provenance.statements import read_statement

    try:
        text = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"--head {path} cannot be read: {error}") from None
    said, signer = read_statement(text.strip())
    name = signer.subject.rfc4514_string()
    status_console().print(plain(f"{path}: signed by {name}"), markup=False)
    try:
        return Head(int(said["sequence"]), str(said["digest"]))
    except (KeyError, TypeError, ValueError):
        raise BadInput(f"--head {path} is signed, but no head of an audit") from None


def _show_entries(entries: Sequence[AuditEntry]) -> None:
    """Print two lines an entry: ids are too long for a column, and are copied whole."""
    out = Console(soft_wrap=True)
    width = len(str(entries[0].sequence))
    for entry in entries:
        when = f"{entry.at:%Y-%m-%d %H:%M:%S}"
        said = f"{entry.sequence:>{width}}  {when}  {entry.action}  by {entry.actor}"
        out.print(plain(said), markup=False)
        if entry.object:
            out.print(plain(f"{'':{width}}  {entry.object}"), markup=False, style="dim")


def _show(found: Findings) -> None:
    """Say what was found."""
    out = Console(soft_wrap=True)
    compared = ", ".join(
        f"{count} {kind}{'s' * (count != 1)}" for kind, count in found.rows.items()
    )
    for one in found.told:
        out.print(plain(one), style="red", markup=False)
    if found.faults > len(found.told):
        out.print(f"… and {found.faults - len(found.told)} more", style="red")
    faults = "1 fault" if found.faults == 1 else f"{found.faults} faults"
    verdict = faults if found.faults else "nothing was altered"
    out.print(f"{verdict}; entries: {found.entries}, {compared}", markup=False)
    if any(found.uncovered.values()):
        earlier = ", ".join(f"{kind}s: {count}" for kind, count in found.uncovered.items() if count)
        out.print(f"made before the audit began, nothing vouches for them; {earlier}")
    out.print(f"head: entry {found.head.sequence}, {found.head.digest}", markup=False)
