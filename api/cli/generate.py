"""`lawful generate`: pictures from words, each with the artists whose work it resembles."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from api.cli.common import (
    SOME_REFUSED,
    check_writable,
    existing_file,
    plain,
    print_json,
    progress_bar,
    settings_from_environment,
    status_console,
)
from api.cli.loading import open_services
from attribution.custody import How
from attribution.errors import BadInput
from attribution.whole import written_whole

if TYPE_CHECKING:
    from api.reports.pages import Page
    from attribution.generation.generator import ImageRequest
    from attribution.generation.given import Given
    from attribution.generation.studio import Generation, MadeFrom, Picture, Studio
    from attribution.images import Limits
    from attribution.services import Services


def generate(
    prompt: Annotated[str, typer.Argument(help="What to draw.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the pictures.")],
    count: Annotated[int, typer.Option("--count", "-n", help="Number of pictures.")] = 1,
    seed: Annotated[
        int | None, typer.Option(help="Seed of the first picture; default: random.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(help="Denoising steps; default: the model's own.")
    ] = None,
    guidance: Annotated[
        float | None, typer.Option(help="How closely to follow the prompt.")
    ] = None,
    negative: Annotated[str, typer.Option(help="What to keep out of the picture.")] = "",
    width: Annotated[int | None, typer.Option(help="Width in pixels.")] = None,
    height: Annotated[int | None, typer.Option(help="Height in pixels.")] = None,
    image: Annotated[
        Path | None, typer.Option(help="An image file to make the pictures from.")
    ] = None,
    strength: Annotated[
        float | None,
        typer.Option(
            help="How far to go from --image: above 0, near it, up to 1; default: the model's own."
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="Folder or repository id of a model; default: LAWFUL_GENERATOR."),
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write an HTML report here.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Draw pictures of PROMPT and name the artists whose work each resembles.

    An --image is looked up too, and kept with that answer. It is refused where its file
    says no to generation, or somebody has said no for the work that it shows.

    Exit code 3: some pictures were withheld, as near copies or by the model's safety checker.

    Example: [bold]lawful generate "croissant by franck doucet" -o out/ --seed 7[/]
    """
    from api.reports.report import render_report
    from attribution.collection import image_limits
    from attribution.generation.generator import ImageRequest
    from attribution.generation.generators import check_generator
    from attribution.generation.studio import check_request

    settings = settings_from_environment()
    if model is not None:
        settings = settings.model_copy(update={"generator": model})
    if report:
        check_writable(report, "--report")
    request = ImageRequest(
        prompt=prompt,
        negative_prompt=negative,
        count=count,
        seed=secrets.randbelow(2**31) if seed is None else seed,
        steps=steps,
        guidance=guidance,
        width=width,
        height=height,
        strength=strength,
    )
    check_request(request, is_given=image is not None)
    check_generator(settings)
    given = _given(image, image_limits(settings)) if image else None
    folder = _folder(out)
    with open_services(settings, as_json=as_json) as services:
        generation = draw(services.studio, request, given)
        files = [write(folder, picture) for picture in generation.pictures]
        if report:
            title = f"Generated: {plain(prompt)}"
            text = render_report(pages(services, generation), title=title)
            report.write_text(text, encoding="utf-8")
    if as_json:
        print_json(facts(generation, files))
    else:
        show(Console(), generation, files)
    if report:
        status_console().print(plain(f"report: {report}"), markup=False, soft_wrap=True)
    if any(picture.withheld for picture in generation.pictures):
        raise typer.Exit(SOME_REFUSED)


def _given(path: Path, limits: Limits) -> Given:
    """Read the picture that others are made from; raises BadInput, BadImage, NotAllowed."""
    from attribution.generation.given import Given, check_file
    from attribution.images import read_file, read_image
    from attribution.lookup.subjects import Obtained

    data = read_file(existing_file(path), limits)
    found = Given(read_image(data, limits), data, Obtained(How.FILE))
    check_file(found.image.facts)
    return found


