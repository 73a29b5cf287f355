"""Qdrant Edge behind our client: what is refused, who owns the folder, what outlives a kill."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest
from qdrant_client import models

from attribution.errors import BackendUnavailable, Conflict, IndexLocked, LawfulError
from attribution.index import edge, open_index, schema, text
from attribution.index.edge import EdgeClient
from attribution.index.markers import AT_ONCE, Markers
from attribution.index.points import Point, Probe
from attribution.index.translation import condition as translate
from attribution.index.translation import query as translate_query
from attribution.index.vector_index import VectorIndex
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
    assert [one.id.int for one in index.entries(limit=3)] == [1, 2, 3]
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
    assert [one.id.int for one in again.entries()] == [2]
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
        translate(models.Filter(must=[condition]))


def test_queries_that_are_not_translated_are_refused() -> None:
    """Rather than ignored: alternatives, queries in stages and by id."""
    anything = models.FieldCondition(key="artist", match=models.MatchValue(value="a"))
    with pytest.raises(LawfulError, match="filter"):
        translate(models.Filter(should=[anything]))
    staged = models.QueryRequest(query=[1.0], prefetch=models.Prefetch(query=[1.0]))
    for query in (staged, models.QueryRequest(query=str(UUID(int=1)))):
        with pytest.raises(LawfulError, match="query"):
            translate_query(query)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"distance": models.Distance.EUCLID}, "distance"),
        ({"on_disk": True}, "vector setting: .'on_disk'"),
        ({"datatype": models.Datatype.FLOAT16}, "vector setting: .'datatype'"),
        ({"memory": None}, "memory: None"),
        ({"quantization_config": None}, "quantisation: None"),
        (
            {
                "quantization_config": models.ScalarQuantization(
                    scalar=models.ScalarQuantizationConfig(type=models.ScalarType.INT8)
                )
            },
            "quantisation",
        ),
        (
            {
                "quantization_config": models.TurboQuantization(
                    turbo=models.TurboQuantQuantizationConfig(bits=models.TurboQuantBitSize.BITS1)
                )
            },
            "quantisation",
        ),
    ],
)
def test_vectors_that_are_not_translated_are_refused(
    tmp_path: Path, changed: dict[str, Any], message: str
) -> None:
    """A setting that Edge does not have, or not here, is named."""
    params = schema.dense({"clip": 8})["clip"].model_copy(update=changed)
    with pytest.raises(LawfulError, match=message):
        EdgeClient(tmp_path).create_collection(
            "a", vectors_config={"clip": params}, sparse_vectors_config={}
        )


@pytest.mark.parametrize(
    "params",
    [
        models.PayloadSchemaType.KEYWORD,
        models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, prefix=True),
        models.IntegerIndexParams(type=models.IntegerIndexType.INTEGER, is_principal=True),
        models.TextIndexParams(type=models.TextIndexType.TEXT),
    ],
)
def test_payload_indexes_that_are_not_translated_are_refused(tmp_path: Path, params: Any) -> None:
    """Those of another kind, and those with more settings than are passed on."""
    with pytest.raises(LawfulError, match="payload index"):
        EdgeClient(tmp_path).create_payload_index("a", "title", params)


def test_a_words_index_that_is_not_translated_is_refused(tmp_path: Path) -> None:
    """As with vectors of numbers."""
    words = models.SparseVectorParams(index=models.SparseIndexParams(full_scan_threshold=5))
    with pytest.raises(LawfulError, match="full_scan_threshold"):
        EdgeClient(tmp_path).create_collection(
            "a", vectors_config={}, sparse_vectors_config={"text": words}
        )


def test_aliases_outlive_the_process(tmp_path: Path) -> None:
    """They stand in a file that is replaced whole."""
    index = open_index(str(tmp_path), dims=DIMS, collection="first")
    index.publish("artworks")
    index.close()
    assert json.loads((tmp_path / "aliases.json").read_text()) == {"artworks": "first"}
    assert not list(tmp_path.glob("*.new"))
    open_index(str(tmp_path), dims=DIMS, collection="artworks").close()
    (tmp_path / "aliases.json").write_text('{"artworks": "fir')
    with pytest.raises(BackendUnavailable, match=r"aliases\.json is damaged"):
        open_index(str(tmp_path), dims=DIMS, collection="artworks")


def test_collections_are_found_without_their_aliases(tmp_path: Path) -> None:
    """The file that has them is damaged or gone: deleted, the next who opens it makes it again."""
    index = open_index(str(tmp_path), dims=DIMS, collection="artworks")
    for n in (1, 2):
        new = VectorIndex.next_to(index._engine, dims=DIMS, collection="artworks")
        new.upsert([point(n)])
        new.take_over()
    index.close()
    (tmp_path / "aliases.json").write_text("{")
    with pytest.raises(BackendUnavailable, match="delete it"):
        open_index(str(tmp_path), dims=DIMS, collection="artworks")
    (tmp_path / "aliases.json").unlink()

    again = open_index(str(tmp_path), dims=DIMS, collection="artworks")
    assert [one.id.int for one in again.entries()] == [2]
    again.close()


def test_a_collection_is_not_renamed_by_an_alias(tmp_path: Path) -> None:
    """An alias neither hides a collection nor means one that is not there."""
    client = EdgeClient(tmp_path)
    first = VectorIndex(client, dims=DIMS, collection="first")
    second = VectorIndex(client, dims=DIMS, collection="second")
    with pytest.raises(Conflict, match="'second' is a collection itself"):
        first.publish("second")
    second.drop()
    with pytest.raises(BackendUnavailable, match="no collection 'second'"):
        second.publish("artworks")
    client.close()


def test_what_an_interrupted_drop_left_is_removed_by_the_next(tmp_path: Path) -> None:
    """Killed while it deletes files, a collection is gone already."""
    (tmp_path / ".dropped" / "first").mkdir(parents=True)
    (tmp_path / ".dropped" / "first" / "edge_config.json").write_text("{}")
    client = EdgeClient(tmp_path)
    assert client.collections() == []
    index = VectorIndex(client, dims=DIMS, collection="first")
    index.drop()
    assert list(tmp_path.glob("*/*")) == []
    with pytest.raises(BackendUnavailable, match="no collection 'first' any more"):
        index.count()
    client.close()


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


def test_a_new_folder_has_one_owner_too(tmp_path: Path) -> None:
    """Before any collection is made, a second process is told and sees nothing half made."""
    first = EdgeClient(tmp_path)
    with pytest.raises(IndexLocked, match=f"process {os.getpid()}"):
        EdgeClient(tmp_path)
    first.close()
    EdgeClient(tmp_path).close()


def test_a_nearly_full_disk_is_an_outage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said before the engine writes, whose mapped files would end the process."""
    free = shutil.disk_usage(tmp_path)._replace(free=5 * 2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free)
    client = EdgeClient(tmp_path)
    try:
        with pytest.raises(BackendUnavailable, match="only 5 MiB are free"):
            client.upsert("artworks", points=[])
    finally:
        client.close()


