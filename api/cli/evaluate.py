"""`lawful evaluate`: how good the answers are on a labelled folder, beside baselines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from api.cli.common import (
    plain,
    print_json,
    progress_bar,
    settings_from_environment,
    status_console,
)
from attribution.errors import BadInput

if TYPE_CHECKING:
    from api.reports.evaluation_report import Report
    from attribution.laboratory.copies import Copies
    from attribution.laboratory.works import Labelled, Progress


TWO_DIGITS = 10


def evaluate(
    data: Annotated[Path, typer.Argument(help="A folder per artist, or a manifest.")],
    seeds: Annotated[int, typer.Option(min=1, max=100, help="Number of splits.")] = 5,
    half: Annotated[
        Literal["evaluation", "train", "all"],
        typer.Option(help="Which half of the starter models' own data to use; all for both."),
    ] = "evaluation",
    out: Annotated[Path | None, typer.Option(help="Folder for JSON, CSV and HTML.")] = None,
    *,
    copies: Annotated[bool, typer.Option(help="Also measure altered copies.")] = True,
    originals: Annotated[
        int, typer.Option(min=1, help="Number of works to alter, each in 33 ways.")
    ] = 80,
    strangers: Annotated[
        Path | None,
        typer.Option(
            help="Folder of images of another kind than the works, to be named by nobody."
        ),
    ] = None,
    subjects: Annotated[
        bool,
        typer.Option(
            "--subjects", help="Also ask among works of other subjects; equal titles, one subject."
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure rankings, probabilities and copies on works whose artists are known.

    Splits the works by artist and lineage, hides a quarter of the artists, and compares the votes
    with three baselines: B0, an MLP with heads of artist codes; B1, neighbours on CLIP; B2,
    logistic regression on CLIP. Works whose table or file denies consent are left out. Your
    collection is neither read nor changed. The same seeds on the same machine give the same
    figures, which docs/evaluation.md explains.

    Example: [bold]lawful evaluate ~/portfolios --out evaluation[/]
    """
    if out is not None and out.exists() and not out.is_dir():
        raise BadInput(f"--out {out} is a file; name a folder")
    if strangers is not None and not strangers.is_dir():
        raise BadInput(f"--strangers {strangers} is not a folder; name one that has images")
    labelled, refused = _read(data, subjects=subjects)
    with progress_bar(status_console()) as bar:
        task = bar.add_task("reading", total=None)

        def progress(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total)

        report = _run(
            *(labelled, data, half, range(seeds), refused),
            originals=originals if copies else 0,
            strangers=strangers,
            subjects=subjects,
            progress=progress,
        )
    if out is not None:
        _write(out, report)
    if as_json:
        from api.reports.evaluation_report import as_json as to_json

        print_json(to_json(report))
    else:
        _show(Console(), report, out)


def _read(data: Path, *, subjects: bool) -> tuple[list[Labelled], int]:
    """Return the works that may be used, and how many may not."""
    from attribution.catalogue.names import fold
    from attribution.catalogue.nobody import is_nobody
    from attribution.laboratory.works import Labelled
    from ingest.lessons import judged
    from ingest.sources import GRANTED_BY_DEFAULT, read_source

    items = list(read_source(data, granted=(*GRANTED_BY_DEFAULT, "train")))
    labelled = [
        Labelled(item.path, item.artist, fold(item.title) if subjects and item.title else "")
        for item, because in judged(items)
        if because is None and "index" in item.consent and not is_nobody(item.artist)
    ]
    return labelled, len(items) - len(labelled)


def _run(
    items: list[Labelled],
    data: Path,
    half: str,
    seeds: range,
    refused: int,
    *,
    originals: int,
    strangers: Path | None,
    subjects: bool,
    progress: Progress,
) -> Report:
    from api.reports.evaluation_report import Report
    from attribution.encoders.profiles import load_encoders
    from attribution.laboratory import copies as protocol
    from attribution.laboratory import pairs
    from attribution.laboratory.lane import open_lane
    from attribution.laboratory.protocol import evaluate as run
    from attribution.laboratory.works import choose_half, embed, embed_others

    settings = settings_from_environment()
    chosen, said = choose_half(items, data, half)
    if not chosen:
        raise BadInput(f"{data} has no works for --half {half}; try --half all")
    encoders = load_encoders(settings)
    works = embed(chosen, encoders, progress)
    taken_up = pairs.same_subjects(works) if subjects else {}
    if subjects and not taken_up:
        raise BadInput(
            f"--subjects: in {data} nobody who shares a title with another artist has works of "
            f"other shared titles; leave it out"
        )
    others = embed_others(strangers, encoders, progress) if strangers else None
    systems = run(works, list(seeds), progress, another_kind=others)
    found = None
    if originals:
        registry = protocol.choose(works, seeds[0], originals)
        with open_lane(works, registry.registered, encoders, progress) as lane:
            found = protocol.measure(works, registry, lane, seeds[0], progress)
    facts = {
        "digest": works.digest,
        "chosen": said,
        "works": len(works.artist),
        "artists": len(works.names),
        "lineages": len(set(works.group.tolist())),
        "unreadable": works.unreadable,
        "refusing": refused + works.refusing,
        "shared": works.shared,
        "profile": settings.profile,
        "fingerprint": encoders.fingerprint,
        "strangers": len(next(iter(others.values()))) if others else 0,
    }
    return Report(facts, list(seeds), systems, found, pairs.measure(works), taken_up)


