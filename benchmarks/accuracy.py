"""Accuracy on unseen artists: `python benchmarks/accuracy.py DATA [--half train]`.

The protocols of docs/benchmarks.md: near-duplicates grouped and one of each kept, a quarter of the
artists never indexed, half of every other artist's works indexed and half asked for, five seeds.
Ours is the real index, the real votes and the real classifier, before any calibration: all spaces
weigh alike. Next to it 1-NN on CLIP and on a colour histogram.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import numpy as np

from attribution.arithmetic import voting
from attribution.arithmetic.classifier import Statistics, fit
from attribution.config import Settings
from attribution.encoders.encoder import voting as voting_spaces
from attribution.encoders.profiles import load_encoders
from attribution.images import hamming, read_image_file
from attribution.index import open_index
from attribution.types import Point, Probe, Vote
from attribution.voters.classifier import ClassifierVoter
from attribution.voters.neighbours import NeighboursVoter
from attribution.voters.panel import equal_weights
from attribution.voters.voter import Question
from ingest.lessons import read_starter_works

SEEDS = 5
BATCH = 32
NEAR_BITS = 6  # perceptual hashes this near are one work


@dataclass(frozen=True)
class Works:
    """Embedded works: vectors by space, shape (n, dim); artists as numbers."""

    vectors: dict[str, np.ndarray]
    artist: np.ndarray

    def row(self, work: int) -> dict[str, np.ndarray]:
        """Return the vectors of one work, the histogram left out."""
        return {name: rows[work] for name, rows in self.vectors.items() if name != "histogram"}


def main() -> None:
    """Print one table of metrics."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--half", default="evaluation", choices=("train", "evaluation"))
    parser.add_argument("--profile", default="starter")
    chosen = parser.parse_args()
    manifest = hashlib.sha256((chosen.data / "metadata.jsonl").read_bytes()).hexdigest()
    works = embed(chosen.data, chosen.half, chosen.profile)
    print(f"{len(works.artist)} works, {len(set(works.artist))} artists, manifest {manifest[:12]}")
    rows = [measure(works, seed) for seed in range(SEEDS)]
    for method in rows[0]:
        print(f"\n{method}")
        for metric in rows[0][method]:
            values = [row[method][metric] for row in rows]
            print(f"  {metric:24s} {np.mean(values):.3f} ± {np.std(values):.3f}")


def embed(data: Path, half: str, profile: str) -> Works:
    """Encode works of one half of the artists in the spaces that vote, one of near-duplicates."""
    images, artists, hashes = [], [], []
    for work in read_starter_works(data, half)[0]:
        image = read_image_file(work.path)
        if all(hamming(image.facts.phash, other) > NEAR_BITS for other in hashes):
            hashes.append(image.facts.phash)
            images.append(image.rgb)
            artists.append(work.artist)
    encoders = load_encoders(Settings(profile=profile))
    print(f"profile {profile} {encoders.fingerprint[:12]}")
    parts: dict[str, list[np.ndarray]] = {"histogram": [np.stack([histogram(i) for i in images])]}
    spaces = voting_spaces(encoders.lanes)
    for start in range(0, len(images), BATCH):
        for name, rows in encoders.encode(images[start : start + BATCH], spaces).items():
            parts.setdefault(name, []).append(rows)
    numbers = np.unique(artists, return_inverse=True)[1]
    return Works({name: np.concatenate(part) for name, part in parts.items()}, numbers)


def histogram(image: object) -> np.ndarray:
    """Return the square roots of a 4 × 4 × 4 RGB histogram, L2-normalised."""
    levels = np.asarray(image, dtype=np.uint8).reshape(-1, 3) // 64
    counts = np.bincount(levels @ np.array([16, 4, 1]), minlength=64)
    root = np.sqrt(counts)
    return (root / np.linalg.norm(root)).astype(np.float32)


