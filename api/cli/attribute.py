"""`lawful attribute`, `lawful member`, `lawful show` and `lawful search`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer
from rich.console import Console

from api.cli.common import (
    SOME_REFUSED,
    check_writable,
    plain,
    print_json,
    settings_from_environment,
    status_console,
)
from api.cli.loading import open_services
from attribution.errors import BadInput, LawfulError

if TYPE_CHECKING:
    from attribution.images import CheckedImage, Limits
    from attribution.regions import Regions
    from attribution.services import Services
    from attribution.types import Attribution, Findings, SetAttribution

Year = partial(typer.Option, min=-10_000, max=10_000)


def attribute(
    images: Annotated[list[Path], typer.Argument(help="Image files.", metavar="IMAGE")],
    limit: Annotated[int, typer.Option(min=1, max=100, help="Artists to show.")] = 5,
    report: Annotated[Path | None, typer.Option(help="Write an HTML report here.")] = None,
    regions: Annotated[
        Path | None,
        typer.Option(help="Write a PNG of the regions behind the first artist; takes one IMAGE."),
    ] = None,
    *,
    one_hand: Annotated[
        bool,
        typer.Option(
            "--one-hand", help="Assume one artist for all images: also give one joint answer."
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per image.")
    ] = False,
) -> None:
    """Rank the artists that IMAGE most resembles, with the supporting works.

    With several images, the answer also says which of them are attributed to registered artists,
    at a false discovery rate of 0.10. With --regions, the report shows the regions of every artist
    and --json has their numbers. Exit code 3: some images could not be read.

    Example: [bold]lawful attribute found.png --report report.html --regions regions.png[/]
    """
    from api.cli import render
    from api.report import make_page, render_report
    from attribution.attributor import find_ours
    from attribution.services import image_limits

    if report:
        check_writable(report, "--report")
    _check_regions(regions, len(images))
    console, pages, refused = Console(), [], list[Path]()
    answers: dict[UUID, tuple[str, Attribution]] = {}
    settings = settings_from_environment()
    readable = _begun(_readable(images, image_limits(settings), refused, as_json=as_json))
    with open_services(settings, as_json=as_json) as services:
        joint, answered = _answered(services, readable, limit, one_hand=one_hand)
        for path, image, answer in answered:
            answers[answer.id] = str(path), answer
            found = _regions(regions, services, image, answer)
            if as_json:
                print_json({"image": str(path), **_values(answer, found)})
            else:
                render.show_attribution(console, str(path), answer)
            if report:
                pages.append(make_page(services, plain(path), image, answer, found))
    if len(answers) > 1 or joint is not None:
        findings = find_ours([answer for _, answer in answers.values()])
        if as_json:
            print_json(_together(findings, joint))
        else:
            named = [answers[one][0] for one in findings.ours]
            copies = [path for path, answer in answers.values() if answer.copy_of]
            render.show_together(console, findings, joint, named, copies)
    if report:
        report.write_text(render_report(pages), encoding="utf-8")
        status_console().print(plain(f"report: {report}"), markup=False, soft_wrap=True)
    if refused:
        raise typer.Exit(SOME_REFUSED)


def _answered(
    services: Services,
    readable: Iterable[tuple[Path, CheckedImage]],
    limit: int,
    *,
    one_hand: bool,
) -> tuple[SetAttribution | None, Iterable[tuple[Path, CheckedImage, Attribution]]]:
    """Return the answer for all images together, where asked for, and those for each."""
    attribute_one = partial(services.attributor.attribute, limit=limit)
    if not one_hand or not (read := list(readable)):
        return None, ((path, image, attribute_one(image)) for path, image in readable)
    joint = services.attributor.attribute_set([image for _, image in read], limit=limit)
    return joint, [(*pair, answer) for pair, answer in zip(read, joint.answers, strict=True)]


def _readable(
    images: Iterable[Path], limits: Limits, refused: list[Path], *, as_json: bool
) -> Iterator[tuple[Path, CheckedImage]]:
    """Yield the images that can be read; say why others cannot, and list them in `refused`."""
    from attribution.images import read_image_file

    for path in images:
        try:
            yield path, read_image_file(path, limits)
        except LawfulError as error:
            refused.append(path)
            status_console().print(plain(f"{path}: {error}"), style="red", markup=False)
            if as_json:
                print_json({"image": str(path), "error": str(error)})


def _begun(
    images: Iterator[tuple[Path, CheckedImage]],
) -> Iterator[tuple[Path, CheckedImage]]:
    """Read as far as the first image, so that models are not loaded for none; raises Exit."""
    first = next(images, None)
    if first is None:
        raise typer.Exit(SOME_REFUSED)
    return chain([first], images)


def _together(findings: Findings, joint: SetAttribution | None) -> dict[str, Any]:
    """Return what is said of all images together, as JSON values."""
    from pydantic import TypeAdapter

    from attribution.types import Findings, SetAttribution

    said = {"findings": TypeAdapter(Findings).dump_python(findings, mode="json")}
    if joint is not None:
        whole = TypeAdapter(SetAttribution).dump_python(joint, mode="json")
        said["one_hand"] = {name: value for name, value in whole.items() if name != "answers"}
    return said


def _check_regions(target: Path | None, images: int) -> None:
    if target:
        check_writable(target, "--regions")
        if images > 1:
            raise BadInput(f"--regions {target} takes one image; {images} were given")


def _regions(
    target: Path | None, services: Services, image: CheckedImage, answer: Attribution
) -> Regions | None:
    """Find the regions, if asked for, and draw those of the first artist or say why not."""
    from api.overlay import draw_overlay
    from attribution.regions import find_regions

    if target is None:
        return None
    found = find_regions(services, image, answer)
    first = [artist.slug for artist in answer.artists[:1]]
    says = "no regions to draw for the first artist"
    for one in found.artists:
        if one.slug in first:
            draw_overlay(image.rgb, one).save(target, "PNG")
            says = f"regions: {target}, for {one.name}"
    for line in (says, *(f"note: {note}" for note in found.notes)):
        status_console().print(plain(line), markup=False, soft_wrap=True)
    return found


def _values(answer: Attribution, regions: Regions | None) -> dict[str, Any]:
    """Return an answer, and its regions where there are any, as JSON values."""
    from attribution.attributor import ANSWER
    from attribution.regions import REGIONS

    values: dict[str, Any] = ANSWER.dump_python(answer, mode="json")
    return values | ({"regions": REGIONS.dump_python(regions, mode="json")} if regions else {})


def member(
    images: Annotated[list[Path], typer.Argument(help="Image files.", metavar="IMAGE")],
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per image.")
    ] = False,
) -> None:
    """Tell whether IMAGE or a near copy is registered, and how often such findings are wrong.

    Answers "was this image in the training set?" where that set is registered here. The error rate
    was measured on our benchmark, not on your catalogue; every image that was wrongly found there
    belonged to the same artist's series. Not being found is no proof of absence. Exit code 3: some
    images could not be read.

    Example: [bold]lawful member found.png[/]
    """
    from pydantic import TypeAdapter

    from api.cli import render
    from attribution.services import image_limits
    from attribution.types import Member

    refused: list[Path] = []
    settings = settings_from_environment()
    readable = _begun(_readable(images, image_limits(settings), refused, as_json=as_json))
    with open_services(settings, as_json=as_json) as services:
        for path, image in readable:
            answer = services.attributor.member(image)
            if as_json:
                values = TypeAdapter(Member).dump_python(answer, mode="json")
                print_json({"image": str(path), **values})
            else:
                render.show_member(Console(), str(path), answer)
    if refused:
        raise typer.Exit(SOME_REFUSED)


def show(
    attribution_id: Annotated[
        UUID, typer.Argument(help="Id of an answer, which shows it as “recorded as …”.")
    ],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show an earlier answer of `lawful attribute` again, as it was given.

    Example: [bold]lawful show ID[/]
    """
    from api.cli import render
    from attribution.attributor import ANSWER
    from attribution.catalog import queries
    from attribution.services import open_stores

    with open_stores(settings_from_environment()) as stores, stores.sessions() as session:
        recorded = queries.attribution_by_id(session, attribution_id).answer
    answer = ANSWER.validate_python(recorded)
    if as_json:
        print_json(ANSWER.dump_python(answer, mode="json"))
    else:
        render.show_attribution(Console(), f"image {answer.image_sha256[:12]}", answer)


