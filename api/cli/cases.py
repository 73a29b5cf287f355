"""`lawful cases`: what people look at, assess and decide."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from api.cli.case_shown import Json, Number, Why, case_stores, do, finding_lines, show_case
from api.cli.common import (
    check_writable,
    ending,
    plain,
    print_json,
    settings_from_environment,
)
from attribution.cases import Assessed, CaseKind, CaseOutcome, CaseStatus, Ground, PartyRole
from attribution.chunks import chunks

if TYPE_CHECKING:
    from attribution.collection import Stores

app = typer.Typer(
    help="Cases: open, assess findings, decide, appeal, and the queue.", no_args_is_help=True
)


@app.command("open")
def open_case(
    title: Annotated[str, typer.Argument(help="What the case is about, in a line.")],
    answer: Annotated[
        list[UUID] | None, typer.Option(help="Answer to look at (id; repeatable).")
    ] = None,
    kind: Annotated[CaseKind, typer.Option(help="What the case is about.")] = CaseKind.MATCH,
    artist: Annotated[
        list[str] | None, typer.Option(help="Artist who is a party (slug; repeatable).")
    ] = None,
    batch: Annotated[
        UUID | None,
        typer.Option(help="Lookup batch whose answers that name a work or one artist are added."),
    ] = None,
    work: Annotated[UUID | None, typer.Option(help="Work that several artists claim.")] = None,
    priority: Annotated[int, typer.Option(min=1, max=5, help="1 is the most urgent.")] = 3,
    due: Annotated[
        datetime | None, ending("When the case is due (UTC; a date: with that day).")
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Open a case, or show the open one of that kind that has these images already.

    Example: [bold]lawful cases open "A print in a web shop" --answer ID --artist ann-example[/]
    """
    from attribution.desk.opening import NewCase, NewParty
    from attribution.desk.opening import open_case as open_in

    new = NewCase(
        kind=kind,
        title=title,
        attributions=answer or (),
        artwork=work,
        batch=batch,
        parties=[NewParty(PartyRole.ARTIST, artist=slug) for slug in artist or ()],
        priority=priority,
        due_at=due,
    )
    with case_stores() as stores:
        show_case(stores, open_in(stores, new).case.id, as_json=as_json)


@app.command("list")
def list_cases(
    status: Annotated[CaseStatus | None, typer.Option(help="Only with this status.")] = None,
    kind: Annotated[CaseKind | None, typer.Option(help="Only of this kind.")] = None,
    assignee: Annotated[str | None, typer.Option(help="Only assigned to this person.")] = None,
    artist: Annotated[str | None, typer.Option(help="Only with this party (slug).")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="Cases to show.")] = 20,
    *,
    as_json: Json = False,
) -> None:
    """List cases, newest first.

    Example: [bold]lawful cases list --status open[/]
    """
    from api.cases import CaseOut
    from attribution.catalogue import queries
    from attribution.catalogue.queries import desk

    with case_stores() as stores, stores.sessions() as session:
        wanted = desk.CasesWanted(
            statuses=(status,) if status else (),
            kind=kind,
            assignee=assignee,
            artist_id=queries.artist_by_slug(session, artist).id if artist else None,
        )
        rows = desk.list_cases(session, wanted, limit=limit).items
    if as_json:
        for row in rows:
            print_json(CaseOut.of(row).model_dump(mode="json"))
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for head in ("case", "status", "kind", "priority", "due", "assignee", "title"):
        table.add_column(head)
    for row in rows:
        due = f"{row.due_at:%Y-%m-%d}" if row.due_at else ""
        cells = (row.number, row.status.value, row.kind.value, row.priority, due)
        table.add_row(*(escape(plain(one)) for one in (*cells, row.assignee or "", row.title)))
    Console().print(table if rows else "no such case")


@app.command()
def show(case: Number, *, as_json: Json = False) -> None:
    """Show a case: parties, the first images and findings, decisions, notes, holds.

    Example: [bold]lawful cases show 12[/]
    """
    do(case, None, as_json=as_json)


@app.command()
def findings(case: Number, *, as_json: Json = False) -> None:
    """List all findings of a case, with what people said of each.

    Example: [bold]lawful cases findings 12[/]
    """
    from api.cases import CaseFindingOut
    from attribution.catalogue.queries import desk
    from attribution.desk.opening import AT_ONCE, every

    out = Console(soft_wrap=True)
    with case_stores() as stores, stores.sessions() as session:
        rows = every(session, desk.case_by_number(session, case), desk.list_case_findings)
        for few in chunks(list(rows), AT_ONCE):
            said = desk.assessments_of(session, [one.id for one in few])
            for row in few:
                shown = CaseFindingOut.of(row, said.get(row.id, []))
                if as_json:
                    print_json(shown.model_dump(mode="json"))
                    continue
                for line in finding_lines(shown):
                    out.print(plain(line), markup=False, highlight=False)


