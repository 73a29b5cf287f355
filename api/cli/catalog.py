"""`lawful info` and `lawful artists`: what is here. Neither loads a model."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from api.cli.common import plain, print_json, settings_from_environment

if TYPE_CHECKING:
    from attribution.config import Settings

PACKAGES = ("lawful-diffusion", "torch", "open_clip_torch", "diffusers", "qdrant-edge-py")


def info(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False
) -> None:
    """Show where the data is kept, how much there is, and the versions in use.

    Example: [bold]lawful info[/]
    """
    facts = _facts(settings_from_environment())
    if as_json:
        print_json(facts)
        return
    console = Console(soft_wrap=True)  # lines, not a table: a path is shown whole
    for section, values in facts.items():
        for name, value in values.items():
            console.print(f"[dim]{section:10}[/] {escape(name):24} {escape(plain(value))}")


def artists(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False
) -> None:
    """List the artists with their works, and pairs of names that may be the same person.

    Example: [bold]lawful artists[/]
    """
    from attribution.catalogue import queries
    from attribution.collection import open_stores

    with open_stores(settings_from_environment()) as stores, stores.sessions() as session:
        rows = queries.all_artists(session)
        pairs = queries.proposed_aliases(session)
    if as_json:
        print_json(
            {
                "artists": [{"slug": a.slug, "name": a.name, "works": n} for a, n in rows],
                "likely_aliases": [[one.slug, other.slug] for one, other in pairs],
            }
        )
        return
    table = Table("slug", "name", "works", box=None, pad_edge=False)
    for artist, works in rows:
        table.add_row(artist.slug, escape(plain(artist.name)), str(works))
    console = Console()
    console.print(table if rows else "no artists yet; begin with: lawful ingest FOLDER")
    for one, other in pairs:
        pair = f"{one.name} ({one.slug}), {other.name} ({other.slug})"
        console.print(plain(f"may be one artist: {pair}"), markup=False)


def _facts(settings: Settings) -> dict[str, dict[str, Any]]:
    from importlib.metadata import version

    from attribution.catalogue import queries
    from attribution.collection import open_database, open_stores
    from attribution.encoders.runtimes import Runtime
    from attribution.encoders.tuned import Tuned

    with open_stores(settings) as stores, stores.sessions() as session:
        counts, claims = queries.counts(session), queries.count_claims(session)
        collections = queries.collections(session)
        jobs = queries.unfinished_jobs(session)
    with open_database(settings) as database:
        url, revision = database.masked_url, database.current_revision()
        wall = "on" if database.is_walled() else "off"
    home = settings.home
    return {
        "home": {"path": str(home)}
        | {
            name: _size(home, name)
            for name in ("lawful.db", "index", "thumbnails", "originals", "incoming")
        },
        "catalogue": {
            "url": url,
            "revision": revision,
            "tenant": settings.tenant,
            "row-level security": wall,
            "artists": counts.artists,
            "works": counts.indexed,
            "works by nobody in particular": counts.nobodys,
            "blank works": counts.blank,
            "withdrawn": counts.withdrawn,
            "unfinished works": counts.pending,
            "unfinished jobs": jobs,
            "conflicting claims": claims,
        },
        "index": {"url": settings.qdrant_url}
        | {
            one.name: f"profile {one.profile}{'' if one.live else ', not live'}"
            for one in collections
        },
        "models": {"profile": settings.profile, "device": settings.device}
        | (Tuned(settings.home, settings.device).said() or {"not tuned": Runtime.TORCH}),
        "versions": {"python": platform.python_version()}
        | {package: version(package) for package in PACKAGES},
    }


def _size(home: Path, name: str) -> str:
    """Return what a file with its companions, or a folder, takes on the disk."""
    found = (path for top in home.glob(f"{name}*") for path in (top, *top.rglob("*")))
    return f"{sum(map(_bytes, found)) / 2**20:.1f} MiB"


def _bytes(path: Path) -> int:
    """Return what is really kept: files of an index are sparse, and may go while we look."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return 0
    return found.st_blocks * 512