def _write(out: Path, report: Report) -> None:
    import json

    from api.reports.evaluation_report import as_csv, as_html
    from api.reports.evaluation_report import as_json as to_json

    try:
        out.mkdir(parents=True, exist_ok=True)
        text = json.dumps(to_json(report), indent=1, ensure_ascii=False, allow_nan=False)
        (out / "evaluation.json").write_text(text + "\n", encoding="utf-8")
        (out / "evaluation.csv").write_text(as_csv(report), encoding="utf-8", newline="")
        (out / "evaluation.html").write_text(as_html(report), encoding="utf-8")
    except OSError as error:
        raise BadInput(f"--out {out}: {error.strerror}") from None


def _show(console: Console, report: Report, out: Path | None) -> None:
    from api.reports.evaluation_report import TITLES, best, shown

    data = report.data
    console.print(
        f"{data['works']} works by {data['artists']} artists ({data['chosen']}), "
        f"digest {data['digest'][:12]}, {len(report.seeds)} seeds",
        markup=False,
        soft_wrap=True,
    )
    if left_out := data["refusing"] + data["unreadable"]:
        console.print(
            f"{left_out} left out: {data['refusing']} without consent, refused or without a known "
            f"artist, {data['unreadable']} that are not images",
            markup=False,
        )
    winners = best(report)
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("mean, 95 % interval", no_wrap=True)
    for name in report.systems:
        table.add_column(name, min_width=9)
    for measure, title in TITLES.items():
        cells = []
        for name, system in report.systems.items():
            found = system.measures[measure]
            mean = shown(found.mean)
            bold = f"[bold]{mean}[/]" if winners.get(measure) == name else mean
            places = 1 if found.high >= TWO_DIGITS else 2
            cells.append(f"{bold} [dim]{found.low:.{places}f}…{found.high:.{places}f}[/]")
        table.add_row(title, *cells)
    console.print(table)
    _show_spaces(console, report)
    if kind := report.another_kind:
        console.print(
            f"of {kind.images} images of another kind {shown(kind.attributed)} attributed, "
            f"{shown(kind.candidates)} candidates, {shown(kind.unlike)} unlike anything registered",
            soft_wrap=True,
        )
    elif report.data["strangers"]:
        console.print("too few works to calibrate on: images of another kind are not judged")
    if report.copies:
        _show_copies(console, report.copies)
    if out is not None:
        console.print(plain(f"written: {out / 'evaluation.html'}"), markup=False, soft_wrap=True)


def _show_spaces(console: Console, report: Report) -> None:
    from api.reports.evaluation_report import shown

    same = report.same_subjects
    columns = [
        "space",
        "AUC over pairs",
        "negative gap",
        *(["same subjects: mAP@1"] if same else []),
    ]
    table = Table(*columns, box=None, pad_edge=False)
    for space, one in report.pairs.items():
        more = [shown(same[space].map1)] if same else []
        table.add_row(space, shown(one.auc), f"{one.negative_gaps} of {one.artists}", *more)
    console.print(table)


def _show_copies(console: Console, copies: Copies) -> None:
    from api.reports.evaluation_report import shown

    table = Table("altered copy", "recall@1", "ranked first", box=None, pad_edge=False)
    for name, recall in copies.attacks.items():
        table.add_row(name, shown(recall), shown(copies.ranked_first[name]))
    table.add_row("pooled", shown(copies.pooled_recall1), shown(copies.pooled_ranked_first))
    console.print(table)
    console.print(
        f"µAP {shown(copies.micro_ap)}; images without a match that were reported as copies: "
        f"{shown(copies.distractors_claimed)} of {copies.distractors}; pairs: {copies.pair_fpr:.1e}"
    )