@app.command("pairs")
def list_pairs(*, as_json: Json = False) -> None:
    """List images and works that decisions which hold call a match, or none.

    For calibration and tests of the copy lane by those who train.

    Example: [bold]lawful cases pairs --json > pairs.jsonl[/]
    """
    from api.cases import PairOut
    from attribution.catalogue.queries import pairs
    from attribution.desk.opening import AT_ONCE

    out, cursor, is_more = Console(soft_wrap=True), None, True
    with case_stores() as stores:
        while is_more:
            with stores.sessions() as session:
                page = pairs.list_pairs(session, cursor=cursor, limit=AT_ONCE)
            for pair in page.items:
                if as_json:
                    print_json(PairOut.of(pair).model_dump(mode="json"))
                    continue
                said = "match" if pair.is_match else "no match"
                about = (
                    f"image {pair.image_sha256}, work {pair.artwork_id}, case {pair.case.number}"
                )
                out.print(f"{said}: {about}", markup=False, highlight=False)
            cursor, is_more = page.next, page.next is not None


@app.command("next")
def take_next(*, as_json: Json = False) -> None:
    """Take the most urgent case that waits; nobody else gets it for a time.

    That time is LAWFUL_CASE_LEASE_MINUTES; asking again renews it.

    Example: [bold]lawful cases next[/]
    """
    from attribution.desk import queue

    with case_stores() as stores:
        row = queue.take_next(stores)
        if row is not None:
            show_case(stores, row.id, as_json=as_json)
        elif not as_json:
            Console().print("no case waits for you")


@app.command()
def plan(
    case: Number,
    priority: Annotated[
        int | None, typer.Option(min=1, max=5, help="1 is the most urgent.")
    ] = None,
    due: Annotated[
        datetime | None, ending("When the case is due (UTC; a date: with that day).")
    ] = None,
    *,
    no_due: Annotated[bool, typer.Option("--no-due", help="Take the due date away.")] = False,
    as_json: Json = False,
) -> None:
    """Give a case another priority or due date.

    Example: [bold]lawful cases plan 12 --priority 1 --due 2026-12-24[/]
    """
    from attribution.desk import queue

    said: dict[str, int | datetime | None] = {}
    if priority is not None:
        said["priority"] = priority
    if no_due or due is not None:
        said["due_at"] = None if no_due else due
    do(case, lambda stores, one: queue.plan(stores, one, said), as_json=as_json)


@app.command()
def differences(case: Number) -> None:
    """Say for each image what has become different since its answer; for appeals above all.

    Example: [bold]lawful cases differences 12[/]
    """
    from attribution.catalogue.queries import desk
    from attribution.desk.opening import AT_ONCE, every
    from attribution.services import open_services

    out = Console(soft_wrap=True)
    with open_services(settings_from_environment()) as services:
        with services.sessions() as session:
            of = desk.case_by_number(session, case)
            subjects = list(every(session, of, desk.list_case_subjects))
        positions = {one.attribution_id: one.position for one in subjects if one.attribution_id}
        for few in chunks(list(positions), AT_ONCE):
            for answer, found in services.attributor.differences_of_each(few).items():
                said = [one.said for one in found] or ["everything that was compared is as it was"]
                for line in said:
                    shown = f"image {positions[answer]}: {plain(line)}"
                    out.print(shown, markup=False, highlight=False)


