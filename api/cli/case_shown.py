"""A case in the terminal, and what the commands about cases have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer
from rich.console import Console

from api.cli.common import plain, print_json, settings_from_environment

if TYPE_CHECKING:
    from api.cases import CaseFindingOut
    from attribution.catalogue.models import Case
    from attribution.collection import Stores

SHOWN = 100  # images and findings of a case
Number = Annotated[int, typer.Argument(help="Number of a case, as `lawful cases list` shows it.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object each.")]
Why = Annotated[str, typer.Option(help="Reason, kept in the record.")]


@contextmanager
def case_stores() -> Iterator[Stores]:
    """Open what cases are kept in."""
    from attribution.collection import open_stores

    with open_stores(settings_from_environment()) as stores:
        yield stores


def do(number: int, act: Callable[[Stores, UUID], object] | None, *, as_json: bool) -> None:
    """Do something with the case of this number, and show it."""
    from attribution.catalogue.queries import desk

    with case_stores() as stores:
        with stores.sessions() as session:
            case_id = desk.case_by_number(session, number).id
        if act is not None:
            act(stores, case_id)
        show_case(stores, case_id, as_json=as_json)


def show_case(stores: Stores, case_id: UUID, *, as_json: bool) -> None:
    """Print a case."""
    from api.cases import CaseDetail, CaseFindingOut
    from attribution.catalogue.queries import desk

    with stores.sessions() as session:
        case = desk.case_by_id(session, case_id)
        detail = CaseDetail.read(session, case)
        images = desk.list_case_subjects(session, case_id, limit=SHOWN).items
        findings = desk.list_case_findings(session, case_id, limit=SHOWN).items
    if as_json:
        print_json(detail.model_dump(mode="json"))
        return
    lines = [*_head(case)]
    lines += [
        f"party {number} ({one.role.value}): {one.artist or one.name}"
        for number, one in enumerate(detail.parties, 1)
    ]
    for image in images:
        of = (
            f"answer {image.attribution_id}" if image.attribution_id else f"work {image.artwork_id}"
        )
        lines.append(f"image {image.position}: {of}, SHA-256 {image.image_sha256[:12]}")
    if case.subjects > SHOWN:
        lines.append(f"… {case.subjects - SHOWN:,} more images")
    for row in findings:
        lines += finding_lines(CaseFindingOut.of(row, []))
    if case.findings > SHOWN:
        lines.append(f"… {case.findings - SHOWN:,} more findings: `lawful cases findings` has all")
    for one in detail.holds:
        what = one.artwork_id or one.artist or one.subject_id
        ended = f"ended {one.ended_at:%Y-%m-%d}: {one.ended_why}" if one.ended_at else "lasts"
        lines.append(f"on hold: {what} ({ended}), {one.by}: {one.why}")
        lines.append(f"  {one.id}")
    for made in detail.decisions:
        lines.append(
            f"decision {made.number}: {made.outcome.value} ({made.ground.value}), {made.by}"
        )
        lines.append(f"  {made.words}")
        if made.needs_second:
            lines.append(f"  second: {made.seconded_by or 'none yet, so it does not hold'}")
    lines += [
        f"{one.at:%Y-%m-%d %H:%M} {one.kind.value} by {one.by}: {one.text}" for one in detail.notes
    ]
    for line in lines:
        Console(soft_wrap=True).print(plain(line), markup=False, highlight=False)


def finding_lines(shown: CaseFindingOut) -> Iterator[str]:
    """Say what the machine said, and what people said of that."""
    said = shown.assessed.value if shown.assessed else "not assessed"
    yield f"finding {shown.position} ({shown.lane.value}, {said}): {shown.statement}"
    for one in shown.assessments:
        yield f"  {one.verdict.value} by {one.by}, {one.at:%Y-%m-%d %H:%M}: {one.why}"


def _head(case: Case) -> Iterator[str]:
    yield f"case {case.number}: {case.title}"
    about = f"images: {case.subjects}, findings: {case.findings}"
    yield f"{case.kind.value}, {case.status.value}, priority {case.priority}: {about}"
    if case.due_at:
        yield f"due {case.due_at:%Y-%m-%d %H:%M UTC}"
    if case.assignee:
        yield f"assigned to {case.assignee}"
    if case.follows:
        yield f"follows the closed case {case.follows}"
    yield f"id {case.id}"
