"""`lawful bulk`: many works are encoded by many processes, then taken in with their vectors."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console

from api.cli.common import (
    SOME_REFUSED,
    end_on_sigterm,
    print_json,
    progress_bar,
    settings_from_environment,
    status_console,
)
from api.cli.given_vectors import take_vectors
from api.cli.outcomes import show
from api.cli.whose import Names

if TYPE_CHECKING:
    from attribution.config import Settings
    from ingest.bulk.encoder import Count
    from ingest.options import Reading


def bulk(
    source: Annotated[
        Path, typer.Argument(help="Folder of tars, of Parquet files with a url, or as for ingest.")
    ],
    folder: Annotated[Path, typer.Argument(help="Folder for the shards; all workers write it.")],
    artist: Annotated[str | None, typer.Option(help="Artist of all works in the source.")] = None,
    layout: Annotated[
        Literal["artist", "wrapped"] | None,
        typer.Option(help="Top folders are the artists, or contain the artists' folders."),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that encode.")] = 1,
    gpus: Annotated[
        float, typer.Option(min=0, help="GPUs of each worker; 0.5: two workers share one.")
    ] = 0,
    names: Names = None,
    *,
    encode_only: Annotated[
        bool, typer.Option(help="End with the shards; `lawful ingest --vectors` takes them in.")
    ] = False,
    reinstate: Annotated[bool, typer.Option(help="Register withdrawn works again.")] = False,
    allow_freer: Annotated[
        bool, typer.Option(help="Accept rows that grant more, or a freer licence, than before.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    r"""Encode a very large source by many workers, then take it in; what ingest makes of it.

    Needs Ray: pip install 'lawful-diffusion\[bulk]'. Without RAY_ADDRESS the workers run on this
    machine; on a cluster the source and the folder of shards are where all machines see them.

    The first step writes a Parquet file a portion of the source: what the source says, what was
    found in each file, its vectors and sketches. It asks no database. The second one loads them by
    the rules of `lawful ingest`, to the same works. A portion that is done is never done again, so
    run it again after an interruption.

    Example: [bold]lawful bulk ~/laion-art ~/shards --workers 8 --gpus 1[/]
    """
    from attribution.catalogue.models import NameRule
    from ingest.options import Options, Reading
    from ingest.sources import Level

    settings = settings_from_environment()
    started = time.monotonic()
    reading = Reading(artist, Level(layout) if layout else None)
    end_on_sigterm()
    files = _encode(settings, source, folder, reading, workers, gpus)
    if encode_only:
        said = {"shards": str(folder), "files": files.files, "refused": files.refused}
        if as_json:
            print_json(said | {"seconds": round(time.monotonic() - started, 3)})
        else:
            Console().print(
                f"{files.files} files encoded, of these {files.refused} refused; "
                f"take them in: lawful ingest --vectors {folder}",
                markup=False,
                soft_wrap=True,
            )
        return
    rule = NameRule(names or settings.names)
    options = Options(reinstate=reinstate, allow_freer=allow_freer, names=rule)
    summary = take_vectors(settings, folder, options, as_json=as_json)
    seconds = time.monotonic() - started
    if as_json:
        print_json(summary.as_json(seconds=seconds))
    else:
        show(Console(), summary, seconds)
    if summary.refused:
        raise typer.Exit(SOME_REFUSED)


def _encode(
    settings: Settings, source: Path, folder: Path, reading: Reading, workers: int, gpus: float
) -> Count:
    """Encode a source; returns what this run has encoded."""
    from ingest.bulk.cluster import Workers, make_shards
    from ingest.bulk.encoder import Count

    encoded = Count(0, 0)
    with progress_bar(status_console()) as bar:
        task = bar.add_task("shards")

        def tell(done: int, total: int, last: Count) -> None:
            nonlocal encoded
            encoded = Count(encoded.files + last.files, encoded.refused + last.refused)
            bar.update(task, completed=done, total=total)

        make_shards(settings, source, folder, reading, Workers(workers, gpus), tell)
    return encoded
