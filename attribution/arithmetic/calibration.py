"""Votes become probabilities, p-values and a verdict: pure arithmetic, no engine and no database.

A voter's share is no chance. What it is worth is found out by asking the registered works
themselves: each as if it were not there (a known artist), then as if its artist were not there (a
stranger). A weight for each space and one for each voice, that is a voter's share or the nearness
in a space, are fitted on these answers alone, so that nobody has to hold data back; and the answers
themselves are kept, sorted, for p-values that need no model at all. Strangers' answers weigh alike
by artist: the next stranger is another artist, not another work of the most prolific one.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt
import rfc8785

from attribution.answers import Reason, Verdict
from attribution.arithmetic.familiarity import KEPT_DIGITS, Familiarity
from attribution.arithmetic.voting import Ballot, named

Floats = npt.NDArray[np.float64]

FLOOR = 1e-3  # of a share, so that it has a logarithm
TINY = 1e-12  # likewise, of a probability that rounding made 0
FEWEST_WORKS = 30  # asked for; with fewer there is no calibration
FEWEST_ARTISTS = 5
LEVEL = 0.9  # of the set of likely artists
SIGNIFICANT = 0.05  # p-value up to which "nobody of ours" is refused
LARGEST_SET = 5  # likely artists that are still worth naming
LARGEST_USEFUL = 10  # artists in a set that still says something
UNLIKE = 0.05  # p-value of "as near as registered works are" up to which nobody is named,
UNUSUAL = 0.2  # and up to which one artist alone is not
FEW_WORKS = 3  # of an artist: they hardly show what is common to them
# What is kept as a list of numbers.
LISTS = ("weights", "nobody", "misfits", "strangers", "stranger_weights")


@dataclass(frozen=True)
class Ballots:
    """The ballots on one image, a row for each artist whom they name.

    A voter that does not look at the spaces one by one gives the same in each of them.
    """

    artists: tuple[UUID, ...]
    shares: Floats  # (artists, voters, spaces)
    nearness: Floats  # (artists, spaces), in cosines
    closeness: Floats  # (spaces,), in cosines: how near anything registered is at all

    @classmethod
    def of(cls, ballots: Sequence[Ballot], spaces: Sequence[str]) -> Ballots:
        """Put ballots together; `spaces` are those that vote."""
        artists = tuple(sorted(named(ballots)))
        shares = np.zeros((len(artists), len(ballots), len(spaces)))
        nearness = np.zeros((len(artists), len(spaces)))
        for voter, one in enumerate(ballots):
            if not one.spaces:
                shares[:, voter] = _of(artists, one.shares)[:, None]
            for number, space in enumerate(spaces):
                if one.spaces:
                    shares[:, voter, number] = _of(artists, one.spaces.get(space, {}))
                if near := one.nearness.get(space):
                    nearness[:, number] += _of(artists, near)
        closeness = [sum(one.closeness.get(space, 0.0) for one in ballots) for space in spaces]
        return cls(artists, shares, nearness, np.array(closeness))

    def voices(self, spaces: Floats) -> tuple[Floats, float]:
        """Return what the voices say with such weights of the spaces, and how voters agree.

        Voices, shape (artists, voices), as `voice_names` lists them: the logarithm of a voter's
        share; and in each space, by how much the artist's nearest work rises above the last
        neighbour. Agreement: the log of the chance that two voters, each drawing by its shares,
        name one artist; 0 where there are not two.
        """
        heard = self.shares.any(axis=0) * spaces  # a space that found nothing has no part
        heard = heard / np.maximum(heard.sum(axis=1, keepdims=True), TINY)
        shares = np.einsum("avs,vs->av", self.shares, heard)
        agreement = 0.0
        if shares.shape[1] == 2:
            agreement = float(np.log(FLOOR + shares[:, 0] @ shares[:, 1]))
        return np.concatenate([np.log(FLOOR + shares), self.nearness], axis=1), agreement


@dataclass(frozen=True)
class Odds:
    """One image's probabilities and p-values. The artists' and `nobody` sum to 1."""

    artists: Mapping[UUID, float]
    nobody: float
    p_nobody: float  # chance that a stranger's work looks as much like one of ours
    p_values: Mapping[UUID, float]  # chance that a work of this artist fits no better
    p_unnamed: float  # likewise, of every artist whom no voter names
    p_familiar: float  # chance that a registered artist's work is no nearer to what is registered

    @property
    def likely(self) -> list[UUID] | None:
        """The conformal set: it holds the artist of LEVEL of the works by registered artists.

        None where it says nothing: it has more than LARGEST_USEFUL artists, or all who are not
        even named.
        """
        chosen = [artist for artist, value in self.p_values.items() if value > 1 - LEVEL]
        is_useful = len(chosen) <= LARGEST_USEFUL and self.p_unnamed <= 1 - LEVEL
        return chosen if is_useful else None

    def among(self, artists: Collection[UUID]) -> Odds:
        """Return the odds of these artists; what the others had is nobody's."""
        left = {artist: chance for artist, chance in self.artists.items() if artist in artists}
        values = {artist: value for artist, value in self.p_values.items() if artist in artists}
        return replace(self, artists=left, nobody=1 - sum(left.values()), p_values=values)


