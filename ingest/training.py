"""`lawful train classifier` as one use case: gather, choose the epochs, train, compare, keep.

Of every artist's lineages a fifth is held out for the comparison, and of the rest a fifth says when
to stop. Then the network is trained anew on all but the held-out fifth, for as many epochs: what
is kept is what was compared. An interrupted training goes on where it stopped when asked again.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from filelock import FileLock, Timeout

from attribution import tenants
from attribution.catalogue.columns import now
from attribution.collection import Stores
from attribution.encoders.weights import check_device
from attribution.errors import BadInput, Conflict
from attribution.laboratory.asking import artist_id
from attribution.laboratory.splits import hold_out
from attribution.laboratory.voters import compare
from attribution.laboratory.works import Indexed, Ints, Progress
from attribution.training.card import card
from attribution.training.checkpoint import Facts, load, own_folder, save
from attribution.training.network import Network, joined, log_softmax, start
from attribution.training.recipe import Recipe
from attribution.training.run import Epoch, Run, State
from attribution.training.trainer import Examples, train
from attribution.voters.trained import TrainedVoter
from ingest.datasets import DatasetOptions
from ingest.examples import CATALOGUE, Gathered, gather

log = logging.getLogger(__name__)

TEMPERATURES = np.geomspace(0.1, 10, 201)
RUNS = ("choosing.safetensors", "training.safetensors")


@dataclass(frozen=True)
class Plan:
    """What to train on, and how."""

    data: str = CATALOGUE
    dataset: DatasetOptions = field(default_factory=DatasetOptions)
    recipe: Recipe = field(default_factory=Recipe)
    limit: int | None = None  # works
    grow: bool = False  # keep the trunk and the codes of the classifier that is there
    tenant: str = field(default_factory=tenants.current)  # whose works

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Return a plan from its JSON values."""
        parts = {
            "dataset": DatasetOptions(**values["dataset"]),
            "recipe": Recipe(**values["recipe"]),
        }
        return cls(**{**values, **parts})


@dataclass(frozen=True)
class _Parts:
    """Row numbers: what is trained on, and within it what to fit and what to stop by; the rest."""

    seen: Ints
    fitted: Ints
    stops: Ints
    held: Ints


def train_classifier(stores: Stores, plan: Plan, *, progress: Progress) -> Facts:
    """Train, compare and keep a classifier in LAWFUL_TRAINED; returns what is known of it.

    `progress` may raise to interrupt. Raises BadInput for works that cannot be learned from and for
    a device that is not there, Conflict while another process trains there.
    """
    check_device(stores.settings.device)
    folder = own_folder(stores.settings.trained)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / ".lock", timeout=0):
            return _train(stores, plan, folder, progress)
    except Timeout:
        raise Conflict(f"another process trains in {folder}; wait for it to end") from None


def _train(stores: Stores, plan: Plan, folder: Path, progress: Progress) -> Facts:
    gathered = gather(stores, plan.data, plan.dataset, plan.limit, progress)
    before = load(folder, fingerprint=gathered.fingerprint) if plan.grow else None
    labels = _labels(gathered, before[1] if before else None)
    works = replace(gathered.works, artist=_numbers(gathered, labels))
    parts = _split(works, _seen(gathered, before[1] if before else None), plan.recipe.seed)
    dims = {space: matrix.shape[1] for space, matrix in works.vectors.items()}
    examples = Examples(joined(works.vectors), works.artist)

    def run(name: str, rows: Ints, recipe: Recipe, held: Examples | None) -> Run:
        chosen = examples.take(rows)
        first = (
            before[0].grown(len(labels), seed=recipe.seed)
            if before
            else start(chosen.rows, dims, len(labels), recipe)
        )
        return train(
            first,
            chosen,
            recipe,
            artists=len(labels),
            held=held,
            device=stores.settings.device,
            heads_only=plan.grow,
            state=State(folder / name, _identity(gathered, rows, recipe, before, name)),
            progress=_told(progress, name, recipe.epochs),
        )

    stops = examples.take(parts.stops)
    choosing = run(RUNS[0], parts.fitted, plan.recipe, stops)
    temperature = _temperature(choosing.best, stops, len(labels))
    training = run(RUNS[1], parts.seen, replace(plan.recipe, epochs=choosing.best_epoch), None)
    network = training.best
    voter = _voter(network, dims, temperature, labels, works)
    facts = Facts(
        profile=gathered.profile,
        fingerprint=gathered.fingerprint,
        dims=dims,
        named_by=gathered.named_by,
        artists=labels,
        works=sorted(
            {str(gathered.ids[row]) for row in parts.seen} | set(before[1].works if before else ())
        ),
        temperature=temperature,
        data=plan.data,
        left_out=gathered.left_out,
        recipe=asdict(replace(plan.recipe, epochs=choosing.best_epoch)),
        epochs=[asdict(one) for one in choosing.history],
        held_out=len(parts.held),
        compared=compare(works.take(parts.seen), works.take(parts.held), voter, progress),
        works_per_s=training.works_per_s(len(parts.seen)),
        created_at=now().isoformat(timespec="seconds"),
    )
    kept = save(folder, network, facts, card(facts))
    for name in RUNS:
        (folder / name).unlink(missing_ok=True)
    log.info("classifier of %d artists trained on %d works", len(labels), len(facts.works))
    return kept


