"""`lawful evaluate`: what is split off, what is compared, what comes out."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from PIL import Image

from attribution.arithmetic import voting
from attribution.arithmetic.calibration import Ballots
from attribution.encoders.encoder_set import EncoderSet
from attribution.encoders.stub import StubEncoder
from attribution.errors import BadInput
from attribution.images import NEAR_BITS, lineages, read_image_file
from attribution.index import open_index
from attribution.index.points import Point, Probe
from attribution.laboratory.attacks import attacks
from attribution.laboratory.baselines import Logistic, Seed
from attribution.laboratory.copies import choose, measure
from attribution.laboratory.lane import open_lane
from attribution.laboratory.protocol import SYSTEMS, prepare
from attribution.laboratory.splits import at_most, hold_out, split
from attribution.laboratory.starter.works import partition
from attribution.laboratory.systems import Lawful, Nearest, System
from attribution.laboratory.works import Ints, Labelled, Works, choose_half, embed
from attribution.types import Matrix
from attribution.voters.voter import Question
from ingest.sources import read_source
from tests.commands import lawful
from tests.portfolios import by_hand, picture

ARTISTS = 12
WORKS = 8

Json = dict[str, Any]

STUB = EncoderSet([StubEncoder()])


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give works by twelve artists; every first work comes twice, one is borrowed."""
    folder = tmp_path_factory.mktemp("data")
    for artist in range(ARTISTS):
        own = folder / f"artist-{artist}"
        own.mkdir()
        for work in range(WORKS):
            by_hand(artist, work).save(own / f"{work}.png")
        by_hand(artist, 0).save(own / "again.jpg", quality=90)
    by_hand(3, 1).save(folder / "artist-4" / "borrowed.png")
    (folder / "artist-0" / "broken.png").write_text("no image")
    return folder


@pytest.fixture(scope="module")
def works(data: Path) -> Works:
    """Give the works of the folder, encoded."""
    items = [Labelled(item.path, item.artist) for item in read_source(data)]
    return embed(items, STUB, lambda *_: None)


def vectors_of(works: Works, rows: Ints) -> dict[str, Matrix]:
    """Return the vectors of some works in the spaces that vote."""
    return {space: works.vectors[space][rows] for space in works.voting}


def test_works_are_counted(works: Works) -> None:
    """What is no image and what is another artist's twin is left out, and said."""
    assert len(works.names) == ARTISTS
    assert (works.unreadable, works.shared) == (1, 1)
    assert len(works.artist) == ARTISTS * (WORKS + 1)


def test_digest_is_of_the_data(works: Works, data: Path) -> None:
    """The same works in another order have the same digest; one work less, another."""
    items = [Labelled(item.path, item.artist) for item in read_source(data)]
    backwards = embed(items[::-1], STUB, lambda *_: None)
    fewer = embed(items[:-1], STUB, lambda *_: None)

    assert backwards.digest == works.digest
    assert fewer.digest != works.digest


def test_spellings_of_a_name_are_one_artist(tmp_path: Path) -> None:
    """Whoever names the artist by the other spelling is right; the usual spelling is shown."""
    items = []
    for number, name in enumerate(["José Núñez", "Jose Nunez", "José Núñez", "Ann"]):
        by_hand(number, 1).save(tmp_path / f"{number}.png")
        items.append(Labelled(tmp_path / f"{number}.png", name))

    found = embed(items, STUB, lambda *_: None)

    assert sorted(found.names) == ["Ann", "José Núñez"]
    assert len({*found.artist[:3].tolist()}) == 1


def test_lineages_join_through_a_third() -> None:
    """Two hashes that are far apart are of one lineage when a third is near to both."""
    near = np.array([0b0, 0b111111, 0b111111_111111, 0xFFFF_0000_0000], dtype=np.uint64)

    assert lineages(near[[2, 0, 3], None]).tolist() == [0, 1, 2]
    assert lineages(near[[2, 0, 1, 3], None]).tolist() == [0, 0, 0, 1]


