"""Words on unseen artists: `python benchmarks/words.py DATA [--half train]`.

Two protocols of docs/models.md. A work is asked for by its whole caption, title and tags; an image
with the same caption is a hit. And each tag of 5 to 100 works is asked for alone, as people type:
the works that have it are the hits. Chance is the mean share of works that are hits.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from attribution.config import Settings
from attribution.encoders.clip import ClipEncoder
from attribution.encoders.profiles import load_encoders
from attribution.images import read_image_file
from attribution.laboratory.starter.works import Work
from ingest.lessons import read_starter_works

BATCH = 32
FEWEST, MOST = 5, 100  # works of a tag that is asked for
NO_WORDS = {"hash"}  # a mark that the library's index left behind, on two works in five


def main() -> None:
    """Print one table of metrics."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--half", default="evaluation", choices=("train", "evaluation"))
    parser.add_argument("--profile", default="starter")
    chosen = parser.parse_args()
    works, _ = read_starter_works(chosen.data, chosen.half)
    encoders = load_encoders(Settings(profile=chosen.profile))
    print(f"{len(works)} works, profile {chosen.profile} {encoders.fingerprint[:12]}")
    encoder = next(encoder for encoder in encoders if isinstance(encoder, ClipEncoder))
    images = _images(encoder, works)
    captions = [caption(work) for work in works]
    tags = asked_tags(works)
    tables = {
        "title and tags": recall(
            _texts(encoder, captions) @ images.T, np.equal.outer(captions, captions)
        ),
        f"one of {len(tags)} tags": precision(
            _texts(encoder, [words(tag) for tag in tags]) @ images.T,
            np.array([[tag in work.tags for work in works] for tag in tags]),
        ),
    }
    for name, metrics in tables.items():
        print(f"\n{name}")
        for metric, value in metrics.items():
            print(f"  {metric:24s} {value:.3f}")


def caption(work: Work) -> str:
    """Return the title without its serial number, and all tags."""
    title = work.title.lower().rstrip("0123456789 _-.")
    return ", ".join(filter(None, [title, *map(words, work.tags)]))


def words(tag: str) -> str:
    """Return a tag as people type it."""
    return tag.replace("_", " ")


def asked_tags(works: Sequence[Work]) -> list[str]:
    """Return the tags that neither few nor most works have."""
    counts = Counter(tag for work in works for tag in set(work.tags))
    return sorted(t for t, n in counts.items() if FEWEST <= n <= MOST and t not in NO_WORDS)


def recall(scores: np.ndarray, relevant: np.ndarray) -> dict[str, float]:
    """Return in how many queries (rows) the first k hold a hit."""
    hits = _ranked(scores, relevant)
    return {f"recall@{k}": float(hits[:, :k].any(1).mean()) for k in (1, 5, 10)}


def precision(scores: np.ndarray, relevant: np.ndarray) -> dict[str, float]:
    """Return the mean precision at 10, mean average precision, and what chance would give."""
    hits = _ranked(scores, relevant)
    at = hits.cumsum(1) / np.arange(1, hits.shape[1] + 1)
    return {
        "precision@10": float(hits[:, :10].mean()),
        "mAP": float(((at * hits).sum(1) / hits.sum(1)).mean()),
        "chance": float(relevant.mean()),
    }


def _ranked(scores: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    order = np.argsort(-scores, axis=1, kind="stable")
    ranked: np.ndarray = np.take_along_axis(relevant, order, axis=1)
    return ranked


def _images(encoder: ClipEncoder, works: Sequence[Work]) -> np.ndarray:
    parts = []
    for start in range(0, len(works), BATCH):
        images = [read_image_file(work.path).rgb for work in works[start : start + BATCH]]
        parts.append(np.asarray(encoder.encode(images)[encoder.text_vector]))
    return np.concatenate(parts)


def _texts(encoder: ClipEncoder, texts: Sequence[str]) -> np.ndarray:
    parts = [encoder.encode_text(texts[at : at + BATCH]) for at in range(0, len(texts), BATCH)]
    return np.concatenate([np.asarray(part) for part in parts])


if __name__ == "__main__":
    main()
