"""`lawful dev`: the servers, workers and API of a deployment on this machine, to try."""

from __future__ import annotations

import shlex
import signal
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from api.cli.common import settings_from_environment

if TYPE_CHECKING:
    from api.servers.programs import Program
    from api.servers.stack import Stack


def dev(
    workers: Annotated[int, typer.Option(min=1, max=64, help="Worker processes.")] = 1,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port of the API; default: any free port.")
    ] = None,
) -> None:
    """Run PostgreSQL, Redis, index server, workers, beat and API until Ctrl-C.

    All of them listen on loopback and keep their data in LAWFUL_HOME/dev, a separate collection.
    Needs the extra "servers". What ends by itself is started again; if that does not help, all
    are stopped: exit code 1.

    Example: [bold]lawful dev --workers 2[/]
    """
    from api.servers.programs import CalledOff
    from api.servers.stack import Stack

    console = Console(soft_wrap=True, highlight=False)
    stack = Stack(settings_from_environment().home / "dev", workers=workers, port=port)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stack.call_off())
    try:
        stack.start(lambda program: _show(console, program))
        _show_next(console, stack)
        stack.watch(lambda said: console.print(said, markup=False))
    except CalledOff as called_off:
        console.print(str(called_off), markup=False)
    finally:
        console.print("stopping")
        stack.stop()


def _show(console: Console, program: Program) -> None:
    where = program.url.rpartition("@")[2] if "@" in program.url else program.url
    console.print(
        f"[green]ready[/]  {program.name:<10} pid {program.pid:<8} {escape(where):<30} "
        f"[dim]{escape(str(program.log))}[/]"
    )


def _show_next(console: Console, stack: Stack) -> None:
    console.print("\nIn another terminal, so that commands use these servers:\n")
    for name, value in stack.settings.items():
        console.print(f"  export {name}={shlex.quote(value)}", markup=False)
    console.print("  lawful ingest FOLDER", markup=False)
    console.print(f"\n[bold]api ready[/]: {stack['api'].url}/docs   Ctrl-C stops everything")