@dataclass(frozen=True)
class Calibration:
    """Fitted numbers. `misfits` and `strangers` are the answers of works asked for, ascending."""

    voices: tuple[str, ...]
    spaces: Mapping[str, float]  # those that vote, and their weights, which sum to 1
    weights: Floats  # (voices,), none negative; of nearness, by cosine
    nobody: Floats  # (3,): log-odds of nobody, constant, for the agreement, for the familiarity
    misfits: Floats  # 1 - P(its artist | one of ours), of works as if not there
    strangers: Floats  # log-odds of "one of ours", of works as if their artist was not there
    stranger_weights: Floats  # of these, as they come; their mean is 1
    familiarity: Familiarity

    def odds(self, ballots: Ballots) -> Odds:
        """Return what ballots mean that list the same voters and spaces.

        P(a) = exp(w · voices_a) / (Σ_b exp(w · voices_b) + exp(v · (1, agreement, familiarity))): a
        logarithmic opinion pool (Genest & Zidek 1986) with a place for nobody. Half of the images
        are taken to be by strangers; the p-values need no such belief.
        """
        from scipy.special import expit, logsumexp

        by_space = np.array(list(self.spaces.values()))
        voices, agreement = ballots.voices(by_space)
        familiar = float(self.familiarity.total(ballots.closeness, by_space))
        scores, nobody = voices @ self.weights, float(self.nobody @ (1.0, agreement, familiar))
        ours = float(logsumexp(scores))
        chance, given = expit(ours - nobody), np.exp(scores - ours)
        p_values = self.p_artist(given)
        return Odds(
            artists=dict(zip(ballots.artists, (chance * given).tolist(), strict=True)),
            nobody=float(1 - chance),
            p_nobody=self.p_nobody(ours - nobody),
            p_values=dict(zip(ballots.artists, p_values.tolist(), strict=True)),
            p_unnamed=float(self.p_artist(np.zeros(1))[0]),
            p_familiar=self.familiarity.p_value(ballots.closeness, by_space),
        )

    def p_artist(self, given: Floats) -> Floats:
        """Return (1 + #{misfits ≥ 1 - P(artist | one of ours)}) / (n + 1), conformal."""
        above = np.searchsorted(self.misfits, 1 - given, "left")
        values: Floats = (1 + len(self.misfits) - above) / (1 + len(self.misfits))
        return values

    def p_nobody(self, log_odds: float) -> float:
        """Return (1 + #{strangers ≥ log-odds}) / (n + 1), conformal (Vovk et al. 2005).

        Counted by weight: every artist's works together weigh alike, as in hierarchical conformal
        prediction (Dunn, Wasserman & Ramdas 2022).
        """
        return float(weighted_p_values(self.strangers, self.stranger_weights, log_odds))

    def as_json(self) -> dict[str, Any]:
        """Return the numbers as plain values; the voices are kept beside them."""
        lists = {name: value for name, value in vars(self).items() if name in LISTS}
        kept = {name: np.round(value, KEPT_DIGITS).tolist() for name, value in lists.items()}
        return {
            "spaces": {one: round(x, KEPT_DIGITS) for one, x in self.spaces.items()},
            "familiarity": self.familiarity.as_json(),
            **kept,
        }

    @classmethod
    def of_json(cls, voices: Sequence[str], kept: Mapping[str, Any]) -> Calibration:
        """Return what `as_json` gave."""
        lists = {name: np.array(kept[name], float) for name in LISTS}
        familiarity = Familiarity.of_json(kept["familiarity"])
        spaces = dict(sorted(kept["spaces"].items()))
        return cls(tuple(voices), spaces, familiarity=familiarity, **lists)


def _of(artists: Sequence[UUID], shares: Mapping[UUID, float]) -> Floats:
    """Return the shares of these artists, in their order; 0 of who has none."""
    return np.array([shares.get(artist, 0.0) for artist in artists])


