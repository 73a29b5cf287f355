"""`lawful credentials`: a chain to sign with in development, and what a file says of itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from api.cli.common import (
    existing_file,
    plain,
    print_json,
    settings_from_environment,
    status_console,
)

app = typer.Typer(
    help="Content Credentials (C2PA): make a development chain, read or verify a file.",
    no_args_is_help=True,
)


@app.command()
def init(
    out: Annotated[
        Path | None, typer.Option(help="Folder; default: LAWFUL_HOME/credentials.")
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=3650, help="Days of validity.")] = 365,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Make certificates and a key to test signing with; no authority vouches for them.

    Prints the settings that use them. Existing files are never overwritten. For images that leave
    your machine, use a certificate from an authority on the C2PA trust list.

    Example: [bold]lawful credentials init --out ~/credentials[/]
    """
    from attribution.provenance.development import CHAIN, KEY, ROOT, make_development_chain

    folder = (out or settings_from_environment().home / "credentials").expanduser().absolute()
    make_development_chain(folder, days=days)
    settings = {
        "LAWFUL_SIGN_CERT": str(folder / CHAIN),
        "LAWFUL_SIGN_KEY": str(folder / KEY),
        "LAWFUL_TRUST_ANCHORS": str(folder / ROOT),
    }
    if as_json:
        print_json({"development": True, "settings": settings})
        return
    status_console().print(
        "[yellow]For development only: other readers will report the signer as untrusted.[/]"
    )
    for name, value in settings.items():
        print(plain(f"{name}={value}"))  # noqa: T201  goes into .env as it stands


@app.command()
def show(
    file: Annotated[Path, typer.Argument(help="An image file.")],
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object, with the whole manifest.")
    ] = False,
) -> None:
    """Verify the Content Credentials in FILE and show what they say.

    valid: intact, and a certificate in LAWFUL_TRUST_ANCHORS vouches for the signer. untrusted:
    intact, but the signer is unknown. invalid: changed since it was signed, or unreadable. absent:
    the file has none, which proves nothing.

    Example: [bold]lawful credentials show generated.png[/]
    """
    from dataclasses import asdict

    from attribution.collection import image_limits
    from attribution.generation.recovery import went_in
    from attribution.images import Credentials, read_file
    from attribution.images.ingredients import ingredients
    from attribution.images.manifests import active_manifest, read_manifests

    limits = image_limits(settings_from_environment())
    data = read_file(existing_file(file), limits)
    report = read_manifests(data, limits.trust_anchors, limits.timestamp_roots)
    summary, manifest = Credentials.of(report).as_dict(), active_manifest(report)
    parts = ingredients(report)
    if as_json:
        shown = [asdict(one) for one in parts]
        print_json(
            {"file": str(file), **summary, "ingredients": shown, "manifest": manifest or None}
        )
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    told = (("ingredient", one) for one in went_in(parts))
    for name, value in (*summary.items(), *_said(manifest), *told):
        table.add_row(escape(plain(name.replace("_", " "))), escape(plain(_text(value))))
    Console().print(table)


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="An image file.")],
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object, with the manifests.")
    ] = False,
) -> None:
    """Verify FILE; unless a trusted signer vouches, find the picture of ours that it shows.

    Pictures that a service with this home drew are known by their bytes, their pixels, as near
    copies, or by their watermark (LAWFUL_TRUSTMARK). The manifest of such a picture is not a
    signature of FILE.

    Example: [bold]lawful credentials verify downloaded.jpg[/]
    """
    from api.credentials import VerifiedOut
    from attribution.collection import open_stores
    from attribution.generation.recovery import verify_credentials
    from attribution.generation.watermarks import load_watermarker
    from attribution.images import read_file

    path = existing_file(file)
    settings = settings_from_environment()
    with open_stores(settings) as stores:
        data = read_file(path, stores.limits)
        found = verify_credentials(stores, data, load_watermarker(settings))
    if as_json:
        print_json({"file": str(file), **VerifiedOut.of(found).model_dump(mode="json")})
        return
    out = Console(soft_wrap=True)
    out.print(plain(found.summary), markup=False, highlight=False)
    for credentials in (found.credentials, found.recovered and found.recovered.credentials):
        for note in credentials.notes if credentials else ():
            out.print(plain(note), markup=False, highlight=False)


def _said(manifest: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield what a manifest of ours says of the generation and of the artists."""
    from attribution.images.manifests import assertions, at, listed
    from attribution.provenance.claim import ATTRIBUTION, GENERATION

    for label, data in assertions(manifest):
        if label == GENERATION:
            yield from data.items()
        for artist in listed(data, "artists") if label == ATTRIBUTION else ():
            yield "resembles", f"{at(artist).get('name')}, share {at(artist).get('share')}"


def _text(value: object) -> str:
    return "; ".join(map(str, value.values())) if isinstance(value, Mapping) else str(value)