def test_a_turned_and_a_mirrored_work_are_of_its_lineage(tmp_path: Path) -> None:
    """Whichever way a drawing is put, it is one lineage."""
    work = by_hand(1, 1)
    for name, image in (
        ("a", work),
        ("b", work.transpose(Image.Transpose.ROTATE_90)),
        ("c", work.transpose(Image.Transpose.TRANSVERSE)),
        ("d", by_hand(2, 2)),
    ):
        image.save(tmp_path / f"{name}.png")
    items = [Labelled(tmp_path / f"{name}.png", "ann") for name in "abcd"]

    assert embed(items, STUB, lambda *_: None).group.tolist() == [0, 0, 0, 1]


@pytest.mark.parametrize("seed", range(5))
def test_nothing_leaks(works: Works, seed: int) -> None:
    """No near-duplicate on two sides, no unknown artist indexed, every fold apart."""
    parts = split(works, seed)
    sides = [parts.indexed, *parts.known, *parts.strangers]

    for number, one in enumerate(sides):
        for other in sides[number + 1 :]:
            upright = works.hashes[one][:, None, :1]
            assert np.bitwise_count(upright ^ works.hashes[other]).min() > NEAR_BITS
    strangers = [set(works.artist[rows]) for rows in parts.strangers]
    assert len(strangers[0] | strangers[1]) == ARTISTS // 4
    assert not strangers[0] & strangers[1]
    assert not (strangers[0] | strangers[1]) & set(works.artist[parts.indexed])
    assert set(works.artist[parts.asked]) <= set(works.artist[parts.indexed])
    assert sum(map(len, sides)) == len(works.artist)


def test_tuning_sees_whole_lineages(works: Works) -> None:
    """What is held out for tuning shares no lineage with what is fitted."""
    indexed = prepare(works, 0).indexed
    fitted, held = hold_out(indexed.artist, indexed.group, 0)

    assert not set(indexed.group[fitted]) & set(indexed.group[held])
    assert set(indexed.artist[held]) <= set(indexed.artist[fitted])


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_few_works(works: Works, limit: int) -> None:
    """At most so many works of each artist are left, and of every artist one."""
    rows = at_most(works, split(works, 0).indexed, limit, 0)

    counts = np.bincount(works.artist[rows])
    assert counts.max() == limit
    assert set(works.artist[rows]) == set(works.artist[split(works, 0).indexed])


def test_too_few_artists(data: Path) -> None:
    """Five artists are too few, and the message says what is needed."""
    items = [
        Labelled(i.path, i.artist)
        for i in read_source(data)
        if i.artist[-2] == "-" and i.artist < "artist-5"
    ]
    few = embed(items, STUB, lambda *_: None)

    with pytest.raises(BadInput, match=r"5 artists .* at least 6"):
        split(few, 0)


def test_training_half_is_left_out(tmp_path: Path) -> None:
    """Of the data that the starter models come from only unseen artists are left by default."""
    folders = [*partition()["train"], *partition()["evaluation"], "somebody-else"]
    items = [Labelled(tmp_path / folder / "a.png", folder) for folder in folders]

    unseen, said = choose_half(items, tmp_path, "evaluation")
    assert {item.artist for item in unseen} == {*partition()["evaluation"], "somebody-else"}
    assert "never saw" in said
    assert {i.artist for i in choose_half(items, tmp_path, "train")[0]} == {*partition()["train"]}
    assert choose_half(items, tmp_path, "all")[0] == items


def test_other_data_is_left_whole(tmp_path: Path) -> None:
    """A namesake of one training artist in another folder is no reason to leave works out."""
    folders = [partition()["train"][0], *(f"artist-{number}" for number in range(20))]
    items = [Labelled(tmp_path / folder / "a.png", folder) for folder in folders]

    assert choose_half(items, tmp_path, "evaluation") == (items, "all works")


