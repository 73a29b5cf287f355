"""A file is there whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from attribution.files import Store
from attribution.training import cache
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


def test_what_a_killed_process_has_begun_goes_with_its_work(tmp_path: Path) -> None:
    """Of thumbnails, and of the vectors that training keeps; others' files stay."""
    store = Store(str(tmp_path))
    mine, other = "ab" * 32, "ab" + "cd" * 31
    for sha256 in (mine, other):
        store.put_thumbnail(sha256, b"picture")
        (tmp_path / "thumbnails" / "ab" / f".{sha256}.webp.12.new").write_bytes(b"pict")
    begun = tmp_path / "cache" / "one" / ".part.safetensors.12.new"
    begun.parent.mkdir(parents=True)
    begun.write_bytes(b"vectors")

    store.forget(mine)
    cache.forget(tmp_path / "cache", {mine})

    left = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {f"{other}.webp", f".{other}.webp.12.new"}
