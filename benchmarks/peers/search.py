"""The index beside what one would search with: `python -m benchmarks.peers.search`.

Vectors about the centre of an artist each, one space of 512 dimensions, ten nearest, one question
after the other, one thread. A graph is searched as wide as it needs for the recall of the index.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np

from attribution.types import Matrix
from benchmarks.peers.turns import Peer, Work, by_turns, keep

WIDTH = 512
WORKS_OF_ONE = 100
APART = 1.2  # length of a work's own part beside that of its artist
QUESTIONS = 200
NEAREST = 10
BATCH = 1_000
WIDEST = 1_024
ONE_THREAD = {"OMP_NUM_THREADS": "1"}
Ask = Callable[[Matrix], Sequence[int]]


def main() -> None:
    """Print recall and duration of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="Write all figures into this file.")
    chosen = parser.parse_args()
    said = {}
    for size in chosen.sizes:
        (own,) = by_turns([Peer("lawful", lawful, (size, 0.0), ONE_THREAD)], 1).values()
        recall = own[0]["recall"]  # which the others have to reach
        peers = {
            "lawful": lawful,
            "faiss, flat": faiss_flat,
            "faiss, HNSW": faiss_hnsw,
            "usearch, HNSW": usearch_hnsw,
            "qdrant-client, local": qdrant_local,
        }
        found = by_turns(
            [Peer(name, prepare, (size, recall), ONE_THREAD) for name, prepare in peers.items()],
            chosen.rounds,
        )
        said[str(size)] = found
        print(f"\n{size:,} works\n")
        print("| | recall@10 | p50, p95 ms | processor ms | ratio | added/s | peak, MiB |")
        print("|---|---|---|---|---|---|---|")
        for name, rounds in found.items():
            middle = {key: np.median([one[key] for one in rounds]) for key in rounds[0]}
            ratios = [
                one["p50_ms"] / peer["p50_ms"]
                for one, peer in zip(found["lawful"], rounds, strict=True)
            ]
            print(
                f"| {name} | {middle['recall']:.3f} | {middle['p50_ms']:.2f}, "
                f"{middle['p95_ms']:.2f} | {middle['processor_s'] / QUESTIONS * 1e3:.2f} | "
                f"{np.median(ratios):.2f} | {middle['added_per_s']:,.0f} | "
                f"{middle['peak_mib']:,.0f} |",
                flush=True,
            )
    keep(chosen.json, said)


def vectors(size: int) -> tuple[Matrix, Matrix, list[list[int]]]:
    """Return works, questions, and what is truly nearest."""
    rng = np.random.default_rng(size)
    centres = _unit(rng.normal(size=(size // WORKS_OF_ONE, WIDTH)).astype(np.float32))

    def about(artists: Any) -> Matrix:
        own = _unit(rng.normal(size=(len(artists), WIDTH)).astype(np.float32))
        return _unit(centres[artists] + APART * own)

    works = about(np.arange(size) % len(centres))
    questions = about(rng.integers(0, len(centres), QUESTIONS))
    nearest = np.argsort(-(questions @ works.T), axis=1)[:, :NEAREST]
    return works, questions, nearest.tolist()


def _unit(rows: Matrix) -> Matrix:
    scaled: Matrix = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return scaled


def _asked(ask: Ask, questions: Matrix, nearest: list[list[int]], added: float) -> Work:
    def work() -> Mapping[str, float]:
        times, right = [], 0
        for question, expected in zip(questions, nearest, strict=True):
            started = time.perf_counter()
            found = ask(question)
            times.append(time.perf_counter() - started)
            right += len(set(found) & set(expected))
        p50, p95 = np.percentile(times, [50, 95]) * 1e3
        recall = right / NEAREST / QUESTIONS
        return {"p50_ms": p50, "p95_ms": p95, "recall": recall, "added_per_s": added}

    return work


def lawful(size: int, _: float) -> Work:
    """Ask the embedded index, as a lookup does for the neighbours of one space."""
    from attribution.index import open_index
    from attribution.index.points import Point, Probe

    works, questions, nearest = vectors(size)
    folder = tempfile.mkdtemp()
    index = open_index(str(Path(folder) / "index"), dims={"clip": WIDTH}, collection="artworks")
    started = time.perf_counter()
    for start in range(0, size, BATCH):
        index.upsert(
            [
                Point(UUID(int=start + number + 1), {"clip": row}, "", UUID(int=1))
                for number, row in enumerate(works[start : start + BATCH])
            ]
        )
    index.flush()
    added = size / (time.perf_counter() - started)
    index.optimize()

    def ask(question: Matrix) -> Sequence[int]:
        near = index.neighbours(Probe({"clip": question}), limit=NEAREST)
        return [hit.id.int - 1 for hit in near["clip"]]

    return _asked(ask, questions, nearest, added)


def faiss_flat(size: int, _: float) -> Work:
    """Compare every vector exactly."""
    import faiss

    works, questions, nearest = vectors(size)
    started = time.perf_counter()
    index = faiss.IndexFlatIP(WIDTH)
    index.add(works)
    added = size / (time.perf_counter() - started)
    return _asked(
        lambda question: index.search(question[None], NEAREST)[1][0].tolist(),
        questions,
        nearest,
        added,
    )


def faiss_hnsw(size: int, recall: float) -> Work:
    """Ask a graph of faiss."""
    import faiss

    works, questions, nearest = vectors(size)
    started = time.perf_counter()
    index = faiss.IndexHNSWFlat(WIDTH, 32, faiss.METRIC_INNER_PRODUCT)
    index.add(works)
    added = size / (time.perf_counter() - started)

    def widened(width: int) -> Work:
        index.hnsw.efSearch = width
        return _asked(
            lambda question: index.search(question[None], NEAREST)[1][0].tolist(),
            questions,
            nearest,
            added,
        )

    return _wide_enough(widened, recall)


def usearch_hnsw(size: int, recall: float) -> Work:
    """Ask a graph of usearch."""
    from usearch.index import Index

    works, questions, nearest = vectors(size)
    started = time.perf_counter()
    index = Index(ndim=WIDTH, metric="ip", dtype="f32")
    index.add(np.arange(size), works, threads=1)
    added = size / (time.perf_counter() - started)

    def widened(width: int) -> Work:
        index.expansion_search = width
        return _asked(
            lambda question: index.search(question, NEAREST, threads=1).keys.tolist(),
            questions,
            nearest,
            added,
        )

    return _wide_enough(widened, recall)


def _wide_enough(widened: Callable[[int], Work], recall: float) -> Work:
    width = 16
    while (work := widened(width))()["recall"] < recall and width < WIDEST:
        width *= 2
    return work


def qdrant_local(size: int, _: float) -> Work:
    """Ask qdrant-client in its local mode, in memory."""
    from qdrant_client import QdrantClient, models

    works, questions, nearest = vectors(size)
    client = QdrantClient(":memory:")
    client.create_collection(
        "works", vectors_config=models.VectorParams(size=WIDTH, distance=models.Distance.COSINE)
    )
    started = time.perf_counter()
    for start in range(0, size, BATCH):
        rows = works[start : start + BATCH]
        ids = list(range(start, start + len(rows)))
        client.upsert("works", models.Batch(ids=ids, vectors=rows.tolist()))
    added = size / (time.perf_counter() - started)

    def ask(question: Matrix) -> Sequence[int]:
        found = client.query_points("works", query=question, limit=NEAREST).points
        return [int(hit.id) for hit in found]

    return _asked(ask, questions, nearest, added)


if __name__ == "__main__":
    main()
