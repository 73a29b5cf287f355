"""Asking the person at the terminal whose a spelling is, before works come in under it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from api.cli.changes import origin
from api.cli.common import plain

if TYPE_CHECKING:
    from attribution.catalogue.spellings import Spelling
    from attribution.collection import Stores
    from attribution.config import Settings
    from ingest.options import Options

Names = Annotated[
    Literal["ask", "join", "new"] | None,
    typer.Option(
        help="For spellings that differ from an artist's name only in case, accents or word order: "
        "ask, join that artist, or make a new one. Default: LAWFUL_NAMES."
    ),
]


def may_ask(options: Options) -> bool:
    """Tell whether spellings are asked about, and somebody is there to answer."""
    return options.names == "ask" and sys.stdin.isatty()


def ask_whose(settings: Settings, names: Callable[[Stores], Iterable[str]]) -> None:
    """Ask once for every spelling that may be another artist's; the answers are kept."""
    from attribution.collection import open_stores
    from ingest.joining import ask

    with open_stores(settings) as stores:
        ask(stores, names(stores), _is_theirs, origin(None))


def _is_theirs(name: str, one: Spelling) -> bool:
    about = f"{one.slug}, {one.works} works" if one.slug else "also new in this source"
    question = plain(f"{name}: is this {one.artist} ({about})?")
    return typer.confirm(question, default=None, err=True)