@pytest.mark.parametrize("make", SYSTEMS.values(), ids=SYSTEMS)
def test_every_system_keeps_the_contract(works: Works, make: type[System]) -> None:
    """One finite logit an artist, a finite score, ten works; tuned and fitted twice, the same."""
    trial = prepare(works, 0)
    queries = vectors_of(works, trial.split.asked)
    answers = []
    for _ in range(2):
        system = make()
        system.tune(trial.indexed, 0)
        system.fit(trial.indexed, trial.indexed.artists, 0)
        answers.append(system.answer(queries))
    one, again = answers
    asked = len(trial.split.asked)

    assert one.scores.shape == (asked, trial.indexed.artists)
    assert np.isfinite(one.scores).all()
    assert np.isfinite(one.known).all()
    assert one.works.shape == (asked, 10)
    assert one.works.max() < len(trial.indexed.artist)
    assert (one.scores == again.scores).all()
    right = one.scores.argmax(1) == trial.truth[trial.split.asked]
    assert right.mean() > 2 / trial.indexed.artists


def test_votes_are_those_of_the_index(works: Works, tmp_path: Path) -> None:
    """Exact neighbours and the real index name the same artists with the same shares."""
    trial = prepare(works, 0)
    indexed, asked = trial.indexed, trial.split.asked[:20]
    ours = Lawful()
    ours.fit(indexed, indexed.artists, 0)
    answer = ours.answer(vectors_of(works, asked))
    dims = {space: works.vectors[space].shape[1] for space in works.voting}
    index = open_index(str(tmp_path / "index"), dims=dims, collection="artworks")
    artists = [UUID(int=number + 1) for number in indexed.artist.tolist()]
    index.upsert(
        [
            Point(UUID(int=row + 1), {s: m[row] for s, m in indexed.vectors.items()}, "", artist)
            for row, artist in enumerate(artists)
        ]
    )
    sizes = {artist: artists.count(artist) for artist in artists}
    assert ours.calibration is not None
    for query, row in enumerate(asked.tolist()):
        probe = Probe({space: works.vectors[space][row] for space in works.voting})
        near = index.neighbours(probe, limit=voting.NEAREST)
        question = Question(probe.vectors, near, sizes, ours.calibration.spaces)
        ballots = [voter.shares(question) for voter in ours.voters]
        odds = ours.calibration.odds(Ballots.of(ballots, sorted(dims)))
        first = max(odds.artists, key=lambda artist: odds.artists[artist])
        assert first.int - 1 == answer.scores[query].argmax()
        assert 1 - odds.nobody == pytest.approx(1 / (1 + np.exp(-answer.known[query])), abs=1e-3)
    index.close()


def test_regression_reaches_its_minimum(works: Works) -> None:
    """The gradient of the loss of B2 vanishes: probabilities meet the penalty's pull."""
    indexed = prepare(works, 0).indexed
    system = Logistic()
    system.fit(indexed, indexed.artists, 0)
    rows = indexed.vectors["clip"].astype(np.float64)
    chance = np.exp(system.answer(indexed.vectors).scores)
    wrong = chance - np.eye(indexed.artists)[indexed.artist]

    assert np.abs(system.strength * rows.T @ wrong + system._weights[:-1]).max() < 0.05
    assert np.abs(wrong.sum(0)).max() < 1e-3


def test_nearest_with_one_neighbour(works: Works) -> None:
    """With k = 1 the artist of the nearest work is named."""
    trial = prepare(works, 0)
    system = Nearest()
    system.fit(trial.indexed, trial.indexed.artists, 0)
    answer = system.answer(vectors_of(works, trial.split.asked))

    assert (answer.scores.argmax(1) == trial.indexed.artist[answer.works[:, 0]]).all()


def test_seed_is_tuned(works: Works) -> None:
    """B0 keeps an epoch count from early stopping, not the longest it may have."""
    system = Seed()
    system.tune(prepare(works, 0).indexed, 0)

    assert 1 <= system.recipe.epochs < 200


