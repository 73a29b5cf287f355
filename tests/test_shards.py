"""Output of img2dataset and its kin: rows for every picture, or a refusal that names it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from attribution.errors import BadInput
from ingest.sources.shards import SHARD_FILE, check_readable, is_img2dataset, shard_rows


def row(key: str, **more: Any) -> dict[str, Any]:
    """Return what img2dataset writes about a picture."""
    return {
        "url": f"https://example.org/{key}.jpg",
        "key": key,
        "caption": f"work {key}",
        "status": "success",
        "error_message": None,
        "width": 200,
        "height": 160,
        "exif": "{}",
        "sha256": "0" * 64,
    } | more


def shard(folder: Path, *rows: dict[str, Any], table: bool = False) -> Path:
    """Write a shard folder, with its Parquet file beside it where `table` says so."""
    folder.mkdir(parents=True)
    for one in rows:
        (folder / f"{one['key']}.jpg").touch()
        (folder / f"{one['key']}.json").write_text(json.dumps(one))
        (folder / f"{one['key']}.txt").write_text(one["caption"] or "from the text")
    if table:
        parquet.write_table(pa.Table.from_pylist(list(rows)), f"{folder}.parquet")
        folder.with_name(f"{folder.name}_stats.json").write_text("{}")
    return folder.parent


def test_every_field_is_handed_on(tmp_path: Path) -> None:
    """Technical ones are left out, the address is the source, and no shard is an artist."""
    extra = {"artist": "Ann", "consent_train": "no", "LICENSE": "CC0-1.0"}
    root = shard(tmp_path / "00000", row("000000000", **extra), table=True)
    shard(tmp_path / "00001", row("000010000"))

    first, second = shard_rows(root)

    assert is_img2dataset(root)
    assert first.where == "00000/000000000.json"
    assert first.values == extra | {
        "file_name": "00000/000000000.jpg",
        "caption": "work 000000000",
        "source": "https://example.org/000000000.jpg",
    }
    assert second.values["file_name"] == "00001/000010000.jpg"
    assert "artist" not in second.values


def test_an_unpacked_tar_shard_is_known(tmp_path: Path) -> None:
    """Its files lie beside each other; a caption may be in the text file alone."""
    shard(tmp_path / "in", row("000000000", caption=None))

    (only,) = shard_rows(tmp_path / "in")

    assert (only.values["file_name"], only.values["caption"]) == ("000000000.jpg", "from the text")


def test_what_the_parquet_file_says_otherwise_is_a_row_too(tmp_path: Path) -> None:
    """So that a no in either of them is heard; where both say the same, one row is enough."""
    root = shard(tmp_path / "00000", row("000000000"), row("000000001"), table=True)
    said = [row("000000000", consent_index=""), row("000000001", consent_index="no")]
    parquet.write_table(pa.Table.from_pylist(said), root / "00000.parquet")
    (root / "00000/000000000.json").unlink()

    rows = list(shard_rows(root))

    assert [one.where for one in rows] == [
        "00000.parquet, row 1",
        "00000/000000001.json",
        "00000.parquet, row 2",
    ]
    assert rows[2].values["consent_index"] == "no"


@pytest.mark.parametrize("text", ["{", "[1]", "[" * 100_000, '"' + "x" * (5 << 20) + '"'])
def test_a_sidecar_that_cannot_be_read_is_said(tmp_path: Path, text: str) -> None:
    """It may forbid anything: its picture is refused, and the others are read."""
    root = shard(tmp_path / "00000", row("000000000"), row("000000001"))
    (root / "00000/000000001.json").write_text(text)

    good, bad = shard_rows(root)

    assert good.refused is None
    assert "00000/000000001.json cannot be read" in str(bad.refused)
    assert bad.values == {"file_name": "00000/000000001.jpg"}


def test_other_folders_are_none_of_it(tmp_path: Path) -> None:
    """Numbers and JSON files alone make no img2dataset."""
    (tmp_path / "00000").mkdir()
    (tmp_path / "00000/1.png").touch()
    (tmp_path / "12345.json").write_text('{"artist": "Ann"}')

    assert not is_img2dataset(tmp_path)
    assert list(shard_rows(tmp_path)) == []
    check_readable(tmp_path)


def test_packed_shards_and_embeddings_are_named(tmp_path: Path) -> None:
    """Each refusal says what it is and what to bring in its place."""
    tars, tables, embeddings = (tmp_path / name for name in ("tars", "tables", "embeddings"))
    tars.mkdir()
    for name in ("00000.tar", "00001.tar"):
        (tars / name).touch()
    tables.mkdir()
    (tables / "00000.parquet").touch()
    (embeddings / "img_emb").mkdir(parents=True)
    np.save(embeddings / "img_emb/img_emb_0.npy", np.zeros((1, 2)))

    with pytest.raises(BadInput, match=r"00000.tar and 1 more .*ingest each tar by itself"):
        check_readable(tars)
    with pytest.raises(BadInput, match="--output_format files"):
        check_readable(tables)
    with pytest.raises(BadInput, match="embeddings of clip-retrieval and no pictures"):
        check_readable(embeddings)


def test_a_damaged_parquet_file_is_named(tmp_path: Path) -> None:
    """It may hold a no for every picture of its shard."""
    root = shard(tmp_path / "00000", row("000000000"))
    (root / "00000.parquet").write_text("x")

    with pytest.raises(BadInput, match=r"00000\.parquet is not a Parquet file"):
        list(shard_rows(root))


@pytest.mark.parametrize(
    ("name", "is_one"),
    [("00000.parquet", True), ("00000_stats.json", True), ("metadata.parquet", False)],
)
def test_files_beside_the_shards(name: str, *, is_one: bool) -> None:
    """They are img2dataset's own and no tables of a person."""
    assert bool(SHARD_FILE.fullmatch(name)) is is_one