def split(works: Works, seed: int) -> tuple[list[int], list[int], list[int]]:
    """Return (indexed, asked for by known artists, works of unknown artists)."""
    rng = np.random.default_rng(seed)
    artists = rng.permutation(np.unique(works.artist))
    unknown = set(artists[: len(artists) // 4].tolist())
    indexed: list[int] = []
    known: list[int] = []
    strangers: list[int] = []
    for artist in artists.tolist():
        own = rng.permutation(np.flatnonzero(works.artist == artist)).tolist()
        if artist in unknown:
            strangers += own
        else:
            half = (len(own) + 1) // 2
            indexed += own[:half]
            known += own[half:]
    return indexed, known, strangers


def measure(works: Works, seed: int) -> dict[str, dict[str, float]]:
    """Return method -> metric -> value for one seed."""
    indexed, known, strangers = split(works, seed)
    truth = works.artist[known]
    results = {}
    for name in ("clip", "histogram"):
        rows = works.vectors[name]
        results[f"1-NN {name}"] = _nearest(rows, works.artist, indexed, known, strangers)
    sizes = Counter(works.artist[indexed].tolist())
    with tempfile.TemporaryDirectory() as folder:
        answers = list(_ask(works, indexed, [*known, *strangers], Path(folder)))
    for system in answers[0].votes:
        ranked = [[v.artist_id.int - 1 for v in one.votes[system]] for one in answers[: len(known)]]
        share = np.array([one.votes[system][0].share for one in answers])
        results[system] = _closed(ranked, truth) | _open(share[: len(known)], share[len(known) :])
    found = [works.artist[one.hits] for one in answers[: len(known)]]
    results["search by all spaces"] = _retrieval(found, truth, sizes)
    return results


@dataclass(frozen=True)
class Asked:
    """One query: the votes by system, best first, and the works that a search finds."""

    votes: dict[str, list[Vote]]
    hits: list[int]


def _ask(
    works: Works, indexed: Sequence[int], asked: Sequence[int], folder: Path
) -> Iterator[Asked]:
    """Ask about works: the neighbours alone, the classifier alone, and both."""
    dims = {name: len(vector) for name, vector in works.row(0).items()}
    artists = [UUID(int=int(works.artist[i]) + 1) for i in indexed]
    index = open_index(str(folder / "index"), dims=dims, collection="artworks")
    index.upsert(
        [
            Point(UUID(int=i + 1), works.row(i), "", artist)
            for i, artist in zip(indexed, artists, strict=True)
        ]
    )
    rows = np.concatenate([works.vectors[name][indexed] for name in sorted(dims)], axis=1)
    solved = fit(Statistics.of(artists, rows), dims)
    if solved is None:
        raise SystemExit("nothing is indexed")
    classifier = ClassifierVoter(solved)
    sizes = Counter(artists)
    for query in asked:
        probe = Probe(works.row(query))
        near = index.neighbours(probe, limit=voting.NEAREST)
        question = Question(probe.vectors, near, sizes, equal_weights(sorted(dims)))
        ballots = [voter.shares(question) for voter in (NeighboursVoter(), classifier)]
        hits = index.search(probe, limit=10)
        yield Asked(
            {
                "neighbours alone": voting.count(ballots[:1]),
                "classifier alone": voting.count(ballots[1:]),
                "both, before calibration": voting.count(ballots),
            },
            [hit.id.int - 1 for hit in hits],
        )
    index.close()


def _nearest(
    rows: np.ndarray,
    artist: np.ndarray,
    indexed: Sequence[int],
    known: Sequence[int],
    strangers: Sequence[int],
) -> dict[str, float]:
    near = rows[known] @ rows[indexed].T
    order = np.argsort(-near, axis=1, kind="stable")
    hits = artist[np.array(indexed)[order]]
    ranked = [list(dict.fromkeys(row.tolist())) for row in hits]
    return {
        **_closed(ranked, artist[known]),
        **_retrieval([row[:10] for row in hits], artist[known], Counter(artist[indexed].tolist())),
        **_open(near.max(1), (rows[strangers] @ rows[indexed].T).max(1)),
    }


def _closed(ranked: Sequence[Sequence[int]], truth: np.ndarray) -> dict[str, float]:
    first = np.array([row[0] for row in ranked]) == truth
    per_artist = [first[truth == artist].mean() for artist in np.unique(truth)]
    return {
        "top-1": float(first.mean()),
        "top-5": float(np.mean([t in row[:5] for row, t in zip(ranked, truth, strict=True)])),
        "macro recall": float(np.mean(per_artist)),
    }


def _retrieval(
    hits: Sequence[np.ndarray], truth: np.ndarray, sizes: Counter[int]
) -> dict[str, float]:
    """mAP@1 and, in both forms, mAP@10 (CSD: mean precision; textbook: over relevant ranks)."""
    relevant = np.array([row == t for row, t in zip(hits, truth, strict=True)])
    precision = relevant.cumsum(1) / np.arange(1, relevant.shape[1] + 1)
    wanted = np.minimum(relevant.shape[1], [sizes[t] for t in truth.tolist()])
    return {
        "mAP@1": float(relevant[:, 0].mean()),
        "mAP@10 (CSD)": float(precision.mean()),
        "mAP@10 (textbook)": float(((precision * relevant).sum(1) / wanted).mean()),
    }


def _open(known: np.ndarray, unknown: np.ndarray) -> dict[str, float]:
    """AUROC of a score, and what a threshold that keeps 80 % of the known lets through."""
    ranks = np.concatenate([known, unknown]).argsort().argsort()[: len(known)] + 1
    pairs = len(known) * len(unknown)
    threshold = float(np.quantile(known, 0.2))
    return {
        "open-set AUROC": float((ranks.sum() - len(known) * (len(known) + 1) / 2) / pairs),
        "threshold at 80 % known": threshold,
        "unknown let through": float((unknown >= threshold).mean()),
    }


if __name__ == "__main__":
    main()
