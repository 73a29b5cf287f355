"""Earlier answers: `lawful answers` lists them, `lawful explain` says what is different since.

`lawful recompute` does the arithmetic of one again, `lawful again` asks its question today.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer
from rich.console import Console

from api.cli.common import in_utc, moment, plain, print_json, settings_from_environment
from attribution.answers import Verdict

if TYPE_CHECKING:
    from api.schemas import AttributionBrief
    from attribution.lookup.differences import Difference


def answers(
    verdict: Annotated[Verdict | None, typer.Option(help="Only answers with this verdict.")] = None,
    artist: Annotated[
        str | None, typer.Option(help="Only answers that name a work of this artist (slug).")
    ] = None,
    copy_of: Annotated[
        str | None,
        typer.Option(help="Only images that are copies of a work of this artist (slug)."),
    ] = None,
    sha256: Annotated[
        str | None, typer.Option(help="Only answers about the file with this SHA-256.")
    ] = None,
    since: Annotated[
        datetime | None, moment("Only answers given at this time or later (UTC).")
    ] = None,
    until: Annotated[datetime | None, moment("Only answers given before this time (UTC).")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="Answers to show.")] = 20,
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per answer.")
    ] = False,
) -> None:
    """List earlier answers, newest first; `lawful show ID` shows one in full.

    Example: [bold]lawful answers --copy-of ann-example --since 2026-11-01[/]
    """
    from api.schemas import AttributionBrief
    from attribution.catalogue import queries
    from attribution.catalogue.queries import AnswersWanted
    from attribution.collection import open_stores

    with open_stores(settings_from_environment()) as stores, stores.sessions() as session:
        artist_id = queries.artist_by_slug(session, artist).id if artist else None
        original_by = queries.artist_by_slug(session, copy_of).id if copy_of else None
        wanted = AnswersWanted(
            verdict, artist_id, sha256, in_utc(since), in_utc(until), original_by
        )
        page = queries.list_attributions(session, wanted, limit=limit)
        found = [AttributionBrief.of(row) for row in page.items]
    for one in found:
        if as_json:
            print_json(one.model_dump(mode="json"))
        else:
            _show(one)
    if not (found or as_json):
        Console().print("no answers")


def explain(
    attribution_id: Annotated[
        UUID, typer.Argument(help="Id of an answer, shown as “recorded as …”.", metavar="ID")
    ],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show what has become different since an answer was given: works, artists, models, numbers.

    It does not ask again: `lawful again` does that.

    Example: [bold]lawful explain ID[/]
    """
    from api.answers import DifferencesOut
    from api.cli.loading import open_services

    with open_services(settings_from_environment()) as services:
        found = services.attributor.differences(attribution_id)
    if as_json:
        print_json(DifferencesOut.of(attribution_id, found).model_dump(mode="json"))
        return
    _show_differences(found)


def recompute(
    attribution_id: Annotated[
        UUID, typer.Argument(help="Id of an answer, shown as “recorded as …”.", metavar="ID")
    ],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Compute an earlier answer again from what is kept of it, and compare every figure.

    What cannot be computed is taken from the record, and said. Exit code 1: a figure does not come
    out as it was stated.

    Example: [bold]lawful recompute ID[/]
    """
    from api.answers import RecomputationOut
    from api.cli.loading import open_services

    with open_services(settings_from_environment()) as services:
        found = services.attributor.recompute(attribution_id)
    if as_json:
        print_json(RecomputationOut.of(attribution_id, found).model_dump(mode="json"))
    else:
        out = Console(soft_wrap=True)
        for line in (*(one.said for one in found.differing), found.said):
            out.print(plain(line), markup=False, highlight=False)
        for line in found.taken:
            out.print(plain(f"  {line}"), markup=False, highlight=False, style="dim")
    if not found.is_right:
        raise typer.Exit(1)


def again(
    attribution_id: Annotated[
        UUID, typer.Argument(help="Id of an answer, shown as “recorded as …”.", metavar="ID")
    ],
    limit: Annotated[int, typer.Option(min=1, max=100, help="Artists to show.")] = 5,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Ask an earlier question today, with the image that was kept of it; a new answer is recorded.

    Shows what the earlier answer said, the new one, and what has become different.

    Example: [bold]lawful again ID[/]
    """
    from api.answers import AgainOut
    from api.cli import render
    from api.cli.loading import open_services
    from api.reports.decided import decided_about
    from attribution.lookup.again import ask_again
    from attribution.lookup.wording import headline

    with open_services(settings_from_environment(), as_json=as_json) as services:
        found = ask_again(services, services.attributor, attribution_id, limit=limit)
        decided = decided_about(services, found.answer.image_sha256)
    if as_json:
        print_json(AgainOut.of(found).model_dump(mode="json"))
        return
    out = Console(soft_wrap=True)
    then = f"{found.earlier.created_at:%Y-%m-%d %H:%M UTC}: {headline(found.earlier)}"
    out.print(plain(then), markup=False, highlight=False)
    render.show_attribution(out, "today", found.answer, decided)
    _show_differences(found.differences)


def _show_differences(found: Sequence[Difference]) -> None:
    out = Console(soft_wrap=True)
    for one in found:
        out.print(plain(f"{one.part.value}: {one.said}"), markup=False, highlight=False)
        if one.about:
            out.print(plain(f"  {one.about}"), markup=False, highlight=False, style="dim")
    if not found:
        out.print("everything that was compared is as it was")


def _show(answer: AttributionBrief) -> None:
    """Print two lines per answer: ids are too long for a column, and are copied whole."""
    out = Console(soft_wrap=True)
    named = ", ".join(answer.artists) or "nobody"
    if answer.copy_of:
        named = f"of a work by {answer.copy_of}; like works by {named}"
    said = f"{answer.created_at:%Y-%m-%d %H:%M}  {answer.verdict.value}  {named}"
    out.print(plain(said), markup=False, highlight=False)
    out.print(f"  {answer.id}  image {answer.image_sha256[:12]}", markup=False, style="dim")
