"""The command line, `lawful`: parse, call the library, show."""

from __future__ import annotations

import logging
import sys

import typer
from rich.console import Console

from api.cli import attribute, catalog, demo, ingest, models, serve
from attribution.errors import LawfulError

app = typer.Typer(
    name="lawful",
    help="Whose work does this image draw on, how sure are we, and what is the evidence?",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(ingest.ingest)
app.command()(attribute.attribute)
app.command()(attribute.search)
app.command()(serve.serve)
app.command()(catalog.info)
app.command()(catalog.artists)
app.command()(demo.demo)
app.add_typer(models.app, name="models")
app.command()(models.train_starter)


def main() -> None:
    """Run the command line; an expected error is one line on stderr and exit code 1."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        app()
    except LawfulError as error:
        Console(stderr=True, soft_wrap=True).print(f"error: {error}", style="red", markup=False)
        sys.exit(1)