def search(
    words: Annotated[str, typer.Argument(help="Words to search for.")] = "",
    image: Annotated[Path | None, typer.Option(help="Image to search for.")] = None,
    artist: Annotated[
        list[str] | None, typer.Option(help="Only works of this artist (slug; repeatable).")
    ] = None,
    licence: Annotated[
        list[str] | None, typer.Option(help="Only works under this licence (repeatable).")
    ] = None,
    year_from: Annotated[int | None, Year(help="Earliest year.")] = None,
    year_to: Annotated[int | None, Year(help="Latest year.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="Works to show.")] = 10,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Find works by words, by an image or by both, and show what each component contributed.

    Example: [bold]lawful search "red sailing boat" --artist nicu-buculei[/]
    """
    from pydantic import TypeAdapter

    from api.cli.render import show_search
    from attribution.attributor import SearchQuery, check_query
    from attribution.images import read_image_file
    from attribution.services import image_limits
    from attribution.types import SearchResult

    settings = settings_from_environment()
    query = SearchQuery(
        text=words,
        image=read_image_file(image, image_limits(settings)) if image else None,
        artists=tuple(artist or ()),
        licences=tuple(licence or ()),
        year_from=year_from,
        year_to=year_to,
    )
    check_query(query)
    with open_services(settings, as_json=as_json) as services:
        result = services.attributor.search(query, limit=limit)
    if as_json:
        print_json(TypeAdapter(SearchResult).dump_python(result, mode="json"))
    else:
        show_search(Console(), result)