def digest_of(voices: Sequence[str], kept: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a calibration's voices and numbers, as RFC 8785 writes them."""
    return hashlib.sha256(rfc8785.dumps([list(voices), dict(kept)])).hexdigest()


def weighted_p_values(ordered: Floats, weights: Floats, asked: Floats | float) -> Floats:
    """Return (1 + Σ weights of scores ≥ asked) / (n + 1); `ordered` ascends, weights' mean is 1."""
    tail = np.concatenate([np.cumsum(weights[::-1])[::-1], [0.0]])
    values: Floats = (1 + tail[np.searchsorted(ordered, asked, "left")]) / (1 + len(ordered))
    return np.minimum(values, 1.0)  # weights are kept rounded


def alike_by_artist(artists: Sequence[Hashable]) -> Floats:
    """Return a weight for each work, so that all artists weigh alike; their mean is 1."""
    counts = Counter(artists)
    return np.array([len(artists) / len(counts) / counts[artist] for artist in artists])


def together(odds: Sequence[Odds], pictures: Sequence[int]) -> Odds:
    """Return what images by one hand say together; equal numbers in `pictures`: the same picture.

    Log probabilities and log-odds are averaged over each picture, summed over the n pictures and
    divided by √n: works of one hand are not independent, and the square root was the best
    calibrated power (docs/benchmarks.md). p-values: twice their mean, which is one whatever the
    dependence (Vovk & Wang 2020); for "this artist" where the artist was named every time. A set
    is as familiar as the pictures are on the average: twice that would name somebody for pictures
    that are all unlike anything registered.
    """
    from scipy.special import logsumexp

    groups: dict[int, list[Odds]] = defaultdict(list)
    for one, picture in zip(odds, pictures, strict=True):
        groups[picture].append(one)
    scale = 1 / np.sqrt(len(groups))
    artists = sorted({artist for one in odds for artist in one.artists})
    scores, ours = np.zeros(len(artists)), 0.0
    p_nobody, p_unnamed, p_familiar, p_values = 0.0, 0.0, 0.0, np.zeros(len(artists))
    for same in groups.values():
        given = [[one.artists.get(artist, 0.0) for artist in artists] for one in same]
        left = [max(1 - one.nobody, TINY) for one in same]
        scores += scale * np.log(np.array(given) / np.array(left)[:, None] + FLOOR).mean(0)
        ours += scale * float(np.mean([np.log(x / max(1 - x, TINY)) for x in left]))
        p_nobody += float(np.mean([one.p_nobody for one in same])) / len(groups)
        p_unnamed += float(np.mean([one.p_unnamed for one in same])) / len(groups)
        p_familiar += float(np.mean([one.p_familiar for one in same])) / len(groups)
        values = [[one.p_values.get(artist, 0.0) for artist in artists] for one in same]
        p_values += np.mean(values, axis=0) / len(groups)
    chance = 1 / (1 + np.exp(-ours))
    parts = chance * np.exp(scores - logsumexp(scores))
    return Odds(
        artists=dict(zip(artists, parts.tolist(), strict=True)),
        nobody=float(1 - chance),
        p_nobody=min(1.0, 2 * p_nobody),
        p_values=dict(zip(artists, np.minimum(1, 2 * p_values).tolist(), strict=True)),
        p_unnamed=min(1.0, 2 * p_unnamed),
        p_familiar=p_familiar,
    )


@dataclass(frozen=True)
class Signs:
    """What a verdict rests on."""

    p_nobody: float
    nobody: float  # its probability
    p_familiar: float
    likely: int | None  # artists in the set; None: it says nothing
    is_by_subject: bool  # `voting.is_by_subject`, of the first artist

    @classmethod
    def of(cls, odds: Odds, *, is_by_subject: bool = False) -> Signs:
        """Return those of one image, or of a set."""
        likely = None if odds.likely is None else len(odds.likely)
        return cls(odds.p_nobody, odds.nobody, odds.p_familiar, likely, is_by_subject)


def judge(signs: Signs, *, known_works: int) -> tuple[Verdict, tuple[Reason, ...]]:
    """Return the verdict on an image that is no copy, and why it is no stronger one.

    `attributed`: "nobody of ours" is refused at SIGNIFICANT, one artist alone is likely, the image
    is not UNUSUAL, and it is not the subject that speaks for the artist.
    `candidates`: one of ours is more likely than not, at most LARGEST_SET are likely, and the image
    is not UNLIKE everything registered. `known_works` of the first artist are registered.
    """
    likely = signs.likely
    reasons = []
    if signs.p_familiar <= UNUSUAL:
        is_unlike = signs.p_familiar <= UNLIKE
        reasons.append(Reason.UNLIKE_ANYTHING if is_unlike else Reason.UNUSUAL)
    if signs.p_nobody > SIGNIFICANT:
        reasons.append(Reason.UNKNOWN_ARTIST)
    if likely != 1:
        is_empty = likely == 0
        reasons.append(Reason.SPACES_DISAGREE if is_empty else Reason.SEVERAL_ARTISTS)
    if signs.is_by_subject:
        reasons.append(Reason.SAME_SUBJECT)
    if not reasons:
        return Verdict.ATTRIBUTED, ()
    if known_works < FEW_WORKS:
        reasons.append(Reason.TOO_FEW_WORKS)
    few = likely is not None and 0 < likely <= LARGEST_SET
    named = signs.nobody < 1 / 2 and few and signs.p_familiar > UNLIKE
    return (Verdict.CANDIDATES if named else Verdict.ABSTAIN), tuple(reasons)


def benjamini_hochberg(p_values: Floats, level: float) -> npt.NDArray[np.bool_]:
    """Return what is refused at a false discovery rate: all p ≤ the largest p_(i) ≤ level · i / n.

    Benjamini & Hochberg 1995.
    """
    from scipy.stats import false_discovery_control  # half a second, for batches alone

    refused: npt.NDArray[np.bool_] = false_discovery_control(p_values) <= level
    return refused
