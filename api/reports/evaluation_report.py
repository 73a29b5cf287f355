"""An evaluation as JSON, as CSV and as one self-contained HTML page with plots."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from attribution.laboratory.copies import Copies
from attribution.laboratory.pairs import Pairs, SameSubjects
from attribution.laboratory.protocol import WORKS_PER_ARTIST, AnotherKind, Evaluated

TITLES = {
    "top1": "top-1",
    "top5": "top-5",
    "macro_recall": "macro recall",
    "map1": "mAP@1",
    "map10_csd": "mAP@10, CSD's form",
    "map10": "mAP@10, textbook",
    "auroc": "open-set AUROC",
    "fpr95": "FPR at 95 % TPR",
    "tpr_at_1fpr": "TPR at 1 % FPR",
    "oscr": "area under OSCR",
    "ece": "ECE, closed",
    "ece_open": "ECE, known and unknown",
    "brier": "Brier score",
    "nll": "NLL",
    "coverage90": "conformal coverage at 0.90",
    "set_size90": "… mean size of the set",
    "useful90": "… at most ten artists",
    "attributed": "attributed, of the known",
    "attributed_right": "… rightly, of all",
    "candidates": "candidates, of the known",
    "unlike": "unlike all, of the known",
    "fdr10": "realised FDR at 0.10",
    "strangers_refused": "strangers with p ≤ 0.05",
    "top1_few": "top-1, 1 to 4 works",
    "top1_some": "… 5 to 19",
    "top1_many": "… 20 or more",
    "coverage90_few": "coverage, 1 to 4 works",
    "coverage90_some": "… 5 to 19",
    "coverage90_many": "… 20 or more",
}
LESS_IS_BETTER = {
    *("fpr95", "ece", "ece_open", "brier", "nll", "set_size90"),
    *("fdr10", "strangers_refused"),
}
AIMED = {"coverage90", "coverage90_few", "coverage90_some", "coverage90_many", "unlike"}
NAMES = {
    "lawful": "Lawful Diffusion",
    "as answered": "Lawful Diffusion, with the product's own calibration",
    "B0": "B0, the seed's MLP",
    "B1": "B1, neighbours on CLIP",
    "B2": "B2, logistic regression",
}
MOST_POINTS = 200  # of a curve


@dataclass(frozen=True)
class Report:
    """Everything that was measured in one run."""

    data: Mapping[str, Any]
    seeds: Sequence[int]
    systems: Mapping[str, Evaluated]
    copies: Copies | None
    pairs: Mapping[str, Pairs]  # by space, and all together
    same_subjects: Mapping[str, SameSubjects]  # likewise; empty where not asked for

    @property
    def another_kind(self) -> AnotherKind | None:
        """What becomes of images of another kind; None where none were given."""
        found = (one.another_kind for one in self.systems.values())
        return next((one for one in found if one), None)


def as_json(report: Report) -> dict[str, Any]:
    """Return JSON values, rounded to six places; what could not be measured is null."""
    return {
        "data": dict(report.data),
        "seeds": list(report.seeds),
        "systems": {name: _system(one) for name, one in report.systems.items()},
        "copies": _copies(report.copies) if report.copies else None,
        "pairs": _values(report.pairs),
        "same_subjects": _values(report.same_subjects),
        "another_kind": _rounded(report.another_kind) if report.another_kind else None,
    }


def as_csv(report: Report) -> str:
    """Return one line a number: system, measure, mean, low, high; RFC 4180."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["system", "measure", "mean", "low", "high"])
    for name, system in as_json(report)["systems"].items():
        for measure in TITLES:
            writer.writerow([name, measure, *system[measure].values()])
        for limit, few in system["works_per_artist"].items():
            for measure, value in few.items():
                writer.writerow([name, f"{measure} with {limit} works per artist", value, "", ""])
    if report.copies:
        copies = _copies(report.copies)
        for attack, recall in copies["attacks"].items():
            writer.writerow(["copies", f"recall@1 {attack}", recall, "", ""])
        writer.writerow(["copies", "recall@1 pooled", copies["pooled_recall1"], "", ""])
    for what in ("pairs", "same_subjects"):
        for space, values in as_json(report)[what].items():
            for name, value in values.items():
                writer.writerow([what, f"{name} {space}", value, "", ""])
    return text.getvalue()


