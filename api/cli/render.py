"""Answers as tables in a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from api.cli.common import plain
from api.wording import claim, how_copied
from attribution.types import Attribution, FoundWork, SearchResult, Verdict

SUMMARY = {
    Verdict.COPY: "[bold red]copy[/]",
    Verdict.CANDIDATES: "[bold green]candidates[/]",
    Verdict.ABSTAIN: "[bold yellow]nothing stands out[/]",
}


def show_attribution(console: Console, image: str, answer: Attribution) -> None:
    """Print one answer: verdict, ranking with evidence, and what was searched."""
    console.print(f"\n[bold]{escape(plain(image))}[/]  →  {SUMMARY[answer.verdict]}")
    if copy := answer.copy_of:
        console.print(
            plain(
                f"  {claim(copy)} “{copy.title or copy.id}” by {copy.name} ({copy.slug}): "
                f"{how_copied(copy)}"
            ),
            markup=False,
            soft_wrap=True,
        )
        if copy.also_claimed_by:
            console.print(
                f"  [yellow]the same file is claimed by: {', '.join(copy.also_claimed_by)}[/]"
            )
    if answer.artists:
        console.print(_ranking(answer))
    searched = answer.searched
    console.print(
        plain(
            f"  searched {searched.works} works by {searched.artists} artists, profile "
            f"{searched.profile} ({searched.fingerprint[:8]}); recorded as {answer.id}"
        ),
        style="dim",
        markup=False,
        soft_wrap=True,
    )
    for note in answer.notes:
        console.print(plain(f"  note: {note}"), style="dim", markup=False)


def show_search(console: Console, result: SearchResult) -> None:
    """Print hits, best first, with the contribution of every leg."""
    legs = sorted({leg for hit in result.hits for leg in hit.legs})
    table = Table(box=None, pad_edge=False)
    for heading in ("#", "work", "artist", "licence", "score", *legs):
        table.add_column(heading, justify="right" if heading in {"#", "score", *legs} else "left")
    for number, hit in enumerate(result.hits, 1):
        table.add_row(
            str(number),
            escape(plain(hit.title or hit.id)),
            escape(plain(hit.name)),
            escape(plain(hit.licence or "")),
            f"{hit.score:.3f}",
            *(_leg(hit, leg) for leg in legs),
        )
    console.print(table if result.hits else "nothing found")
    console.print(
        f"[dim]searched {result.searched.works} works; a leg shows part (own score, rank)[/]"
    )


def _leg(hit: FoundWork, leg: str) -> str:
    gave = hit.legs.get(leg)
    return f"{gave.part:.3f} ({gave.score:.2f}, {gave.rank})" if gave else "·"


def _ranking(answer: Attribution) -> Table:
    """Return the artists, best first, each with what every voter gave and the works behind it."""
    spaces = _spaces(work.similarity for artist in answer.artists for work in artist.works)
    table = Table(box=None, pad_edge=False, padding=(0, 1))
    table.add_column("  #", justify="right")
    table.add_column("artist, and works that speak for it", overflow="fold")
    table.add_column("share", justify="right")
    for space in spaces:
        table.add_column(space, justify="right", no_wrap=True)
    for number, artist in enumerate(answer.artists, 1):
        name = f"[bold]{escape(plain(artist.name))}[/]"
        table.add_row(str(number), name, f"[bold]{artist.score:.0%}[/]")
        voters = " + ".join(f"{name} {part:.0%}" for name, part in sorted(artist.voters.items()))
        table.add_row("", f"  [dim]{voters}[/]")
        for work in artist.works:
            similarities = (f"{work.similarity[space]:.2f}" for space in spaces)
            table.add_row("", f"  {escape(plain(work.title or work.id))}", "", *similarities)
    return table


def _spaces(similarities: Iterable[Iterable[str]]) -> list[str]:
    return sorted({space for similarity in similarities for space in similarity})