@pytest.mark.parametrize("size", [(256, 200), (9, 300), (2, 2)])
def test_attacks_repeat_and_change(size: tuple[int, int]) -> None:
    """Every attack gives an RGB picture, the same for the same random numbers."""
    image = by_hand(1, 1).resize(size)
    for name, attack in attacks().items():
        once, again = (attack(image, Random(name)) for _ in range(2))  # noqa: S311  repeatable
        assert once.mode == "RGB", name
        assert min(once.size) >= 1, name
        assert once.tobytes() == again.tobytes(), name
        assert size == (2, 2) or once.size != size or once.tobytes() != image.tobytes(), name


def test_attacks_cover_the_protocol() -> None:
    """Every kind of the protocol is there."""
    kinds = {name.split("-")[0] for name in attacks()}

    assert kinds == {
        *("jpeg", "resize", "blur", "noise", "grey", "colour", "hue", "flip", "rotate", "crop"),
        *("text", "emoji", "border", "screenshot", "pasted", "collage", "perspective"),
    }


def test_copies(works: Works) -> None:
    """Light attacks are found, strangers are not, and each attack has its figure."""
    registry = choose(works, 0, originals=3)
    with open_lane(works, registry.registered, STUB, lambda *_: None) as lane:
        found = measure(works, registry, lane, 0, lambda *_: None)

    assert not set(works.group[registry.distractors]) & set(works.group[registry.registered])
    assert set(found.attacks) == set(attacks())
    assert found.attacks["jpeg-95"] > 0.9
    assert found.attacks["grey"] > 0.9
    assert all(found.attacks[name] <= found.ranked_first[name] for name in found.attacks)
    assert all(found.called_copies[name] <= found.attacks[name] for name in found.attacks)
    assert found.called_copies["flip"] > 0
    assert 0 < found.micro_ap <= found.pooled_ranked_first <= 1
    assert found.distractors_claimed < 0.2


def test_lane_knows_bytes_and_pixels(works: Works, tmp_path: Path) -> None:
    """The same file, the same pixels in another file: found first."""
    row = int(np.flatnonzero([path.suffix == ".png" for path in works.paths])[0])
    other = tmp_path / "other.bmp"
    Image.open(works.paths[row]).save(other)
    everything = np.arange(len(works.artist))
    with open_lane(works, everything, STUB, lambda *_: None) as lane:
        same, pixels = lane.find([read_image_file(works.paths[row]), read_image_file(other)])

    assert (same[0].work, same[0].score, same[0].is_claimed) == (row, 3, True)
    assert same[0].is_copy
    assert (pixels[0].work, pixels[0].is_claimed) == (row, True)


@pytest.fixture(scope="module")
def evaluated(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Json, Path]:
    """Run the command once: its JSON, and the folder that it wrote."""
    home = tmp_path_factory.mktemp("home")
    asked = ("--seeds", "2", "--originals", "1", "--out", str(home / "out"), "--json")
    done = lawful(home, "evaluate", str(data), *asked)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), home / "out"


def test_json_has_its_shape(
    evaluated: tuple[Json, Path],
) -> None:
    """Data with digest, seeds, four systems with mean, low and high, copies by attack."""
    answer, _ = evaluated

    parts = ["data", "seeds", "systems", "copies", "pairs", "same_subjects", "another_kind"]
    assert list(answer) == parts
    assert len(str(answer["data"]["digest"])) == 64
    assert answer["seeds"] == [0, 1]
    assert list(answer["systems"]) == ["lawful", "as answered", "B0", "B1", "B2"]
    for system in answer["systems"].values():
        for name in ("top1", "top5", "macro_recall", "auroc", "fpr95", "ece", "coverage90"):
            interval = system[name]
            assert 0 <= interval["low"] <= interval["mean"] <= interval["high"] <= 1
        assert {"map10", "map10_csd"} < set(system)
    assert set(answer["copies"]["attacks"]) == set(attacks())
    assert answer["pairs"]["together"]["artists"] == ARTISTS
    assert (answer["same_subjects"], answer["another_kind"]) == ({}, None)
    assert isinstance(answer["copies"]["pooled_recall1"], float)


