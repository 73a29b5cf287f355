"""`lawful pack`: what is known of lookups, in one signed file; `lawful verify` checks it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer
from rich.console import Console

from api.cli.common import (
    check_writable,
    plain,
    print_json,
    settings_from_environment,
    status_console,
)

if TYPE_CHECKING:
    from attribution.desk.opened import Verified
    from attribution.desk.packing import Packed
    from attribution.desk.verification import Trusted

CHANGED = 1  # exit code of verify
SHA256 = 64  # hexadecimal digits


def pack(
    lookups: Annotated[
        list[UUID],
        typer.Argument(help="Ids of answers, shown as “recorded as …”.", metavar="LOOKUP"),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Write the pack here, a ZIP.")],
    title: Annotated[str | None, typer.Option(help="Title of the reports.")] = None,
    *,
    timestamp: Annotated[
        bool,
        typer.Option(help="Ask the authority of LAWFUL_TIMESTAMP_URL for the time, if it is set."),
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Write an evidence pack: answers, images, works that may be shown, reports, audit, signature.

    Its readers check it with `lawful verify`, without this collection and without a network. Send
    them the SHA-256 of the key by another way.

    Example: [bold]lawful pack ID -o evidence.zip[/]
    """
    from api.cli.loading import open_services
    from api.reports.evidence import TITLE, contents_of
    from attribution.desk.packing import write_pack

    check_writable(output, "--output")
    with open_services(settings_from_environment(), as_json=as_json) as services:
        contents = contents_of(services, lookups, title=title or TITLE, is_stamped=timestamp)
        made = write_pack(services, contents, output)
    show_pack(made, output, as_json=as_json)


def show_pack(made: Packed, output: Path, *, as_json: bool) -> None:
    """Say what was written, and who signed it."""
    if as_json:
        print_json({"id": str(made.id), "manifest": made.manifest, "key": made.key})
        return
    status_console().print(plain(f"pack: {output}, {made.size / 2**20:.1f} MiB"), markup=False)
    Console(soft_wrap=True).print(f"signed with the key {made.key}", markup=False, highlight=False)


def verify(
    pack: Annotated[Path, typer.Argument(help="An evidence pack.", metavar="PACK")],
    key: Annotated[
        str | None,
        typer.Option(
            "--key",
            help="Who should have signed: SHA-256 of the key, or its certificate as PEM.",
            metavar="SHA256|FILE",
        ),
    ] = None,
    authority: Annotated[
        Path | None,
        typer.Option(help="PEM: root certificates of the timestamp authorities that you trust."),
    ] = None,
    receipt: Annotated[
        list[Path] | None,
        typer.Option(
            help="What `lawful withdraw --receipt` wrote, repeatable: what of the pack it is about."
        ),
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check that an evidence pack is as it was made; it needs no collection and no network.

    It tells which file was changed, who signed, when, where the answers are in the audit, and with
    --receipt what was withdrawn since.
    Exit code 1: something was changed.

    Example: [bold]lawful verify evidence.zip --key chain.pem[/]
    """
    from attribution.desk import verification
    from attribution.desk.receipts import read_receipt

    receipts = [read_receipt(one) for one in receipt or ()]
    found = verification.verify(pack, replace(_trusted(key, authority), receipts=receipts))
    if as_json:
        listed = [vars(one) for one in found.findings]
        print_json({"is_intact": found.is_intact, "findings": listed})
    else:
        unknown = "" if key else ", signed by somebody: whose key it is was not compared (--key)"
        _show(found, unknown, verification.NOT_TRUTH)
    if not found.is_intact:
        raise typer.Exit(CHANGED)


def _trusted(key: str | None, authority: Path | None) -> Trusted:
    """Read what the reader knows from elsewhere; raises BadInput."""
    from cryptography import x509

    from attribution.desk.verification import Trusted
    from attribution.provenance.keys import certificates
    from attribution.provenance.statements import key_id

    roots = certificates(authority, "--authority") if authority else ()
    if key is None or (len(key) == SHA256 and set(key.lower()) <= set("0123456789abcdef")):
        return Trusted(key and key.lower(), roots)
    first: x509.Certificate = certificates(Path(key), "--key")[0]
    return Trusted(key_id(first), roots)


def _show(found: Verified, unknown: str, last: str) -> None:
    out = Console(soft_wrap=True)
    for one in found.findings:
        style = "red" if one.is_wrong else None
        out.print(plain(f"{one.about}: {one.said}"), style=style, markup=False, highlight=False)
    verdict = f"intact{unknown}" if found.is_intact else "NOT INTACT: something was changed"
    out.print(verdict, markup=False, style="bold")
    out.print(last, markup=False)
