"""What a space knows of style, without any voter: pairs by one artist, and equal subjects."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from attribution.encoders.encoder import Lane
from attribution.laboratory.pairs import TOGETHER, measure, same_subjects
from attribution.laboratory.works import Works

EAST, NORTH, SOUTH = (1.0, 0.0), (0.0, 1.0), (0.0, -1.0)


def works(
    rows: list[tuple[float, float]],
    artist: list[int],
    subjects: list[str] | None = None,
    group: list[int] | None = None,
) -> Works:
    """Make works of one space, two wide."""
    count = len(rows)
    names = tuple(str(number) for number in range(count))
    return Works(
        paths=tuple(map(Path, names)),
        subjects=tuple(subjects or [""] * count),
        names=names[: max(artist) + 1],
        artist=np.array(artist),
        group=np.array(group or range(count)),
        vectors={"clip": np.array(rows, np.float32)},
        lanes={"clip": Lane.CONTENT},
        hashes=np.zeros((count, 8), np.uint64),
        sha256=names,
        pixel_sha256=names,
        unreadable=0,
        refusing=0,
        shared=0,
    )


def test_pairs_by_one_artist_are_nearer() -> None:
    """Two artists, each with a direction of their own: every pair is told apart."""
    found = measure(works([EAST, EAST, NORTH, NORTH], [0, 0, 1, 1]))

    assert set(found) == {"clip", TOGETHER}
    assert found["clip"].auc == 1
    assert (found["clip"].negative_gaps, found["clip"].artists) == (0, 2)


def test_an_artist_who_is_nearer_to_another_has_a_negative_gap() -> None:
    """Works by artist 0 point apart, and each has a twin by artist 1, whose third is alone."""
    found = measure(works([NORTH, SOUTH, NORTH, SOUTH, SOUTH], [0, 0, 1, 1, 1]))

    assert found["clip"].negative_gaps == 2
    # Of pairs by one artist three in four point apart, of the others half do.
    assert found["clip"].auc == pytest.approx((3 / 4) * (1 / 2) * (1 / 2) + (1 / 4) * (3 / 4))


def test_near_duplicates_are_no_pair() -> None:
    """Works of one lineage are not compared: an artist with one lineage is not counted."""
    found = measure(works([EAST, EAST, NORTH, NORTH], [0, 0, 1, 1], group=[0, 0, 1, 2]))

    assert found["clip"].artists == 1


def test_works_of_the_same_subject_do_not_count() -> None:
    """A flag's nearest work is a flag by somebody else: among other subjects its artist's is."""
    rows = [(0.8, 0.6), (0.6, 0.8), (0.79, 0.61), (-0.6, 0.8)]
    drawn = works(rows, [0, 0, 1, 1], ["flag", "tree", "flag", "tree"])

    found = same_subjects(drawn)["clip"]

    assert (found.works, found.subjects) == (4, 2)
    assert found.map1 == 0.5  # artist 0's two lead to each other; artist 1's lead to artist 0
    # Of two works that count one is by the artist; the work itself and its subject are behind them.
    assert found.map10_csd == pytest.approx(
        np.mean([(1 + 1 / 2 + 1 / 3 + 1 / 4) / 4] * 2 + [(0 + 1 / 2 + 1 / 3 + 1 / 4) / 4] * 2)
    )


@pytest.mark.parametrize("subjects", [["flag", "flag", "", ""], ["a", "b", "c", "d"]])
def test_without_shared_subjects_there_is_no_figure(subjects: list[str]) -> None:
    """A subject of one artist alone, or works without a title, say nothing."""
    assert same_subjects(works([EAST, EAST, NORTH, NORTH], [0, 0, 1, 1], subjects)) == {}
