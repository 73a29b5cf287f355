"""What became of a job and its files, and how long it took, in the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

from api.cli.common import plain

if TYPE_CHECKING:
    from rich.console import Console

    from ingest.summary import Summary

SHOWN = 20  # reasons listed in the terminal; --json has them all
SHOWN_ARTISTS = 40


def show(
    console: Console, summary: Summary, seconds: float | None, *, dry_run: bool = False
) -> None:
    """Print the counts of a job, and what was refused or claimed twice."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_row("would be added" if dry_run else "added", str(summary.added), style="green")
    table.add_row("already known", str(summary.known))
    if summary.corrected:
        corrected = "would be corrected" if dry_run else "corrected"
        table.add_row(f"  of these {corrected}", str(summary.corrected), style="green")
    if summary.asked:
        table.add_row("  of these wait for --allow-freer", str(summary.asked), style="yellow")
    if summary.conflicts:
        table.add_row("  of these under another artist", str(summary.conflicts), style="yellow")
    if summary.blank:
        table.add_row("blank: registered, never found", str(summary.blank), style="yellow")
    if summary.repeated:
        table.add_row("the same file again in this source", str(summary.repeated))
    table.add_row("refused", str(summary.refused), style="red" if summary.refused else None)
    if summary.withdrawn:
        withdrawn = "would be withdrawn" if dry_run else "withdrawn"
        table.add_row(f"  of these {withdrawn}", str(summary.withdrawn), style="red")
    table.add_row("artists", str(summary.artists))
    if seconds is not None:
        table.add_row("seconds", f"{seconds:.1f}")
    console.print(table)
    if dry_run:
        _show_artists(console, summary)
    for remark in summary.remarks:
        console.print(plain(f"  {remark}"), markup=False, soft_wrap=True)
    _show_reasons(console, summary)


def _show_artists(console: Console, summary: Summary) -> None:
    """Print under which artists the files of a dry run would come, and what of them."""
    counts: dict[str, Counter[str]] = {}
    for item in summary.items:
        counts.setdefault(item.artist or "(nobody)", Counter())[item.outcome.value] += 1
    table = Table("artist", "files", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for artist, outcomes in list(counts.items())[:SHOWN_ARTISTS]:
        said = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items())
        table.add_row(escape(plain(artist)), said)
    console.print(table)
    if len(counts) > SHOWN_ARTISTS:
        console.print(f"  … and {len(counts) - SHOWN_ARTISTS} more artists; --json lists them")


def _show_reasons(console: Console, summary: Summary) -> None:
    """Print what was refused, asked or claimed twice; what many have in common, once."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for item in summary.items:
        if item.reason:
            reasons.setdefault((item.outcome.value, item.reason), []).append(item.path)
    for (outcome, reason), paths in list(reasons.items())[:SHOWN]:
        more = f" and {len(paths) - 1:,} more" if len(paths) > 1 else ""
        said = plain(f"  {outcome}: {paths[0]}{more}: {reason}")
        console.print(said, markup=False, soft_wrap=True)
    if len(reasons) > SHOWN:
        rest = sum(map(len, list(reasons.values())[SHOWN:]))
        console.print(f"  … and {rest} more; --json lists every file")


def profiled(stages: Mapping[str, float], files: int) -> list[dict[str, Any]]:
    """Return what each stage took, the longest first."""
    whole = sum(stages.values())
    return [
        {
            "stage": name,
            "seconds": round(seconds, 3),
            "share": round(seconds / whole, 4),
            "works_per_s": round(files / max(seconds, 1e-9), 1),
        }
        for name, seconds in sorted(stages.items(), key=lambda one: -one[1])
    ]


def show_profile(console: Console, stages: Sequence[Mapping[str, Any]]) -> None:
    """Print what `profiled` found."""
    table = Table("stage", "seconds", "share", "works/s", box=None, pad_edge=False)
    for one in stages:
        table.add_row(
            one["stage"], f"{one['seconds']:.2f}", f"{one['share']:.0%}", f"{one['works_per_s']:,}"
        )
    console.print(table)
