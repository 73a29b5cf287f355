"""Answers as tables in a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from textwrap import fill
from uuid import UUID

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from api.cli.common import plain
from attribution.answers import Attribution, Reason, Verdict
from attribution.index.points import Contribution
from attribution.lookup.batches import BatchFindings
from attribution.lookup.results import Findings, Member, SearchResult, SetAttribution
from attribution.lookup.wording import (
    REASONS,
    VERDICTS,
    WEIGHTS,
    Weight,
    by_one_hand,
    compared,
    headline,
    incomplete,
    lanes,
    membership,
    removed,
    together,
)

SHOWN = 20  # names of many that are listed; --json has them all
COLOURS = {Weight.FOUND: "red", Weight.PERSON: "yellow", Weight.NOTHING: "default"}


def show_attribution(
    console: Console, image: str, answer: Attribution, decided: Iterable[str] = ()
) -> None:
    """Print one answer: what it says, its lanes, the ranking with evidence, what was searched.

    And what people decided about the image.

    With a copy the numbers of style are left out: they answer another question.
    """
    console.print(f"\n[bold]{escape(plain(image))}[/]  →  {_verdict(answer.verdict)}")
    _say(console, headline(answer))
    for one in decided:
        _say_wrapped(console, one, style="yellow")
    _why(console, answer.reasons)
    for lane, says in lanes(answer).items():
        _say_wrapped(console, f"{lane}: {says}")
    if answer.artists and not answer.copy_of:
        console.print(_ranking(answer))
    if answer.confidence and not answer.copy_of:
        made = answer.confidence.calibrated
        console.print(
            f"  calibrated {made.made_at:%Y-%m-%d %H:%M UTC} on {made.works} works by "
            f"{made.artists} artists",
            style="dim",
        )
    searched = answer.searched
    console.print(
        plain(
            f"  searched {compared(searched)} by {searched.artists} artists, profile "
            f"{searched.profile} ({searched.fingerprint[:8]}); recorded as {answer.id}"
        ),
        style="dim",
        markup=False,
        soft_wrap=True,
    )
    for gone in answer.removed:
        console.print(f"  {removed(gone)}", style="yellow", markup=False, soft_wrap=True)
    _show_notes(console, answer.notes)


def show_member(console: Console, image: str, answer: Member) -> None:
    """Print whether an image is registered, and how often such a finding was wrong."""
    says = "[bold red]registered[/]" if answer.copy_of else "[bold]not found[/]"
    if answer.related_to:
        says = _verdict(Verdict.RELATED)
    if answer.is_blank:
        says = "[bold]blank[/]"
    console.print(f"\n[bold]{escape(plain(image))}[/]  →  {says}")
    _say(console, membership(answer))
    if wrong := answer.wrong:
        console.print(
            f"  in our benchmark, {wrong.found} of {wrong.asked} unregistered works were wrongly "
            f"found like this or more surely, as others of their series: at most "
            f"{wrong.at_most:.1%} (95 % confidence; docs/benchmarks.md)"
        )
    console.print(
        f"  searched {compared(answer.searched)}; not being found is no proof of absence",
        style="dim",
    )
    _why(console, answer.reasons)
    _show_notes(console, answer.notes)


def show_together(
    console: Console,
    findings: Findings,
    joint: SetAttribution | None,
    names: Mapping[UUID, str],
    unreadable: Sequence[str],
) -> None:
    """Print what is said of several images together; `names` are those of their answers."""
    console.print()
    _say(console, together(findings, unreadable=len(unreadable)))
    for part, ids in (
        ("copy", findings.copies),
        ("style", findings.style),
        ("related", findings.related),
    ):
        if ids:
            _say(console, f"{part}: {_listed([names[one] for one in ids])}")
    if unreadable:
        _say(console, f"not read: {_listed(unreadable)}")
    if joint is None:
        return
    console.print(f"\n[bold]assuming one artist for all[/]  →  {_verdict(joint.verdict)}")
    _say(console, by_one_hand(joint))
    _why(console, joint.reasons)
    if joint.artists:
        table = Table("  #", "artist", "chance", "fits (p)", box=None, pad_edge=False)
        for number, artist in enumerate(joint.artists, 1):
            name, p_value = escape(plain(artist.name)), f"{artist.p_value:.3f}"
            table.add_row(f"  {number}", name, f"{artist.probability:.0%}", p_value)
        console.print(table)
    if joint.p_nobody is not None and joint.nobody is not None:
        console.print(
            f"  none of the registered artists: probability {joint.nobody:.0%}, p = "
            f"{joint.p_nobody:.3f}; {joint.pictures} different pictures"
        )


def show_batch(console: Console, found: BatchFindings) -> None:
    """Print what the images of a lookup batch say together, and whose works those are."""
    if found.pending:
        _say(console, f"images still to be looked up: {found.pending:,}; this may change")
    show_together(console, found.findings, None, found.names, found.unreadable)
    works = [
        (one.title or str(one.id), one.name, one.copies, one.related) for one in found.union.works
    ]
    _show_counts(console, ("work", "artist", "shown by", "related to"), works)
    artists = [(one.name, one.copies, one.related, one.style) for one in found.union.artists]
    _show_counts(console, ("artist", "shown by", "related to", "resembled by"), artists)


def _show_counts(
    console: Console, heads: Sequence[str], rows: Sequence[tuple[str | int, ...]]
) -> None:
    if not rows:
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for head, cell in zip(heads, rows[0], strict=True):
        table.add_column(head, justify="left" if isinstance(cell, str) else "right")
    for row in rows[:SHOWN]:
        table.add_row(*(escape(plain(cell)) for cell in row))
    console.print()
    console.print(table)
    if len(rows) > SHOWN:
        _say(console, f"… and {len(rows) - SHOWN:,} more; --json lists them")


def show_search(console: Console, result: SearchResult) -> None:
    """Print hits, best first, and under them the contribution of every leg."""
    table = Table(box=None, pad_edge=False)
    for heading in ("#", "work", "artist", "licence", "score"):
        table.add_column(heading, justify="right" if heading in {"#", "score"} else "left")
    for number, hit in enumerate(result.hits, 1):
        table.add_row(
            str(number),
            escape(plain(hit.title or hit.id)),
            escape(plain(hit.name)),
            escape(plain(hit.licence_id or hit.licence or "")),
            f"{hit.score:.3f}",
        )
    console.print(table if result.hits else "nothing found")
    for number, hit in enumerate(result.hits, 1):  # whole, as other commands ask for them
        console.print(f"{number:>3}  {hit.id}", style="dim", highlight=False)
        for leg in sorted(hit.legs):
            console.print(f"     {_leg(leg, hit.legs[leg])}", style="dim", highlight=False)
    console.print(
        f"[dim]searched {compared(result.searched)}; "
        f"each component shows its part (own score, rank)[/]"
    )
    if lacking := incomplete(result.searched):
        _say(console, lacking)
    _show_notes(console, result.notes)


def _listed(names: Sequence[str]) -> str:
    more = f" … and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _show_notes(console: Console, notes: Iterable[str]) -> None:
    for note in notes:
        console.print(plain(f"  note: {note}"), style="dim", markup=False)


def _leg(leg: str, gave: Contribution) -> str:
    return f"{leg:<18} {gave.part:.3f} ({gave.score:.2f}, {gave.rank})"


def _say(console: Console, sentence: str) -> None:
    console.print(plain(f"  {sentence}"), markup=False, highlight=False, soft_wrap=True)


def _verdict(verdict: Verdict) -> str:
    return f"[bold {COLOURS[WEIGHTS[verdict]]}]{VERDICTS[verdict]}[/]"


def _say_wrapped(console: Console, sentence: str, *, style: str | None = None) -> None:
    lines = fill(
        plain(sentence),
        console.width,
        initial_indent="  ",
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    console.print(lines, style=style, markup=False, highlight=False, soft_wrap=True)


def _why(console: Console, reasons: Iterable[Reason]) -> None:
    for reason in reasons:
        _say_wrapped(console, f"{reason.value}: {REASONS[reason]}", style="dim")


def _ranking(answer: Attribution) -> Table:
    """Return the artists, best first, each with what every voter gave and the works behind it."""
    spaces = _spaces(work.similarity for artist in answer.artists for work in artist.works)
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("  #", justify="right")
    table.add_column("artist, and supporting works", overflow="fold")
    table.add_column("chance" if answer.confidence else "share", justify="right")
    for space in spaces:
        table.add_column(space, justify="right", no_wrap=True)
    for number, artist in enumerate(answer.artists, 1):
        name = f"[bold]{escape(plain(artist.name))}[/]"
        sure = artist.score if artist.probability is None else artist.probability
        table.add_row(str(number), name, f"[bold]{sure:.0%}[/]")
        voters = " + ".join(f"{name} {part:.0%}" for name, part in sorted(artist.voters.items()))
        table.add_row("", f"[dim]vote {artist.score:.0%}: {voters}[/]")
        for work in artist.works:
            similarities = (f"{work.similarity[space]:.2f}" for space in spaces)
            title = f"  {escape(plain(work.title or work.id))}"
            table.add_row("", title, "", *similarities)
    return table


def _spaces(similarities: Iterable[Iterable[str]]) -> list[str]:
    return sorted({space for similarity in similarities for space in similarity})