def test_files_are_written(evaluated: tuple[Json, Path]) -> None:
    """The same as JSON, every number as CSV, and a page with plots that loads and runs nothing."""
    answer, out = evaluated
    rows = list(csv.DictReader((out / "evaluation.csv").read_text(encoding="utf-8").splitlines()))
    html = (out / "evaluation.html").read_text(encoding="utf-8")

    assert json.loads((out / "evaluation.json").read_text(encoding="utf-8")) == answer
    top1 = next(r for r in rows if (r["system"], r["measure"]) == ("lawful", "top1"))
    assert float(top1["mean"]) == answer["systems"]["lawful"]["top1"]["mean"]
    assert html.count("<figure>") == 5
    assert "<script" not in html
    assert "http" not in html.replace("http-equiv", "")


@pytest.fixture(scope="module")
def again(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Json, str]:
    """Run it once more, for people and without copies: what it wrote as JSON, and what it says.

    With images of another kind, and with the subjects that all artists took.
    """
    home = tmp_path_factory.mktemp("again")
    (home / "others").mkdir()
    for number in range(10):
        noise = np.random.default_rng(number).integers(0, 2, (64, 64, 3), np.uint8) * 255
        Image.fromarray(noise).save(home / "others" / f"{number}.png")
    (home / "others" / "notes.txt").write_text("no image")
    os.mkfifo(home / "others" / "pipe.png")
    asked = ("--strangers", str(home / "others"), "--subjects", "--no-copies")
    done = lawful(home, "evaluate", str(data), "--seeds", "2", *asked, "--out", str(home / "out"))
    assert done.returncode == 0, done.stderr
    return json.loads((home / "out" / "evaluation.json").read_text("utf-8")), done.stdout


def test_same_seeds_same_figures(evaluated: tuple[Json, Path], again: tuple[Json, str]) -> None:
    """A second run gives the same answer, digit by digit; copies can be left out."""
    assert again[0]["systems"] == evaluated[0]["systems"]
    assert again[0]["copies"] is None


def test_images_of_another_kind_are_nobodys(again: tuple[Json, str]) -> None:
    """Noise, asked of drawings: nobody is named for most of it, and the table says so."""
    found = again[0]["another_kind"]

    assert found["unlike"] > 0.5
    assert found["attributed"] < 0.1
    assert found["images"] == 10  # what is no image is left out
    assert "of 10 images of another kind" in again[1]


def test_subjects_that_several_artists_took(again: tuple[Json, str]) -> None:
    """Every artist has a work of each title: all are asked for, in every space."""
    found = again[0]["same_subjects"]

    assert {one["works"] for one in found.values()} == {ARTISTS * (WORKS + 1)}
    assert all(0 <= one["map1"] <= 1 for one in found.values())
    assert "same subjects: mAP@1" in again[1]


def test_table_for_people(again: tuple[Json, str]) -> None:
    """Without --json a table names every system and measure."""
    for word in ("lawful", "B0", "B1", "B2", "top-1", "macro recall", "open-set AUROC"):
        assert word in again[1]


def test_bad_input(tmp_path: Path) -> None:
    """Too little data and an impossible folder are errors that say what to do."""
    one = tmp_path / "few" / "Ann"
    one.mkdir(parents=True)
    picture(1).save(one / "a.png")

    few = lawful(tmp_path, "evaluate", str(tmp_path / "few"))
    out = lawful(tmp_path, "evaluate", str(tmp_path / "few"), "--out", str(one / "a.png"))

    kind = lawful(tmp_path, "evaluate", str(tmp_path / "few"), "--strangers", str(one / "a.png"))
    apart = lawful(tmp_path, "evaluate", str(tmp_path / "few"), "--subjects")

    assert {done.returncode for done in (few, out, kind, apart)} == {1}
    assert "at least 6" in few.stderr
    assert "is a file" in out.stderr
    assert "is not a folder" in kind.stderr
    assert "nobody who shares a title" in apart.stderr