def draw(studio: Studio, request: ImageRequest, given: Given | None = None) -> Generation:
    """Draw with a bar of steps on stderr."""
    with progress_bar(status_console()) as bar:
        task = bar.add_task("loading the generator", total=None)
        return studio.draw(
            request,
            given=given,
            on_step=lambda done, steps: bar.update(
                task, description="drawing", completed=done, total=steps
            ),
        )


def pages(services: Services, generation: Generation) -> list[Page]:
    """Return the pictures that are handed out for a report, with their warnings among the notes."""
    from dataclasses import replace

    from api.reports.pages import make_page
    from attribution.images import read_image

    said = (source.summary, *source.warnings) if (source := generation.made_from) else ()
    return [
        make_page(
            services,
            f"seed {picture.seed}",
            read_image(picture.png),
            replace(answer, notes=(*answer.notes, *said, *picture.warnings)),
        )
        for picture in generation.pictures
        if picture.png and (answer := picture.attribution)
    ]


def show(console: Console, generation: Generation, files: list[Path | None]) -> None:
    """Print every picture with its ranking and what the operator has to know."""
    from api.cli import render

    made = generation.generator
    if source := generation.made_from:
        console.print(plain(source.summary), markup=False, soft_wrap=True)
        _warn(console, source.warnings)
    for file, picture in zip(files, generation.pictures, strict=True):
        name = f"seed {picture.seed}: {file or 'withheld'}"
        if picture.attribution:
            render.show_attribution(console, name, picture.attribution)
        else:
            console.print(plain(name), markup=False)
        named = [one.name for one in picture.references if one.may_be_named]
        if named:
            said = f"  agreed to generation, and may be credited: {', '.join(named)}"
            console.print(plain(said), markup=False, soft_wrap=True)
        _warn(console, picture.warnings)
    name = f"{made.model} with {made.lora}" if made.lora else made.model
    for note in (f"generator: {name} ({made.family}, {made.revision[:12]})", *generation.notes):
        console.print(plain(f"  {note}"), style="dim", markup=False, soft_wrap=True)


def _warn(console: Console, warnings: Iterable[str]) -> None:
    for warning in warnings:
        said = f"  warning: {warning}"
        console.print(plain(said), style="yellow", markup=False, soft_wrap=True)


def facts(generation: Generation, files: list[Path | None]) -> dict[str, Any]:
    """Return what `--json` prints."""
    from dataclasses import asdict

    from api.answers import AnswerOut

    return {
        "generator": asdict(generation.generator),
        "notes": list(generation.notes),
        "made_from": _source(generation.made_from),
        "images": [
            {
                "file": str(file) if file else None,
                "seed": picture.seed,
                "sha256": picture.sha256,
                "withheld": picture.withheld,
                "warnings": list(picture.warnings),
                "references": [asdict(one) for one in picture.references],
                "attribution": picture.attribution
                and AnswerOut.of(picture.attribution).model_dump(mode="json"),
            }
            for file, picture in zip(files, generation.pictures, strict=True)
        ],
    }


def _source(found: MadeFrom | None) -> dict[str, Any] | None:
    from dataclasses import asdict

    from api.answers import AnswerOut

    if found is None:
        return None
    return {
        "summary": found.summary,
        "warnings": list(found.warnings),
        "references": [asdict(one) for one in found.references],
        "attribution": AnswerOut.of(found.answer).model_dump(mode="json"),
    }


def _folder(path: Path) -> Path:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"--out {path} cannot be used: {error.strerror}; name a folder") from None
    return path


def write(folder: Path, picture: Picture) -> Path | None:
    """Write a picture whole, under a name that no other picture has."""
    if picture.png is None:
        return None
    path = folder / f"{picture.seed}-{(picture.sha256 or '')[:8]}.png"
    try:
        with written_whole(path) as new:
            new.write_bytes(picture.png)
    except OSError as error:
        raise BadInput(f"--out {folder} may not be written: {error.strerror}") from None
    return path