@app.command()
def assess(
    case: Number,
    verdict: Annotated[Assessed, typer.Argument(help="What you say of the findings.")],
    why: Why,
    finding: Annotated[
        list[int] | None,
        typer.Option(help="Number of a finding (repeatable); without it, all that are open."),
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Say whether findings of a case hold; the last assessment of a finding counts.

    Example: [bold]lawful cases assess 12 confirmed --finding 1 --why "the same strokes"[/]
    """
    from attribution.catalogue.queries import desk
    from attribution.desk import judging

    def assessing(stores: Stores, case_id: UUID) -> None:
        with stores.sessions() as session:
            ids = desk.findings_at(session, case_id, finding)
        for few in chunks(ids, judging.AT_ONCE):
            judging.assess(stores, case_id, few, verdict, why)

    do(case, assessing, as_json=as_json)


@app.command()
def decide(
    case: Number,
    outcome: Annotated[CaseOutcome, typer.Argument(help="What is decided.")],
    ground: Annotated[Ground, typer.Option(help="Reason code.")],
    words: Annotated[str, typer.Option(help="The reasons, in your words.")],
    *,
    as_json: Json = False,
) -> None:
    """Decide a case; grave outcomes wait for a second person.

    Example: [bold]lawful cases decide 12 match_rejected --ground other_picture --words "…"[/]
    """
    from attribution.desk import judging

    new = judging.NewDecision(outcome, ground, words)
    do(case, lambda stores, one: judging.decide(stores, one, new), as_json=as_json)


@app.command()
def second(case: Number, *, as_json: Json = False) -> None:
    """Sign the last decision of a case, which another person has made.

    Example: [bold]lawful cases second 12[/]
    """
    from attribution.desk import judging

    do(case, judging.second, as_json=as_json)


@app.command()
def reopen(case: Number, why: Why, *, as_json: Json = False) -> None:
    """Have a decided case decided again; the next decision supersedes the last one.

    Example: [bold]lawful cases reopen 12 --why "a better scan has come"[/]
    """
    from attribution.desk import judging

    do(case, lambda stores, one: judging.reopen(stores, one, why), as_json=as_json)


@app.command()
def close(case: Number, *, as_json: Json = False) -> None:
    """Close a decided case.

    Example: [bold]lawful cases close 12[/]
    """
    from attribution.desk import judging

    do(case, judging.close, as_json=as_json)


@app.command()
def appeal(case: Number, why: Why, *, as_json: Json = False) -> None:
    """Open an appeal against the last decision of a case; another person judges it.

    Example: [bold]lawful cases appeal 12 --why "the respondent has shown a licence"[/]
    """
    from attribution.catalogue.queries import desk
    from attribution.desk import opening

    with case_stores() as stores:
        with stores.sessions() as session:
            of = desk.case_by_number(session, case).id
        show_case(stores, opening.appeal(stores, of, why).case.id, as_json=as_json)


@app.command()
def comment(
    case: Number,
    text: Annotated[str, typer.Argument(help="What to write.")],
    *,
    as_json: Json = False,
) -> None:
    """Write a comment into a case; nobody can alter it.

    Example: [bold]lawful cases comment 12 "asked the shop for the file"[/]
    """
    from attribution.desk import queue

    do(case, lambda stores, one: queue.comment(stores, one, text), as_json=as_json)


@app.command()
def skip(case: Number, why: Why, *, as_json: Json = False) -> None:
    """Leave a case to others; the queue does not give it to you again.

    Example: [bold]lawful cases skip 12 --why "I know the artist"[/]
    """
    from attribution.desk import queue

    do(case, lambda stores, one: queue.skip(stores, one, why), as_json=as_json)


@app.command()
def move(
    case: Number,
    to: Annotated[str, typer.Argument(help="Person, as `lawful audit list` shows them.")],
    why: Why,
    *,
    as_json: Json = False,
) -> None:
    """Give a case to somebody.

    Example: [bold]lawful cases move 12 "key lk_1a2b3c4d" --why "reads Dutch"[/]
    """
    from attribution.desk import queue

    do(case, lambda stores, one: queue.move(stores, one, to, why), as_json=as_json)


@app.command()
def release(case: Number, *, as_json: Json = False) -> None:
    """Give a case back to the queue.

    Example: [bold]lawful cases release 12[/]
    """
    from attribution.desk import queue

    do(case, queue.release, as_json=as_json)


@app.command()
def pack(
    case: Number,
    output: Annotated[Path, typer.Option("--output", "-o", help="Write the pack here, a ZIP.")],
    *,
    timestamp: Annotated[
        bool,
        typer.Option(help="Ask the authority of LAWFUL_TIMESTAMP_URL for the time, if it is set."),
    ] = True,
    as_json: Json = False,
) -> None:
    """Write the evidence pack of a case: answers, assessments, decisions, reports, audit.

    Comments and contacts stay out. `lawful verify` checks it anywhere.

    Example: [bold]lawful cases pack 12 -o case-12.zip[/]
    """
    from api.cli.evidence import show_pack
    from api.cli.loading import open_services
    from api.reports.evidence import contents_of_case
    from attribution.catalogue.queries import desk
    from attribution.desk.packing import write_pack

    check_writable(output, "--output")
    with open_services(settings_from_environment(), as_json=as_json) as services:
        with services.sessions() as session:
            case_id = desk.case_by_number(session, case).id
        contents = contents_of_case(services, case_id, is_stamped=timestamp)
        made = write_pack(services, contents, output)
    show_pack(made, output, as_json=as_json)


@app.command()
def hold(
    case: Number,
    why: Why,
    work: Annotated[UUID | None, typer.Option(help="Work to keep (id).")] = None,
    artist: Annotated[str | None, typer.Option(help="Artist whose works to keep (slug).")] = None,
    image: Annotated[
        UUID | None, typer.Option(help="Image that was asked about (id in `lawful subjects list`).")
    ] = None,
    until: Annotated[datetime | None, ending("When it ends (UTC; a date: with that day).")] = None,
    *,
    as_json: Json = False,
) -> None:
    """Keep a work, an artist's works or an image for a case, whatever is withdrawn meanwhile.

    A withdrawn work is found no more; what is kept of it is one sealed exhibit, until the hold
    ends.

    Example: [bold]lawful cases hold 12 --artist ann-example --why "a claim was announced"[/]
    """
    from attribution.desk.holding import NewHold, put_on_hold

    new = NewHold(why, work, artist, image, until)
    do(case, lambda stores, one: put_on_hold(stores, one, new), as_json=as_json)


@app.command("end-hold")
def end_hold(
    case: Number,
    hold: Annotated[UUID, typer.Argument(help="Id of a hold, as `lawful cases show` has it.")],
    why: Why,
    *,
    as_json: Json = False,
) -> None:
    """End a hold: what nothing else keeps goes, and what was withdrawn is gone then.

    Example: [bold]lawful cases end-hold 12 ID --why "the claim was settled"[/]
    """
    from attribution.desk.holding import end_hold as end

    do(case, lambda stores, one: end(stores, one, hold, why), as_json=as_json)