def anywhere(n: int, **fields: Any) -> Point:
    """Return an artwork whose id is found nowhere by chance."""
    return replace(point(n), id=uuid4(), **fields)


@contextmanager
def opened(folder: Path) -> Iterator[VectorIndex]:
    """Open an index for a block."""
    index = open_index(str(folder), dims=DIMS, parts="clip", collection="artworks")
    try:
        yield index
    finally:
        index.close()


def files_with(folder: Path, needle: bytes) -> list[str]:
    """Return the files below a folder that hold some bytes."""
    return sorted(
        path.name for path in folder.rglob("*") if path.is_file() and needle in path.read_bytes()
    )


def test_scrubbed_files_hold_nothing_of_what_was_deleted(tmp_path: Path) -> None:
    """Segments and log are written anew; what lives stays, and can be written and read."""
    points = [anywhere(n, licence=f"words {n} of a licence") for n in range(1, 41)]
    gone, stays = points[0], points[1]
    with opened(tmp_path) as index:
        index.upsert(points)
        index.delete([gone.id])
        assert index.scrub([gone.id], rewrite=False) == 2
        assert files_with(tmp_path, b"words 1 of")

        assert index.scrub([gone.id]) == 0

        vector = gone.vectors["clip"][:4].tobytes()
        for needle in (b"words 1 of", gone.id.bytes, str(gone.id).encode(), vector):
            assert files_with(tmp_path, needle) == []
        assert files_with(tmp_path, stays.id.bytes), "what lives is in the files that are read"
        assert index.count() == 39
        index.upsert([replace(stays, licence="another")])
        index.delete([points[2].id])
    with opened(tmp_path) as index:
        assert index.count() == 38
        assert {one.id: one.licence for one in index.entries()}[stays.id] == "another"


