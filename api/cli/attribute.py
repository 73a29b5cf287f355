"""`lawful attribute`, `lawful member` and `lawful show`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
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
from attribution.custody import How, Purpose
from attribution.errors import BadInput, LawfulError

if TYPE_CHECKING:
    from attribution.answers import Attribution
    from attribution.config import Settings
    from attribution.images import CheckedImage, Limits
    from attribution.lookup.attributor import Also
    from attribution.lookup.regions import Regions
    from attribution.lookup.results import Findings, SetAttribution
    from attribution.lookup.subjects import Obtained
    from attribution.services import Services


def attribute(
    images: Annotated[list[Path], typer.Argument(help="Image files.", metavar="IMAGE")],
    limit: Annotated[int, typer.Option(min=1, max=100, help="Artists to show.")] = 5,
    purpose: Annotated[
        Purpose | None,
        typer.Option(help="What the question is for; recorded, without effect on the answer."),
    ] = None,
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
    thorough: Annotated[
        bool,
        typer.Option(
            help="Look up parts of the image too, and compare all that is near: finds more copies."
        ),
    ] = True,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per image.")
    ] = False,
) -> None:
    """Rank the artists that IMAGE most resembles, with the supporting works.

    With several images, the answer also says which of them show registered works or resemble
    artists' styles, the latter at a false discovery rate of 0.10. With --regions, the report shows
    the regions of every artist, and --json has their numbers. Exit code 3: some images could not be
    read.

    Example: [bold]lawful attribute found.png --report report.html --regions regions.png[/]
    """
    if report:
        check_writable(report, "--report")
    _check_regions(regions, len(images))
    refused: list[Path] = []
    settings = settings_from_environment()
    readable = _begun(images, settings, refused, as_json=as_json)

    from api.cli import render
    from api.reports.decided import decided_about
    from api.reports.pages import make_page
    from api.reports.report import render_report
    from attribution.lookup.findings import find_ours
    from attribution.lookup.subjects import Obtained

    console, pages = Console(), []
    answers: dict[UUID, tuple[str, Attribution]] = {}
    with open_services(settings, as_json=as_json) as services:
        keep = partial(_keeping, services, Obtained(How.FILE, purpose))
        joint, answered = _answered(
            services, readable, keep, limit=limit, one_hand=one_hand, is_thorough=thorough
        )
        for path, image, answer in answered:
            answers[answer.id] = str(path), answer
            found = _regions(regions, services, image, answer)
            if as_json:
                print_json({"image": str(path), **_values(answer, found)})
            else:
                decided = decided_about(services, answer.image_sha256)
                render.show_attribution(console, str(path), answer, decided)
            if report:
                pages.append(make_page(services, plain(path), image, answer, found))
    if len(answers) + len(refused) > 1 or joint is not None:
        findings = find_ours([answer for _, answer in answers.values()])
        if as_json:
            print_json(_together(findings, joint, refused))
        else:
            names = {one: path for one, (path, _) in answers.items()}
            render.show_together(console, findings, joint, names, [str(one) for one in refused])
    if report:
        write_report(report, render_report(pages, unreadable=[plain(one) for one in refused]))
    if refused:
        raise typer.Exit(SOME_REFUSED)


def _answered(
    services: Services,
    readable: Iterable[tuple[Path, CheckedImage]],
    keep: Callable[[Path, CheckedImage], Also],
    *,
    limit: int,
    one_hand: bool,
    is_thorough: bool,
) -> tuple[SetAttribution | None, Iterable[tuple[Path, CheckedImage, Attribution]]]:
    """Return the answer for all images together, where asked for, and those for each."""
    attribute = partial(services.attributor.attribute, limit=limit, is_thorough=is_thorough)
    together = partial(services.attributor.attribute_set, limit=limit, is_thorough=is_thorough)
    if not one_hand or not (read := list(readable)):
        return None, ((*pair, attribute(pair[1], also=keep(*pair))) for pair in readable)
    joint = together([image for _, image in read], also=[keep(*pair) for pair in read])
    return joint, [(*pair, answer) for pair, answer in zip(read, joint.answers, strict=True)]


def _keeping(services: Services, obtained: Obtained, path: Path, image: CheckedImage) -> Also:
    from attribution.images import read_file
    from attribution.lookup.subjects import keeping

    return keeping(services, image, partial(read_file, path, services.limits), obtained)


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
    images: Iterable[Path], settings: Settings, refused: list[Path], *, as_json: bool
) -> Iterator[tuple[Path, CheckedImage]]:
    """Read as far as the first image, so that nothing is loaded for none; raises Exit.

    Yields as `_readable`.
    """
    from attribution.collection import image_limits

    readable = _readable(images, image_limits(settings), refused, as_json=as_json)
    first = next(readable, None)
    if first is None:
        raise typer.Exit(SOME_REFUSED)
    return chain([first], readable)


def _together(
    findings: Findings, joint: SetAttribution | None, unreadable: Sequence[Path]
) -> dict[str, Any]:
    """Return what is said of all images together, as JSON values."""
    from api.answers import FindingsOut, SetOut

    said: dict[str, Any] = {
        "findings": FindingsOut.of(findings, [str(one) for one in unreadable]).model_dump(
            mode="json"
        )
    }
    if joint is not None:
        whole = SetOut.of(joint).model_dump(mode="json")
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
    from api.reports.overlay import draw_overlay
    from attribution.lookup.regions import find_regions

    if target is None:
        return None
    found = find_regions(services, services.encoders, image, answer)
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
    from api.answers import AnswerOut
    from attribution.lookup.regions import REGIONS

    values = AnswerOut.of(answer).model_dump(mode="json")
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
    refused: list[Path] = []
    settings = settings_from_environment()
    readable = _begun(images, settings, refused, as_json=as_json)

    from api.answers import MemberOut
    from api.cli import render

    with open_services(settings, as_json=as_json) as services:
        for path, image in readable:
            answer = services.attributor.member(image)
            if as_json:
                print_json({"image": str(path), **MemberOut.of(answer).model_dump(mode="json")})
            else:
                render.show_member(Console(), str(path), answer)
    if refused:
        raise typer.Exit(SOME_REFUSED)


def show(
    ids: Annotated[
        list[UUID],
        typer.Argument(help="Ids of answers, shown as “recorded as …”.", metavar="ID"),
    ],
    report: Annotated[Path | None, typer.Option(help="Write an HTML report here.")] = None,
    images: Annotated[
        list[Path] | None,
        typer.Option("--image", help="The image itself, for the report (repeatable)."),
    ] = None,
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per answer.")
    ] = False,
) -> None:
    """Show earlier answers of `lawful attribute` again.

    A report shows the images that are kept, and those that are given again.

    Example: [bold]lawful show ID --report report.html --image found.png[/]
    """
    from api.answers import AnswerOut
    from api.cli import render
    from api.reports.decided import decided_about
    from api.reports.pages import Page, make_page
    from api.reports.report import render_report
    from attribution.collection import open_stores
    from attribution.lookup.attributor import recalled

    if report:
        check_writable(report, "--report")
    pages: list[Page] = []
    with open_stores(settings_from_environment()) as stores:
        given = _by_hash(images or [], stores.limits)
        with stores.sessions() as session:
            answers = recalled(session, ids)
        for answer in answers:
            path, image = given.pop(answer.image_sha256, (None, None))
            name = plain(path) if path else f"image {answer.image_sha256[:12]}"
            if as_json:
                print_json(AnswerOut.of(answer).model_dump(mode="json"))
            else:
                decided = decided_about(stores, answer.image_sha256)
                render.show_attribution(Console(), name, answer, decided)
            if report:
                pages.append(make_page(stores, name, image, answer))
    if given:
        names = ", ".join(str(path) for path, _ in given.values())
        raise BadInput(f"{names}: none of these answers is about this image")
    if report:
        write_report(report, render_report(pages))


def write_report(path: Path, html: str) -> None:
    """Write a report and say where it is."""
    path.write_text(html, encoding="utf-8")
    status_console().print(plain(f"report: {path}"), markup=False, soft_wrap=True)


def _by_hash(images: Iterable[Path], limits: Limits) -> dict[str, tuple[Path, CheckedImage]]:
    """Return images by the SHA-256 of their files."""
    from attribution.images import read_image_file

    read = ((path, read_image_file(path, limits)) for path in images)
    return {image.facts.sha256: (path, image) for path, image in read}
