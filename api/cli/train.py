"""`lawful train classifier`, and `lawful export-dataset` for the other commands."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from api.cli.common import (
    plain,
    print_json,
    progress_bar,
    settings_from_environment,
    status_console,
)
from attribution.errors import BackendUnavailable, BadInput

if TYPE_CHECKING:
    from attribution.config import Settings
    from attribution.laboratory.works import Progress
    from attribution.training.checkpoint import Facts
    from ingest.training import Plan

POLL_S = 0.5
app = typer.Typer(help="Train models of your own.", no_args_is_help=True)
Split = Annotated[str, typer.Option(help="Split of the dataset.")]
ImageColumn = Annotated[str, typer.Option(help="Column of the dataset with the images.")]
ArtistColumn = Annotated[
    str, typer.Option(help="Column of the dataset with the artists (text or ClassLabel).")
]
Stream = Annotated[bool, typer.Option(help="Read from the hub without keeping a download.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Maximum number of works.")]


@app.callback()
def _group() -> None:
    """Train models of your own."""


@app.command()
def classifier(
    data: Annotated[str, typer.Option(help="`catalogue`, a folder or manifest, or a dataset.")],
    split: Split = "train",
    image_column: ImageColumn = "image",
    artist_column: ArtistColumn = "artist",
    limit: Limit = None,
    epochs: Annotated[
        int, typer.Option(min=1, help="Maximum number of epochs; stops early.")
    ] = 200,
    rate: Annotated[float, typer.Option(min=1e-7, max=1, help="Learning rate.")] = 1e-3,
    batch: Annotated[int, typer.Option(min=1, help="Works per step.")] = 64,
    seed: Annotated[int, typer.Option(min=0, help="Random seed.")] = 0,
    *,
    stream: Stream = False,
    grow: Annotated[
        bool, typer.Option(help="Add artists to the existing classifier; its trunk is kept.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    r"""Train the third voter: three heads of artist codes on a network over the encoders' vectors.

    From `catalogue`, uses every indexed work that grants training (consent_train); from a folder or
    a dataset, every work that does not refuse: by naming it you state that you may use it. A
    dataset is an id on the Hugging Face hub, or a local one; it needs the extra
    lawful-diffusion\[datasets].

    Ends with a comparison of the three voters on held-out works, which the model card in
    LAWFUL_TRAINED keeps. The voter is off until LAWFUL_VOTERS names it. Gradient training does not
    forget exactly: see docs/training.md. After an interruption, the same command resumes where it
    stopped. With LAWFUL_BROKER_URL set, a worker runs it.

    Example: [bold]lawful train classifier --data huggan/wikiart --limit 20000[/]
    """
    from attribution.training.recipe import Recipe
    from ingest.datasets import DatasetOptions
    from ingest.training import Plan

    settings = settings_from_environment()
    plan = Plan(
        data=data if data == "catalogue" or not Path(data).exists() else str(Path(data).absolute()),
        dataset=DatasetOptions(split, image_column, artist_column, stream),
        recipe=Recipe(rate=rate, batch=batch, epochs=epochs, seed=seed),
        limit=limit,
        grow=grow,
    )
    with progress_bar(status_console()) as bar:
        task = bar.add_task("reading", total=None)
        last = ""

        def progress(what: str, done: int, total: int) -> None:
            nonlocal last
            if (kind := what.split(",", maxsplit=1)[0]) != last:
                bar.reset(task)
                last = kind
            bar.update(task, description=what, completed=done, total=total or None)

        run = _by_worker if settings.broker_url else _here
        facts = run(settings, plan, progress)
    if as_json:
        print_json(_facts(facts, settings))
    else:
        _show(Console(soft_wrap=True), facts, settings)


def export_dataset(
    data: Annotated[str, typer.Argument(help="Id on the Hugging Face hub, or a local dataset.")],
    out: Annotated[Path, typer.Option(help="Folder to write to.")],
    split: Split = "train",
    image_column: ImageColumn = "image",
    artist_column: ArtistColumn = "artist",
    limit: Limit = None,
    *,
    stream: Stream = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    r"""Write a Hugging Face dataset as a folder per artist, for ingest, evaluate and train.

    Styles and genres become tags. Rows without a known artist, and rows that are not images, are
    left out. A second run writes only what is missing. Needs the extra lawful-diffusion\[datasets].

    Example: [bold]lawful export-dataset huggan/wikiart --stream --limit 5000 --out wikiart[/]
    """
    from itertools import islice

    from attribution.collection import image_limits
    from ingest.datasets import DatasetOptions, export, is_dataset, read_dataset

    if not is_dataset(data):
        raise BadInput(f"{data} is neither OWNER/NAME on the hub nor a folder with a dataset")
    if out.exists() and not out.is_dir():
        raise BadInput(f"--out {out} is a file; name a folder")
    options = DatasetOptions(split, image_column, artist_column, stream)
    pictures = islice(read_dataset(data, options), limit)
    with progress_bar(status_console()) as bar:
        task = bar.add_task("writing", total=limit)
        works, left_out = export(
            pictures,
            out,
            image_limits(settings_from_environment()),
            lambda done: bar.update(task, completed=done),
        )
    if as_json:
        print_json({"folder": str(out), "works": works, "left_out": left_out})
    else:
        Console(soft_wrap=True).print(
            plain(f"{works} works in {out}; {left_out} rows were not images"), markup=False
        )


def _here(settings: Settings, plan: Plan, progress: Progress) -> Facts:
    from attribution.collection import open_stores
    from ingest.training import train_classifier

    with open_stores(settings) as stores:
        return train_classifier(stores, plan, progress=progress)


def _by_worker(settings: Settings, plan: Plan, progress: Progress) -> Facts:
    """Have a worker do it, and wait; whoever stops waiting stops nothing."""
    from kombu.exceptions import OperationalError

    from attribution.training.checkpoint import Facts
    from ingest.work.application import make_app
    from ingest.work.dispatch import PROGRESS, PUBLISHING, TRAIN

    try:
        sent = make_app(settings).send_task(TRAIN, (asdict(plan),), retry_policy=PUBLISHING)
        progress("waiting for a worker", 0, 0)
        while not sent.ready():
            if sent.state == PROGRESS and isinstance(told := sent.info, dict):
                progress(told["what"], told["done"], told["of"])
            time.sleep(POLL_S)
        return Facts.of(sent.get())
    except OperationalError as error:
        raise BackendUnavailable(f"the broker does not answer: {error}") from error


def _facts(facts: Facts, settings: Settings) -> dict[str, Any]:
    """Return what a script wants to know; the ids of all works stay in the file."""
    from attribution.training.checkpoint import own_folder

    return asdict(facts) | {"folder": str(own_folder(settings.trained)), "works": len(facts.works)}


def _show(console: Console, facts: Facts, settings: Settings) -> None:
    from attribution.training.checkpoint import own_folder

    console.print(
        plain(
            f"{len(facts.works)} works by {len(facts.artists)} artists of {facts.data}, "
            f"{facts.recipe['epochs']} epochs, {facts.works_per_s:,.0f} works/s"
        ),
        markup=False,
    )
    for reason, count in facts.left_out.items():
        console.print(f"  {count} left out: {reason}", markup=False)
    table = Table("voter", "top-1", "macro recall", "ECE", box=None, pad_edge=False)
    for one in facts.compared:
        table.add_row(one.voter, f"{one.top1:.3f}", f"{one.macro_recall:.3f}", f"{one.ece:.3f}")
    console.print(table)
    folder = own_folder(settings.trained)
    console.print(plain(f"on {facts.held_out} held-out works; kept in {folder}"), markup=False)
    if "trained" not in settings.voters:
        console.print(
            """to let it vote: LAWFUL_VOTERS='["neighbours", "classifier", "trained"]'""",
            markup=False,
        )
