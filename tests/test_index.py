"""What a vector index does, held to by every client: Edge, local mode, and the REST client.

With LAWFUL_TEST_QDRANT_URL (and LAWFUL_TEST_QDRANT_API_KEY) also by a real server; the collections
that are called like those of these tests are deleted there.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qdrant_client import QdrantClient

from attribution.errors import BadInput
from attribution.index import ServerOptions
from attribution.index.edge import EdgeClient
from attribution.index.points import IndexEntry, Point, Probe, Where
from attribution.index.server import ServerClient, connect
from attribution.index.vector_index import RRF_K, VectorIndex
from attribution.types import Part, Vector
from tests.qdrant_doubles import server

pytestmark = pytest.mark.filterwarnings(  # local mode says what it does not do
    "ignore:Payload indexes have no effect", "ignore:Local mode performs exact"
)
DIMS = {"clip": 8, "vae_style": 6}
NAMES = UUID("00000000-0000-0000-0000-00000000000a")
ANN, BOB = uuid5(NAMES, "ann"), uuid5(NAMES, "bob")
NAME, OTHER, ALIAS = "lawful-test-a", "lawful-test-b", "lawful-test"
REAL_SERVER = os.environ.get("LAWFUL_TEST_QDRANT_URL")


def local(_: Path) -> ServerClient:
    """Return the client's own stand-in for a server, in memory."""
    memory = QdrantClient(":memory:")
    return ServerClient(memory, writer=memory, url=":memory:", options=ServerOptions())


def real(_: Path) -> ServerClient:
    """Return a client of the real server, without our collections."""
    assert REAL_SERVER
    key = os.environ.get("LAWFUL_TEST_QDRANT_API_KEY")
    client = connect(REAL_SERVER, ServerOptions(api_key=key))
    slots = [f"{NAME}{slot}{parts}" for slot in ("", "-a", "-b") for parts in ("", "-parts")]
    for name in (*slots, OTHER):
        if client.collection_exists(name):
            client.delete_collection(name)
    return client