def _labels(gathered: Gathered, before: Facts | None) -> list[str]:
    """Return the artists in the order of their codes: those who have one keep it."""
    if before and before.named_by != gathered.named_by:
        raise BadInput(
            f"the classifier that is to grow knows its artists by {before.named_by}, these works "
            f"by {gathered.named_by}: train it again without --grow"
        )
    known = before.artists if before else []
    return [*known, *(label for label in gathered.labels if label not in set(known))]


def _numbers(gathered: Gathered, labels: list[str]) -> Ints:
    place = {label: number for number, label in enumerate(labels)}
    numbers = np.array([place[label] for label in gathered.labels], np.int64)
    found: Ints = numbers[gathered.works.artist]
    return found


def _seen(gathered: Gathered, before: Facts | None) -> Ints:
    """Return the rows that the classifier which is to grow was trained on."""
    seen = set(before.works) if before else set()
    return np.array([row for row, one in enumerate(gathered.ids) if str(one) in seen], np.int64)


def _split(works: Indexed, seen_before: Ints, seed: int) -> _Parts:
    """Hold out lineages twice; raises BadInput where there is too little to learn from."""
    if len(np.unique(works.artist)) < 2:
        raise BadInput("all works belong to one artist: a classifier needs two or more")
    _, held = hold_out(works.artist, works.group, seed)
    known = np.isin(works.group[held], works.group[seen_before])
    held = held[~known]
    seen = np.setdiff1d(np.arange(len(works.artist)), held)
    part = works.take(seen)
    fitted, stops = hold_out(part.artist, part.group, seed)
    if not len(held) or not len(stops):
        raise BadInput(
            "no artist has enough different works: of three or more by at least one artist, one "
            "tells when to stop and one is compared on; near-copies count as one"
        )
    return _Parts(seen, seen[fitted], seen[stops], held)


def _identity(
    gathered: Gathered,
    rows: Ints,
    recipe: Recipe,
    before: tuple[Network, Facts] | None,
    name: str,
) -> str:
    """Return a digest of everything that decides what a run comes to."""
    works = [(str(gathered.ids[row]), int(gathered.works.artist[row])) for row in rows]
    known = before[1].weights if before else ""
    said = [name, gathered.fingerprint, gathered.labels, works, asdict(recipe), known]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def _told(progress: Progress, name: str, epochs: int) -> Callable[[Epoch], None]:
    what = "choosing epochs" if name == RUNS[0] else "training"

    def tell(epoch: Epoch) -> None:
        right = "" if epoch.top1 is None else f", {epoch.top1:.0%} named right"
        progress(f"{what}, loss {epoch.loss:.3f}{right}", epoch.number, epochs)

    return tell


def _temperature(network: Network, held: Examples, artists: int) -> float:
    """Return what the scores are divided by so that the held-out works are likeliest."""
    scores, rows = network.scores(held.rows, artists), np.arange(len(held.artist))
    likelihoods = [
        log_softmax(scores / temperature)[rows, held.artist].mean() for temperature in TEMPERATURES
    ]
    return float(TEMPERATURES[int(np.argmax(likelihoods))])


def _voter(
    network: Network, dims: Mapping[str, int], temperature: float, labels: list[str], works: Indexed
) -> TrainedVoter:
    numbers = np.unique(works.artist)
    artists = tuple(artist_id(one) for one in numbers.tolist())
    return TrainedVoter(network, tuple(sorted(dims)), temperature, len(labels), artists, numbers)
