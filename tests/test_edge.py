"""Qdrant Edge behind our client: what is refused, who owns the folder, what outlives a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from qdrant_client import models

from attribution.errors import BackendUnavailable, IndexLocked, LawfulError
from attribution.index import open_index, text
from attribution.index.edge import EdgeClient, translate_filter
from attribution.types import Point
from tests.test_index import ANN, noise, point

DIMS = {"clip": 8, "vae_style": 6}

OWN = """
import sys, time
from attribution.index import open_index
index = open_index(sys.argv[1], dims={"clip": 8, "vae_style": 6}, collection="artworks")
print("open", flush=True)
time.sleep(60)
"""

WRITE = """
import sys
from attribution.index import open_index
from tests.test_index import point
index = open_index(sys.argv[1], dims={"clip": 8, "vae_style": 6}, collection="artworks")
for batch in range(1_000_000):
    index.upsert([point(10 * batch + n + 1) for n in range(10)])
    print(batch, flush=True)
"""


def other_process(code: str, folder: Path) -> subprocess.Popen[str]:
    """Run Python elsewhere, from the repository's root."""
    return subprocess.Popen(
        [sys.executable, "-c", code, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
    )


def kill(process: subprocess.Popen[str]) -> list[str]:
    """End it as a power cut would; returns the whole lines that it had printed."""
    os.kill(process.pid, signal.SIGKILL)
    rest, _ = process.communicate()
    return [line.strip() for line in rest.splitlines(keepends=True) if line.endswith("\n")]


def test_a_second_process_is_told_who_owns_the_index(tmp_path: Path) -> None:
    """The lock goes with the process that holds it; the message names it and the ways out."""
    with other_process(OWN, tmp_path) as owner:
        assert owner.stdout
        assert owner.stdout.readline() == "open\n"
        with pytest.raises(IndexLocked, match=f"process {owner.pid} .*LAWFUL_QDRANT_URL"):
            open_index(str(tmp_path), dims=DIMS, collection="artworks")
        kill(owner)
    open_index(str(tmp_path), dims=DIMS, collection="artworks").close()
    assert not (tmp_path / "owner.json").exists()


def test_an_unreadable_note_of_the_owner_is_no_obstacle(tmp_path: Path) -> None:
    """The lock counts, the note only explains it."""
    index = open_index(str(tmp_path), dims=DIMS, collection="artworks")
    (tmp_path / "owner.json").write_text("{")
    with pytest.raises(IndexLocked, match="another program"):
        open_index(str(tmp_path), dims=DIMS, collection="artworks")
    index.close()


def test_a_kill_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """Every acknowledged batch is there, whole; at most one more was under way."""
    with other_process(WRITE, tmp_path) as writer:
        assert writer.stdout
        acknowledged = 0
        while acknowledged < 20:
            acknowledged = int(writer.stdout.readline())
        acknowledged = max([acknowledged, *map(int, kill(writer))])
    index = open_index(str(tmp_path), dims=DIMS, collection="artworks")
    assert index.count() in (10 * (acknowledged + 1), 10 * (acknowledged + 2))
    assert index.ids(limit=3) == [UUID(int=1), UUID(int=2), UUID(int=3)]
    index.close()


def test_what_was_written_outlives_the_process(tmp_path: Path) -> None:
    """Closed and opened: the same points, also after a merge of segments."""
    index = open_index(str(tmp_path), dims=DIMS, collection="artworks")
    index.upsert([point(1), point(2)])
    index.delete([UUID(int=1)])
    index.flush()
    index.optimize()
    index.close()
    again = open_index(str(tmp_path), dims=DIMS, collection="artworks")
    assert again.ids() == [UUID(int=2)]
    again.close()


def test_a_damaged_folder_is_named(tmp_path: Path) -> None:
    """An index that the engine cannot read is an error that says which."""
    index = open_index(str(tmp_path), dims=DIMS, collection="artworks")
    index.upsert([Point(UUID(int=1), {"clip": noise(1), "vae_style": noise(1, 6)}, "", ANN)])
    index.close()
    (tmp_path / "artworks" / "edge_config.json").write_text(json.dumps({"vectors": 7}))
    with pytest.raises(BackendUnavailable, match=str(tmp_path)):
        open_index(str(tmp_path), dims=DIMS, collection="artworks")


@pytest.mark.parametrize(
    "condition",
    [
        models.FieldCondition(key="train", match=models.MatchValue(value=True)),
        models.FieldCondition(key="year", match=models.MatchValue(value=1900)),
        models.FieldCondition(key="title", match=models.MatchText(text="boat")),
        models.IsEmptyCondition(is_empty=models.PayloadField(key="year")),
    ],
)
def test_conditions_that_would_match_nothing_are_refused(condition: Any) -> None:
    """The engine turns `true` into the number 1 and finds nothing, without a word."""
    with pytest.raises(LawfulError, match="does not take this condition"):
        translate_filter(models.Filter(must=[condition]))


def test_what_cannot_be_translated_is_refused(tmp_path: Path) -> None:
    """Rather than ignored: alternatives, other distances, other indexes, queries in stages."""
    anything = models.FieldCondition(key="artist", match=models.MatchValue(value="a"))
    with pytest.raises(LawfulError, match="filter"):
        translate_filter(models.Filter(should=[anything]))
    client = EdgeClient(tmp_path)
    euclid = models.VectorParams(size=4, distance=models.Distance.EUCLID)
    with pytest.raises(LawfulError, match="distance"):
        client.create_collection("a", vectors_config={"x": euclid}, sparse_vectors_config={})
    with pytest.raises(LawfulError, match="payload index"):
        client.create_payload_index("a", "title", models.PayloadSchemaType.TEXT)
    staged = models.QueryRequest(query=[1.0], prefetch=models.Prefetch(query=[1.0]))
    for query in (staged, models.QueryRequest(query=str(UUID(int=1)))):
        with pytest.raises(LawfulError, match="query"):
            client.query_batch_points("a", [query])


def test_words_become_weights() -> None:
    """A word that is said again weighs more, but less than twice; long texts weigh less."""
    (once,) = text.document_vector("boat")[1]
    (twice,) = text.document_vector("Boat boat!")[1]
    assert once < twice < 2 * once
    indices, values = text.document_vector("boat " + "sea " * 30)
    assert dict(zip(indices, values, strict=True))[text.query_vector("boat")[0][0]] < once


def test_a_text_without_words_is_empty() -> None:
    """Signs are no words; scripts other than Latin are."""
    assert text.document_vector("?! ...") == ([], [])
    assert text.words("神奈川沖浪裏 Ünder_score") == ["神奈川沖浪裏", "under", "score"]