CLIENTS: dict[str, Callable[[Path], Any]] = {
    "edge": EdgeClient,
    "local": local,
    "rest": lambda folder: server(folder).client(),
} | ({"real": real} if REAL_SERVER else {})


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Give a client without collections, of each kind."""
    return CLIENTS[request.param](tmp_path)


@pytest.fixture
def index(client: Any) -> Iterator[VectorIndex]:
    """Give an empty index over each client."""
    opened = VectorIndex(client, dims=DIMS, parts="clip", collection=NAME)
    yield opened
    opened.close()


def unit(*numbers: float, width: int = 8) -> Vector:
    """Return these numbers, padded with zeros, at length 1."""
    vector = np.zeros(width, dtype=np.float32)
    vector[: len(numbers)] = numbers
    return vector / np.linalg.norm(vector)


def noise(seed: int, width: int = 8) -> Vector:
    """Return a random direction; the same seed, the same one."""
    return unit(*np.random.default_rng(seed).standard_normal(width), width=width)


def point(n: int, artist: UUID = ANN, text: str = "", **fields: Any) -> Point:
    """Return artwork `n`, in a direction of its own unless `clip` says one."""
    vectors = {"clip": fields.pop("clip", noise(n)), "vae_style": noise(n, 6)}
    return Point(UUID(int=n), vectors, text, artist, **fields)


def found(index: VectorIndex, where: Where) -> set[int]:
    """Return the numbers of the artworks that a filter leaves, by query and by count."""
    hits = index.neighbours(Probe({"clip": noise(0)}), limit=100, where=where)["clip"]
    assert len(hits) == index.count(where)
    return {hit.id.int for hit in hits}


def test_parts_are_found_apart_from_the_works(index: VectorIndex) -> None:
    """They have ranks of their own, are counted by work, and go with it."""
    one, other = UUID(int=1), UUID(int=2)
    assert index.parts.nearest({"tile": noise(1)}, limit=2) == {}
    index.parts.delete([one])
    index.upsert([point(1), point(2)])
    index.parts.upsert({one: np.stack([noise(10), noise(11)]), other: np.stack([noise(12)])})

    near = index.parts.nearest({"tile": noise(11), "again": noise(12)}, limit=2)

    assert near["tile"][0].part == Part(one, 2)
    assert (near["again"][0].part, near["again"][0].rank) == (Part(other, 1), 1)
    assert near["tile"][0].score == pytest.approx(1, abs=1e-5)
    assert (index.count(), index.parts.count(), index.parts.count([one])) == (2, 3, 2)
    assert index.parts.held([Part(one, 2), Part(one, 3)]) == {Part(one, 2)}
    first = index.parts.entries(limit=2)
    assert {*first, *index.parts.entries(after=first[-1])} == {
        Part(one, 1),
        Part(one, 2),
        Part(other, 1),
    }

    index.delete([one])

    assert [hit.part for hit in index.parts.nearest({"tile": noise(11)}, limit=9)["tile"]] == [
        Part(other, 1)
    ]
    index.drop()
    assert not index._engine.collection_exists(f"{NAME}-parts")


def test_a_new_work_is_findable_at_once(index: VectorIndex) -> None:
    """No step lies between writing and finding."""
    assert index.count() == 0
    index.upsert([point(1), point(2)])
    (first, second) = index.neighbours(Probe({"clip": noise(1)}), limit=5)["clip"]
    assert (first.id, first.artist_id, first.rank) == (UUID(int=1), ANN, 1)
    assert first.score == pytest.approx(1, abs=1e-5)
    assert second.score == pytest.approx(float(noise(1) @ noise(2)), abs=1e-5)


def test_the_same_id_replaces(index: VectorIndex) -> None:
    """Every write may be repeated; the last one holds, payload and words included."""
    index.upsert([point(1, text="boat", licence="CC0-1.0")])
    index.upsert([point(1, BOB, text="house", clip=noise(7))])
    assert index.count() == 1
    assert index.count(Where(licences=("CC0-1.0",))) == 0
    assert index.neighbours(Probe(text="boat"), limit=5) == {"text": []}
    np.testing.assert_allclose(index.vectors([UUID(int=1)])[UUID(int=1)]["clip"], noise(7), 1e-5)


def test_a_collection_is_made_once(client: Any) -> None:
    """Opening again keeps what is there."""
    VectorIndex(client, dims=DIMS, parts="clip", collection=NAME).upsert([point(1)])
    assert VectorIndex(client, dims=DIMS, parts="clip", collection=NAME).count() == 1
    assert VectorIndex(client, dims=DIMS, collection=OTHER).count() == 0


def test_an_alias_is_opened_like_a_collection(client: Any) -> None:
    """Its name exists, and leads to the works of the collection that it means."""
    first = VectorIndex(client, dims=DIMS, parts="clip", collection=NAME)
    first.upsert([point(1)])
    first.publish(ALIAS)
    assert client.collection_exists(ALIAS)
    assert client.count(ALIAS).count == 1
    assert [
        one.id.int
        for one in VectorIndex(client, dims=DIMS, parts="clip", collection=ALIAS).entries()
    ] == [1]


def test_an_alias_is_swapped_and_the_old_collection_dropped(client: Any) -> None:
    """Who asks by the alias finds the new works from then on, whenever it was opened."""
    old = VectorIndex(client, dims=DIMS, parts="clip", collection=NAME)
    old.upsert([point(1)])
    old.publish(ALIAS)
    opened_before = VectorIndex(client, dims=DIMS, parts="clip", collection=ALIAS)
    new = VectorIndex(client, dims={"clip": 3}, parts="clip", collection=OTHER)
    new.upsert([Point(UUID(int=2), {"clip": noise(2, 3)}, "", ANN)])
    new.publish(ALIAS)
    new.publish(ALIAS)  # twice is once

    opened_after = VectorIndex(client, dims={"clip": 3}, parts="clip", collection=ALIAS)
    assert [one.id.int for one in opened_after.entries()] == [2]
    assert [one.id.int for one in opened_before.entries()] == [2]
    old.drop()
    assert not client.collection_exists(NAME)
    assert client.collection_exists(ALIAS)
    assert opened_after.count() == 1


def test_a_collection_takes_the_place_of_another(client: Any) -> None:
    """All who have it open follow, with its parts and aliases; the old one is deleted."""
    index = VectorIndex(client, dims=DIMS, parts="clip", collection=NAME)
    index.upsert([point(1)])
    index.parts.upsert({UUID(int=1): np.stack([noise(1)])})
    index.publish(ALIAS)
    for n in (2, 3, 4):  # from one free name to the other, and back
        new = VectorIndex.next_to(client, dims=DIMS, parts="clip", collection=NAME)
        new.upsert([point(n)])
        new.parts.upsert({UUID(int=n): np.stack([noise(n)])})
        assert [one.id.int for one in index.entries()] == [n - 1]

        new.take_over()
        new.take_over()  # twice is once

        assert [one.id.int for one in index.entries()] == [n]
        assert [part.work.int for part in index.parts.entries()] == [n]
        assert client.count(ALIAS).count == 1
        meant = {one.collection_name for one in client.get_aliases().aliases}
        here = [f"{NAME}{slot}{more}" for slot in ("-a", "-b") for more in ("", "-parts")]
        assert {name for name in here if client.collection_exists(name)} == meant
    index.drop()
    assert client.get_aliases().aliases == []
    assert not any(map(client.collection_exists, here))


def test_a_replacement_that_a_kill_stopped_halfway_is_finished(client: Any) -> None:
    """The old one was deleted, and nothing was called so yet: who opens it next sees to that."""
    VectorIndex(client, dims=DIMS, parts="clip", collection=NAME)
    VectorIndex.next_to(client, dims=DIMS, parts="clip", collection=NAME).upsert([point(1)])
    client.delete_collection(NAME)

    again = VectorIndex(client, dims=DIMS, parts="clip", collection=NAME)
    assert again.count() == 1
    again.drop()


def test_what_was_begun_next_to_a_collection_is_begun_again(client: Any) -> None:
    """Points of a run that was killed are not those of the next."""
    index = VectorIndex(client, dims=DIMS, parts="clip", collection=NAME)
    index.upsert([point(1)])
    VectorIndex.next_to(client, dims=DIMS, parts="clip", collection=NAME).upsert([point(2)])
    new = VectorIndex.next_to(client, dims=DIMS, parts="clip", collection=NAME)
    assert (new.count(), index.count()) == (0, 1)
    new.take_over()
    index.drop()


def test_a_dropped_collection_takes_its_aliases_along(client: Any) -> None:
    """Nothing is left of it, and its name can be used again, empty."""
    index = VectorIndex(client, dims=DIMS, parts="clip", collection=NAME)
    index.upsert([point(1)])
    index.publish(ALIAS)
    index.drop()
    assert not client.collection_exists(ALIAS)
    assert client.get_aliases().aliases == []
    again = VectorIndex(client, dims=DIMS, parts="clip", collection=NAME)
    assert again.count() == 0
    again.upsert([point(2)])
    assert again.count() == 1
    again.close()


def test_equal_scores_come_in_the_order_of_their_ids(index: VectorIndex) -> None:
    """Ties have one order everywhere, also at the cut."""
    index.upsert([point(n, clip=noise(0)) for n in (5, 3, 9, 1, 7)])
    hits = index.neighbours(Probe({"clip": noise(0)}), limit=3)["clip"]
    assert [hit.id.int for hit in hits] == [1, 3, 5]


def test_rare_words_weigh_more(index: VectorIndex) -> None:
    """BM25: the inverse document frequency is counted by the engine."""
    index.upsert([point(n, text="a boat") for n in range(1, 9)] + [point(9, text="a lighthouse")])
    hits = index.neighbours(Probe(text="boat lighthouse"), limit=3)["text"]
    assert [hit.id.int for hit in hits] == [9, 1, 2]
    assert hits[0].score > 2 * hits[1].score


def test_words_are_folded(index: VectorIndex) -> None:
    """Case and accents do not count, on either side."""
    index.upsert([point(1, text="Édouard Manet: Le Déjeuner"), point(2, text="boat")])
    (hit,) = index.neighbours(Probe(text="DEJEUNER"), limit=5)["text"]
    assert hit.id.int == 1


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (Where(), {1, 2, 3, 4}),
        (Where(artist_ids=(ANN,)), {1, 2}),
        (Where(artist_ids=(ANN, BOB)), {1, 2, 3, 4}),
        (Where(licences=("CC0-1.0", "CC-BY-4.0")), {1, 3}),
        (Where(year_from=1901), {2, 3}),
        (Where(year_to=1900), {1}),
        (Where(year_from=1901, year_to=1950), {2}),
        (Where(exclude_ids=(UUID(int=1), UUID(int=4))), {2, 3}),
        (Where(artist_ids=(ANN,), exclude_ids=(UUID(int=2),)), {1}),
        (Where(licences=("unheard of",)), set()),
    ],
)
def test_filters(index: VectorIndex, where: Where, expected: set[int]) -> None:
    """Fields are joined by AND; artists and licences by OR."""
    index.upsert(
        [
            point(1, licence="CC0-1.0", year=1900, consent=("index", "train")),
            point(2, year=1950, consent=("index",)),
            point(3, BOB, licence="CC-BY-4.0", year=2000, consent=("index", "train")),
            point(4, BOB),
        ]
    )
    assert found(index, where) == expected


def test_deleted_works_are_gone(index: VectorIndex) -> None:
    """From the count, from every leg, from the vectors; unknown ids are no error."""
    index.upsert([point(1, text="boat"), point(2, text="boat"), point(3, BOB, text="boat")])
    index.delete([UUID(int=1), UUID(int=77)])
    assert [one.id.int for one in index.entries()] == [2, 3]
    assert index.vectors([UUID(int=1)]) == {}
    for hits in index.neighbours(Probe({"clip": noise(1)}, text="boat"), limit=5).values():
        assert {hit.id.int for hit in hits} == {2, 3}


def test_fused_hits_say_what_each_leg_gave(index: VectorIndex) -> None:
    """The score is the sum of 1 / (60 + rank) over the legs that found the work."""
    index.upsert([point(1, text="boat"), point(2), point(3, text="house")])
    probe = Probe({"clip": noise(2)}, text="boat")
    hits = {hit.id.int: hit for hit in index.search(probe, limit=3)}
    assert set(hits[1].legs) == {"clip", "text"}
    assert set(hits[2].legs) == {"clip"}
    assert hits[1].legs["text"].part == 1 / (RRF_K + 1)
    assert hits[2].legs["clip"].part == 1 / (RRF_K + 1)
    for hit in hits.values():
        assert hit.score == sum(leg.part for leg in hit.legs.values())


def test_two_legs_may_look_into_one_space(index: VectorIndex) -> None:
    """A sentence and a picture are both compared with `clip`, and told apart."""
    index.upsert([point(1), point(2)])
    probe = Probe(
        {"words": noise(1), "picture": noise(2)}, using={"words": "clip", "picture": "clip"}
    )
    legs = index.neighbours(probe, limit=1)
    assert {leg: hits[0].id.int for leg, hits in legs.items()} == {"words": 1, "picture": 2}


def test_entries_come_in_pages(index: VectorIndex) -> None:
    """In ascending order of ids, without gap or repetition."""
    index.upsert([point(n << 100) for n in (4, 1, 3, 5, 2)])
    first = index.entries(limit=2)
    rest = index.entries(after=first[-1].id, limit=10)
    assert [found.id.int >> 100 for found in first + rest] == [1, 2, 3, 4, 5]
    assert index.entries(after=rest[-1].id) == []
    assert index.entries(after=UUID(int=(2 << 100) + 7), limit=1) == [rest[0]]  # of a work gone


def test_an_entry_says_what_was_written(index: VectorIndex) -> None:
    """Artist, licence, year and consent, also where there is none."""
    index.upsert([point(1, licence="CC0-1.0", year=1900, consent=("index", "train"))])
    index.upsert([point(2, BOB)])
    assert index.entries() == [
        IndexEntry(UUID(int=1), ANN, "CC0-1.0", 1900, ("index", "train")),
        IndexEntry(UUID(int=2), BOB, None, None, ()),
    ]


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        ({"clip": noise(1)}, "vae_style"),
        ({"clip": noise(1), "vae_style": noise(1, 6), "dino": noise(1)}, "dino"),
        ({"clip": noise(1, 7), "vae_style": noise(1, 6)}, r"\(8,\), got \(7,\)"),
        ({"clip": np.zeros(8, np.float32), "vae_style": noise(1, 6)}, "length 1"),
        ({"clip": noise(1) * np.float32(np.nan), "vae_style": noise(1, 6)}, "finite"),
        ({"clip": noise(1) * np.float32(np.inf), "vae_style": noise(1, 6)}, "finite"),
    ],
)
def test_a_bad_vector_is_refused_before_anything_is_written(
    index: VectorIndex, vectors: dict[str, Vector], message: str
) -> None:
    """An engine in process would take NaN and zeros without a word."""
    with np.errstate(invalid="ignore"), pytest.raises(BadInput, match=message):
        index.upsert([point(1), Point(UUID(int=2), vectors, "", ANN)])
    assert index.count() == 0


@pytest.mark.parametrize(
    ("probe", "limit", "message"),
    [
        (Probe(), 5, "nothing to look for"),
        (Probe(text=" ?! "), 5, "nothing to look for"),
        (Probe(text="boat"), 0, "at least 1, got 0"),
        (Probe({"dino": noise(1)}), 5, "known: clip, vae_style"),
        (Probe({"clip": noise(1, 5)}), 5, "shape"),
    ],
)
def test_a_bad_query_is_refused(index: VectorIndex, probe: Probe, limit: int, message: str) -> None:
    """Before any engine sees it, with the value in the message."""
    with pytest.raises(BadInput, match=message):
        index.neighbours(probe, limit=limit)


def test_nothing_to_do_is_no_error(index: VectorIndex) -> None:
    """Empty lists change nothing."""
    index.upsert([])
    index.delete([])
    index.flush()
    index.optimize()
    assert index.vectors([]) == {}
    assert index.neighbours(Probe({"clip": noise(1)}), limit=5) == {"clip": []}


works = st.lists(
    st.tuples(st.integers(1, 12), st.sampled_from([ANN, BOB]), st.text("ab ", max_size=6)),
    max_size=15,
)


@settings(max_examples=15)
@given(written=works, deleted=st.sets(st.integers(1, 12), max_size=4), text=st.sampled_from("ab"))
def test_all_clients_give_the_same_answers(
    tmp_path_factory: pytest.TempPathFactory,
    written: list[tuple[int, UUID, str]],
    deleted: set[int],
    text: str,
) -> None:
    """Whatever is written, replaced and deleted: the same works in the same order."""
    answers = []
    for make in CLIENTS.values():
        index = VectorIndex(make(tmp_path_factory.mktemp("i")), dims=DIMS, collection=NAME)
        for n, artist, said in written:
            index.upsert([point(n, artist, said)])
        index.delete([UUID(int=n) for n in deleted])
        hits = index.search(Probe({"clip": noise(0), "vae_style": noise(0, 6)}, text=text), limit=9)
        answers.append([(hit.id, hit.artist_id, round(hit.score, 6)) for hit in hits])
        index.close()
    assert all(answer == answers[0] for answer in answers)
