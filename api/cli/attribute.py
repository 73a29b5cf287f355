"""`lawful attribute`, `lawful show` and `lawful search`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
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
from attribution.errors import LawfulError

if TYPE_CHECKING:
    from attribution.images import CheckedImage, Limits
    from attribution.types import Attribution, Findings, SetAttribution

Year = partial(typer.Option, min=-10_000, max=10_000)


def attribute(
    images: Annotated[list[Path], typer.Argument(help="Image files.", metavar="IMAGE...")],
    limit: Annotated[int, typer.Option(min=1, max=100, help="Artists to show.")] = 5,
    report: Annotated[Path | None, typer.Option(help="Write an HTML report here.")] = None,
    *,
    one_hand: Annotated[
        bool, typer.Option("--one-hand", help="All by one artist: give one answer for them too.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One object a line and image.")] = False,
) -> None:
    """Rank the artists that IMAGE most resembles, with the works that speak for each.

    Of several images it says as well which are by registered artists, at a false discovery rate
    of 0.10. Exit code 3: some images could not be read.

    Example: [bold]lawful attribute found.png --report report.html[/]
    """
    from api.cli import render
    from api.report import make_page, render_report
    from attribution.attributor import ANSWER, find_ours
    from attribution.services import open_services

    if report:
        check_writable(report, "--report")
    console, pages, refused = Console(), [], list[Path]()
    answers: dict[UUID, tuple[str, Attribution]] = {}
    joint: SetAttribution | None = None
    with open_services(settings_from_environment()) as services:
        readable = _readable(images, services.limits, refused, as_json=as_json)
        attribute_one = partial(services.attributor.attribute, limit=limit)
        stream = ((path, image, attribute_one(image)) for path, image in readable)
        if one_hand and (read := list(readable)):
            joint = services.attributor.attribute_set([image for _, image in read], limit=limit)
            stream = ((*pair, answer) for pair, answer in zip(read, joint.answers, strict=True))
        for path, image, answer in stream:
            answers[answer.id] = str(path), answer
            if as_json:
                print_json({"image": str(path), **ANSWER.dump_python(answer, mode="json")})
            else:
                render.show_attribution(console, str(path), answer)
            if report:
                pages.append(make_page(services, plain(path), image, answer))
    if len(answers) > 1:
        findings = find_ours([answer for _, answer in answers.values()])
        if as_json:
            print_json(_together(findings, joint))
        else:
            named = [answers[one][0] for one in findings.ours]
            render.show_together(console, findings, joint, named)
    if report:
        report.write_text(render_report(pages), encoding="utf-8")
        status_console().print(plain(f"report: {report}"), markup=False, soft_wrap=True)
    if refused:
        raise typer.Exit(SOME_REFUSED)


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


def _together(findings: Findings, joint: SetAttribution | None) -> dict[str, Any]:
    """Return what is said of all images together, as JSON values."""
    from pydantic import TypeAdapter

    from attribution.types import Findings, SetAttribution

    said = {"findings": TypeAdapter(Findings).dump_python(findings, mode="json")}
    if joint is not None:
        whole = TypeAdapter(SetAttribution).dump_python(joint, mode="json")
        said["one_hand"] = {name: value for name, value in whole.items() if name != "answers"}
    return said


def show(
    attribution_id: Annotated[UUID, typer.Argument(help="Id of an answer: “recorded as …”.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One object.")] = False,
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
    words: Annotated[str, typer.Argument(help="What to look for.")] = "",
    image: Annotated[Path | None, typer.Option(help="A picture to look for.")] = None,
    artist: Annotated[list[str] | None, typer.Option(help="Only this slug; repeatable.")] = None,
    licence: Annotated[list[str] | None, typer.Option(help="Only this; repeatable.")] = None,
    year_from: Annotated[int | None, Year(help="Not older than.")] = None,
    year_to: Annotated[int | None, Year(help="Not younger than.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="Works to show.")] = 10,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One object.")] = False,
) -> None:
    """Find works by words, by a picture or by both, and see what each component gave.

    Example: [bold]lawful search "red sailing boat" --artist nicu-buculei[/]
    """
    from pydantic import TypeAdapter

    from api.cli.render import show_search
    from attribution.attributor import SearchQuery
    from attribution.images import read_image_file
    from attribution.services import open_services
    from attribution.types import SearchResult

    with open_services(settings_from_environment()) as services:
        query = SearchQuery(
            text=words,
            image=read_image_file(image, services.limits) if image else None,
            artists=tuple(artist or ()),
            licences=tuple(licence or ()),
            year_from=year_from,
            year_to=year_to,
        )
        result = services.attributor.search(query, limit=limit)
    if as_json:
        print_json(TypeAdapter(SearchResult).dump_python(result, mode="json"))
    else:
        show_search(Console(), result)
