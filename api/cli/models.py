"""`lawful models` and `lawful train-starter`: which encoders there are, and how ours was made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from api.cli.common import print_json, settings_from_environment

app = typer.Typer(help="Encoders: list the profiles, fetch weights once.", no_args_is_help=True)


@app.command("list")
def list_profiles(
    *, as_json: Annotated[bool, typer.Option("--json", help="One object.")] = False
) -> None:
    """List the profiles with their models and licences.

    Example: [bold]lawful models list[/]
    """


@app.command()
def fetch(
    profile: Annotated[str | None, typer.Option(help="Default: LAWFUL_PROFILE.")] = None,
) -> None:
    """Download a profile's weights into the Hugging Face cache (HF_HOME), once.

    Afterwards HF_HUB_OFFLINE=1 keeps every command off the network.

    Example: [bold]lawful models fetch --profile standard[/]
    """