def as_html(report: Report) -> str:
    """Return one page; it loads nothing and runs nothing."""
    environment = Environment(
        loader=PackageLoader("api.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["shown"] = shown
    return environment.get_template("evaluation.html").render(
        report=report,
        titles=TITLES,
        names={name: NAMES.get(name, name) for name in report.systems},
        best=best(report),
        plots=_plots(report),
        limits=WORKS_PER_ARTIST,
    )


def best(report: Report) -> dict[str, str]:
    """Return the system with the best mean of every measure that has a better and a worse."""
    winners = {}
    for measure in TITLES:
        means = {name: one.measures[measure].mean for name, one in report.systems.items()}
        known = {name: mean for name, mean in means.items() if not math.isnan(mean)}
        if known and measure not in AIMED:
            choose = min if measure in LESS_IS_BETTER else max
            winners[measure] = choose(known, key=lambda name: known[name])
    return winners


def shown(value: float) -> str:
    """Return a number for people: three places, a dash where nothing could be measured."""
    return "–" if math.isnan(value) else f"{value:.3f}"


def _plots(report: Report) -> list[dict[str, Any]]:
    """Return the plots: title, axes, and lines of points between 0 and 1."""
    ours = next(iter(report.systems.values()))
    steps = len(WORKS_PER_ARTIST) - 1
    calibration = {
        "after scaling": [(sure, right) for sure, right, _ in ours.reliability],
        "before": [(sure, right) for sure, right, _ in ours.reliability_before],
    }
    return [
        {
            "title": f"Reliability of {next(iter(report.systems))}",
            "x": "confidence in the first artist",
            "y": "accuracy",
            "lines": calibration,
            "diagonal": True,
            "dots": True,
        },
        {
            "title": "Known or unknown: ROC",
            "x": "works by unknown artists accepted",
            "y": "works by known artists accepted",
            "lines": {name: _thin(one.receiver) for name, one in report.systems.items()},
            "diagonal": True,
        },
        {
            "title": "Risk over coverage",
            "x": "all queries, surest answered first",
            "y": "of these wrong",
            "lines": {name: _thin(one.risk) for name, one in report.systems.items()},
        },
        *(
            {
                "title": f"{title} over works per artist",
                "x": "most works of an artist in the index",
                "y": title,
                "lines": {
                    name: [
                        (place / steps, getattr(one.few[limit], field))
                        for place, limit in enumerate(WORKS_PER_ARTIST)
                    ]
                    for name, one in report.systems.items()
                },
                "ticks": [
                    (place / steps, str(limit)) for place, limit in enumerate(WORKS_PER_ARTIST)
                ],
                "dots": True,
            }
            for field, title in (("top1", "Top-1"), ("macro_recall", "Macro recall"))
        ),
    ]


def _thin(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return at most MOST_POINTS of a curve, its ends among them."""
    step = max(1, len(points) // MOST_POINTS)
    return [*points[:-1:step], points[-1]]


def _system(one: Evaluated) -> dict[str, Any]:
    return {
        **{
            name: {
                "mean": _number(found.mean),
                "low": _number(found.low),
                "high": _number(found.high),
            }
            for name, found in one.measures.items()
        },
        "works_per_artist": {
            str(limit): {"top1": _number(few.top1), "macro_recall": _number(few.macro_recall)}
            for limit, few in one.few.items()
        },
    }


def _copies(copies: Copies) -> dict[str, Any]:
    return {
        "pooled_recall1": _number(copies.pooled_recall1),
        "attacks": {name: _number(value) for name, value in copies.attacks.items()},
        "called_copies": {name: _number(value) for name, value in copies.called_copies.items()},
        "ranked_first": {name: _number(value) for name, value in copies.ranked_first.items()},
        "pooled_ranked_first": _number(copies.pooled_ranked_first),
        "micro_ap": _number(copies.micro_ap),
        "recall_at_p90": _number(copies.recall_at_p90),
        "pair_fpr": _number(copies.pair_fpr, places=9),
        "recall_at_pair_fpr": {
            f"{rate:.0e}": _number(value) for rate, value in copies.recall_at_pair_fpr.items()
        },
        "distractors_claimed": _number(copies.distractors_claimed),
        "originals": copies.originals,
        "registered": copies.registered,
        "distractors": copies.distractors,
    }


def _values(by_space: Mapping[str, Pairs] | Mapping[str, SameSubjects]) -> dict[str, Any]:
    return {space: _rounded(one) for space, one in by_space.items()}


def _rounded(one: Pairs | SameSubjects | AnotherKind) -> dict[str, Any]:
    """Return the fields of a value, its parts rounded and its counts as they are."""
    return {
        name: value if isinstance(value, int) else _number(value)
        for name, value in asdict(one).items()
    }


def _number(value: float, *, places: int = 6) -> float | None:
    return None if math.isnan(value) else round(value, places)
