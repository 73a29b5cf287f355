"""Who is indexed, what is calibrated on, and what is asked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from attribution.errors import BadInput
from attribution.laboratory.works import Ints, Works

UNKNOWN = 4  # one artist in so many never enters the index
FEWEST_ARTISTS = 6


@dataclass(frozen=True)
class Split:
    """Row numbers of works. What is not indexed lies in two folds.

    Each fold is asked for once, while calibration sees only the other: so every work is tested
    and none is ever both calibrated on and tested, or either of them and indexed.
    """

    indexed: Ints
    known: tuple[Ints, Ints]  # by artists who are indexed
    strangers: tuple[Ints, Ints]  # by artists who are not, each artist in one fold

    @property
    def asked(self) -> Ints:
        """All works by indexed artists that are not indexed."""
        return np.sort(np.concatenate(self.known))


def split(works: Works, seed: int) -> Split:
    """Split works by artist and lineage; the same seed, the same split.

    A quarter of the artists is unknown. Half of every other artist's lineages, at least one, is
    indexed; a coin sends each of the others to a fold, so that the folds are exchangeable.
    Raises BadInput for fewer than FEWEST_ARTISTS artists or nothing to ask for.
    """
    rng = np.random.default_rng(seed)
    artists = rng.permutation(len(works.names))
    if len(artists) < FEWEST_ARTISTS:
        raise BadInput(
            f"{len(artists)} artists with readable works; an evaluation needs at least "
            f"{FEWEST_ARTISTS}: a quarter of them plays unknown"
        )
    unknown = max(2, len(artists) // UNKNOWN)
    indexed: list[int] = []
    known: tuple[list[int], list[int]] = [], []
    strangers: tuple[list[int], list[int]] = [], []
    for place, artist in enumerate(artists):
        own = np.flatnonzero(works.artist == artist)
        if place < unknown:
            strangers[place % 2].extend(own.tolist())
            continue
        groups = rng.permutation(np.unique(works.group[own]))
        first = (len(groups) + 1) // 2
        indexed += own[np.isin(works.group[own], groups[:first])].tolist()
        for group, fold in zip(
            groups[first:], rng.integers(0, 2, len(groups) - first), strict=True
        ):
            known[fold].extend(own[works.group[own] == group].tolist())
    if not all(known):
        raise BadInput(
            "too few different works by the same artist: nothing is left to ask for; "
            "an evaluation needs several artists with at least four works each"
        )
    return Split(
        _rows(indexed),
        (_rows(known[0]), _rows(known[1])),
        (_rows(strangers[0]), _rows(strangers[1])),
    )


def at_most(works: Works, rows: Ints, limit: int, seed: int) -> Ints:
    """Return at most so many works of each artist, of different lineages as far as they go."""
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(rows)
    seen_groups: dict[int, int] = {}
    turn = []
    for row in shuffled:
        group = int(works.group[row])
        turn.append(seen_groups.get(group, 0))
        seen_groups[group] = turn[-1] + 1
    ordered = shuffled[np.argsort(turn, kind="stable")]
    taken: dict[int, int] = {}
    kept = []
    for row in ordered.tolist():
        artist = int(works.artist[row])
        if taken.get(artist, 0) < limit:
            taken[artist] = taken.get(artist, 0) + 1
            kept.append(row)
    return _rows(kept)


def hold_out(artist: Ints, group: Ints, seed: int) -> tuple[Ints, Ints]:
    """Return (rows to fit, rows to validate): a fifth of each artist's lineages, at least one.

    An artist with one lineage is fitted only. For tuning within the indexed works.
    """
    rng = np.random.default_rng(seed)
    validation: list[int] = []
    for one in np.unique(artist):
        own = np.flatnonzero(artist == one)
        groups = rng.permutation(np.unique(group[own]))
        held = groups[: max(1, len(groups) // 5)] if len(groups) > 1 else groups[:0]
        validation += own[np.isin(group[own], held)].tolist()
    held_out = _rows(validation)
    return np.setdiff1d(np.arange(len(artist)), held_out), held_out


def _rows(rows: list[int]) -> Ints:
    return np.array(sorted(rows), dtype=np.int64)
