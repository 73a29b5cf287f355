"""`lawful tune`: by which library and precision models run fastest on this machine."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from api.bundled import examples_folder
from api.cli.common import (
    plain,
    print_json,
    progress_bar,
    settings_from_environment,
    status_console,
)
from attribution.errors import BadInput, LawfulError

if TYPE_CHECKING:
    from PIL.Image import Image

    from attribution.laboratory.tuning import Trial

IMAGES = 128  # that are read, at most


def tune(
    images: Annotated[
        Path | None,
        typer.Argument(help="Folder of images like yours. Default: the bundled examples."),
    ] = None,
    profile: Annotated[str | None, typer.Option(help="Default: LAWFUL_PROFILE.")] = None,
    *,
    forget: Annotated[
        bool, typer.Option("--forget", help="Forget what was chosen here: float32 of torch again.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    r"""Measure by what models run fastest on this machine, and keep it for the next start.

    A library or precision counts only if its vectors agree with torch's float32 on your images, so
    that works and questions of machines tuned otherwise can be compared. With the extra
    lawful-diffusion\[openvino] there is more to choose from on a CPU. Takes a minute or two for
    small models; leave the machine alone meanwhile.

    Example: [bold]lawful tune ~/portfolios --profile standard[/]
    """
    from attribution.encoders.memory import keep_memory
    from attribution.encoders.profiles import find_profile
    from attribution.encoders.runtimes import has_openvino
    from attribution.encoders.tuned import Tuned
    from attribution.laboratory.tuning import tune as measure

    settings = settings_from_environment()
    if forget:
        was_there = Tuned(settings.home, settings.device).forget_all()
        said = "forgotten" if was_there else "nothing was chosen on this machine"
        Console().print(said, markup=False)
        return
    name = profile or settings.profile
    find_profile(settings, name)  # before images are read
    if settings.keep_memory:
        keep_memory()
    pictures = _read(images or examples_folder() / "portfolio")
    with progress_bar(status_console()) as bar:
        task = bar.add_task("loading", total=None)

        def show(model: str, done: int, total: int) -> None:
            bar.update(task, completed=done, total=total, description=model)

        trials = measure(settings, name, pictures, show)
    if as_json:
        print_json(_document(settings.device, len(pictures), trials))
        return
    Console().print(_table(trials))
    if settings.device == "cpu" and not has_openvino():
        said = "OpenVINO was not tried: pip install 'lawful-diffusion[openvino]' and tune again"
        status_console().print(said, markup=False, soft_wrap=True)
    status_console().print(
        "API and workers that run already use it when they are started again", markup=False
    )


def _read(folder: Path) -> list[Image]:
    from attribution.images import read_image_file
    from ingest.sources import read_source

    found = []
    for item in islice(read_source(folder), 2 * IMAGES):
        try:
            found.append(read_image_file(item.path).rgb)
        except LawfulError:  # an image that cannot be used: others can
            continue
        if len(found) == IMAGES:
            break
    if not found:
        raise BadInput(f"{folder} has no image that can be used")
    return found


def _document(device: str, images: int, trials: list[Trial]) -> dict[str, Any]:
    return {
        "device": device,
        "images": images,
        "trials": [
            {
                "model": one.model,
                "runtime": str(one.runtime),
                "alone_per_s": round(one.alone_per_s, 2),
                "batch_per_s": round(one.batch_per_s, 2),
                "cosine": round(one.cosine, 7),
                "agreement": round(one.agreement, 5),
                "refused": one.refused or None,
                "is_chosen": one.is_chosen,
            }
            for one in trials
        ],
    }


def _table(trials: list[Trial]) -> Table:
    table = Table(
        "model",
        "by",
        "alone",
        "in batches",
        "least cosine",
        "same neighbours",
        "",
        box=None,
        pad_edge=False,
    )
    usual: dict[str, Trial] = {}
    for one in trials:
        first = usual.setdefault(one.key, one)
        rates = (
            ("", "") if one.refused else (f"{one.alone_per_s:.1f}/s", f"{one.batch_per_s:.1f}/s")
        )
        faster = one.batch_per_s / first.batch_per_s
        said = one.refused or ("" if one is first else f"{faster:.2f} times as fast")
        table.add_row(
            plain(one.model) if one is first else "",
            str(one.runtime),
            *rates,
            f"{one.cosine:.5f}" if one.cosine else "",
            f"{one.agreement:.1%}" if one.cosine else "",
            plain(", ".join(filter(None, ["chosen" if one.is_chosen else "", said]))),
        )
    return table