def test_an_index_of_an_earlier_version_is_scrubbed_too(tmp_path: Path) -> None:
    """A collection that was made with the engine's own thresholds forgets a single point."""
    gone = anywhere(1)
    with opened(tmp_path) as index:
        index.upsert([gone, *(anywhere(n) for n in range(2, 41))])
    config = tmp_path / "artworks" / "edge_config.json"
    said = json.loads(config.read_text())
    del said["optimizers"]
    config.write_text(json.dumps(said))

    with opened(tmp_path) as index:
        index.delete([gone.id])
        assert index.scrub([gone.id]) == 0
        assert index.count() == 39


def test_parts_are_scrubbed_with_their_work(tmp_path: Path) -> None:
    """The parts of a deleted work are in no file either."""
    one, other = anywhere(1), anywhere(2)
    rows = np.stack([one.vectors["clip"], other.vectors["clip"]])
    with opened(tmp_path) as index:
        index.upsert([one, other])
        index.parts.upsert({one.id: rows, other.id: rows})
        index.delete([one.id])
        assert index.scrub([one.id]) == 0
        assert files_with(tmp_path, str(one.id).encode()) == []
        assert index.parts.count() == 2


def test_many_ids_are_looked_for_at_once(tmp_path: Path) -> None:
    """However many are asked for, the file that holds one of them is found, and no other."""
    ids = [uuid4() for _ in range(200)]
    held, bare = tmp_path / "held", tmp_path / "bare"
    bare.write_bytes(bytes(5_000) + b"".join(uuid4().bytes for _ in range(2_000)))
    for form in (ids[7].bytes, str(ids[7]).encode()):
        for before in (b"", b"x", bytes(AT_ONCE - 5)):
            held.write_bytes(before + form)
            assert Markers.of(ids).among([held, bare]) == 1
            assert Markers.of(ids[:10]).among([held, bare]) == 1
    assert Markers.of(ids[8:]).among([held, bare, tmp_path / "none"]) == 0


@pytest.mark.parametrize("left_by", ["nobody", "a tenant that is gone", "another tenant"])
def test_what_is_not_the_tenants_is_not_found_however_near(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left_by: str
) -> None:
    """Where all points seem to be one tenant's they are not asked: what is found still is."""
    monkeypatch.setattr(edge, "FEW", 0)
    index = open_index(str(tmp_path / "index"), dims=DIMS, collection="artworks")
    probe = Probe({"clip": noise(1)})
    index.upsert([point(n) for n in range(2, 40)])
    alone = index.neighbours(probe, limit=5)
    nearer = [replace(point(n, clip=noise(1)), tenant="theirs") for n in range(50, 60)]
    rows = schema.rows(nearer, DIMS)
    if left_by == "nobody":  # as versions before tenants have written them
        rows = [row.model_copy(update={"payload": {"artist": str(ANN)}}) for row in rows]
    index._engine.upsert(index._at, points=rows)
    if left_by == "a tenant that is gone":
        index.delete([one.id for one in nearer])

    assert index.neighbours(probe, limit=5) == alone
