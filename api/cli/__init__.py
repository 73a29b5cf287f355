"""The command line, `lawful`: parse, call the library, show."""

from __future__ import annotations

import gc
import inspect
import sys
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from api.cli import (
    answers,
    attribute,
    audit,
    bulk,
    cases,
    catalog,
    changes,
    consents,
    corrections,
    credentials,
    demo,
    dev,
    documents,
    evaluate,
    evidence,
    generate,
    index_server,
    ingest,
    jobs,
    keys,
    lookups,
    maps,
    models,
    non_copies,
    operate,
    parties,
    search,
    serve,
    subjects,
    tenants,
    train,
    tune,
    watches,
    webhooks,
    works,
)
from api.cli.common import INTERRUPTED, UNEXPECTED, plain, settings_from_environment
from api.cli.ending import Ending
from api.cli.groups import later
from api.hints import in_terminal
from attribution import logs
from attribution.actors import Actor, acting, system_user
from attribution.errors import LawfulError
from attribution.outages import disk_outages

YOUNG = 50_000  # new objects at which the collector looks at them; Python's 700 are soon imported

cases.app.add_typer(parties.app, name="parties")
cases.app.add_typer(documents.app, name="documents")
GROUPS = {
    "jobs": jobs.app,
    "lookups": lookups.app,
    "map": maps.app,
    "audit": audit.app,
    "non-copies": non_copies.app,
    "subjects": subjects.app,
    "cases": cases.app,
    "watches": watches.app,
    "consents": consents.app,
    "keys": keys.app,
    "tenants": tenants.app,
    "webhooks": webhooks.app,
    "credentials": credentials.app,
    "train": train.app,
    "models": models.app,
}
app = typer.Typer(
    name="lawful",
    cls=later(GROUPS),
    help="Whose work does this image draw on, how sure are we, and what is the evidence?",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(ingest.ingest)
app.command()(ingest.add)
app.command()(bulk.bulk)
app.command()(attribute.attribute)
app.command()(attribute.member)
app.command()(attribute.show)
app.command()(answers.answers)
app.command()(answers.explain)
app.command()(answers.recompute)
app.command()(answers.again)
app.command()(evidence.pack)
app.command()(evidence.verify)
app.command()(search.search)
app.command()(generate.generate)
app.command()(serve.serve)
app.command()(index_server.index_server)
app.command()(dev.dev)
app.command()(operate.withdraw)
app.command()(operate.reconcile)
app.command()(operate.calibrate)
app.command()(operate.reindex)
app.command()(operate.migrate)
app.command()(operate.worker)
app.command()(operate.beat)
app.command()(corrections.correct)
app.command()(corrections.move)
app.command()(corrections.merge)
app.command()(corrections.split)
app.command()(corrections.rename)
app.command()(corrections.alias)
app.command()(changes.changes)
app.command()(changes.undo)
app.command()(catalog.info)
app.command()(catalog.artists)
app.command()(works.works)
app.command()(demo.demo)
app.command()(evaluate.evaluate)
app.command()(train.export_dataset)
app.command()(tune.tune)
app.command()(models.train_starter)
app.command()(models.finetune)


def _unwrap_help(commands: typer.Typer) -> None:
    """Leave the wrapping of every help text to the terminal; examples keep their lines.

    Typer prints docstrings with the line breaks that they have in the source, for its own width.
    """
    for command in commands.registered_commands:
        paragraphs = (inspect.getdoc(command.callback) or "").split("\n\n")
        command.help = "\n\n".join(
            one if one.startswith("Example") else " ".join(one.split()) for one in paragraphs
        )
    for group in commands.registered_groups:
        if group.typer_instance:
            _unwrap_help(group.typer_instance)


for _commands in (app, *GROUPS.values()):
    _unwrap_help(_commands)


def _version(is_asked: bool) -> None:  # noqa: FBT001  what Typer calls
    if is_asked:
        from importlib.metadata import version

        print(f"lawful {version('lawful-diffusion')}")  # noqa: T201  a script reads stdout
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    del version
    context.with_resource(acting(Actor(f"command line ({system_user()})")))


def main() -> None:
    """Run the command line; whatever goes wrong is one line on stderr and an exit code.

    1: an expected error, which says what to do; 130: interrupted; 70: a defect of this program.
    """
    gc.set_threshold(YOUNG)
    logs.set_up(_log_format)
    with Ending():
        _run()


def _run() -> None:
    try:
        with disk_outages("LAWFUL_HOME, or the folder for temporary files"):
            app()
    except LawfulError as error:
        _end(f"error: {in_terminal(error)}", 1)
    except SystemExit as end:
        if end.code == INTERRUPTED:
            _end("interrupted; run the same command again to resume", INTERRUPTED)
        raise
    except KeyboardInterrupt:
        _end("interrupted; run the same command again to resume", INTERRUPTED)
    except Exception as error:
        if _is_debugging():
            raise
        _end(
            f"unexpected error: {type(error).__name__}: {error}; "
            f"set LAWFUL_DEBUG=1 for the traceback",
            UNEXPECTED,
        )


def _log_format() -> logs.Format:
    try:
        return settings_from_environment().log_format
    except LawfulError:  # the command says what is wrong with them
        return "console"


def _is_debugging() -> bool:
    try:
        return settings_from_environment().debug
    except LawfulError:
        return False


def _end(message: str, code: int) -> NoReturn:
    Console(stderr=True, soft_wrap=True).print(plain(message), style="red", markup=False)
    sys.exit(code)
