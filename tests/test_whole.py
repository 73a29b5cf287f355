"""A file is there whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from attribution.whole import written_whole


def test_the_new_file_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    """Until then the old one is there; afterwards nothing else is."""
    path = tmp_path / "facts.json"
    path.write_text("old")

    with written_whole(path) as new:
        new.write_text("new")
        assert path.read_text() == "old"

    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_leaves_the_old_file(tmp_path: Path) -> None:
    """What was written so far goes."""
    path = tmp_path / "facts.json"
    path.write_text("old")

    def broken() -> None:
        with written_whole(path) as new:
            new.write_text("ne")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        broken()

    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_two_may_write_at_once(tmp_path: Path) -> None:
    """The last one to end counts."""
    path = tmp_path / "facts.json"

    with written_whole(path) as one, written_whole(path) as other:
        one.write_text("one")
        other.write_text("other")

    assert path.read_text() == "one"
