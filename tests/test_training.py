"""The gradient-trained classifier: codes, training, what is kept of it, and whom it may name."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from celery.exceptions import Retry
from hypothesis import given
from hypothesis import strategies as st
from PIL.PngImagePlugin import PngInfo
from safetensors.numpy import load_file, save_file

from attribution.catalogue.models import artwork_id
from attribution.collection import Stores, open_stores
from attribution.config import Settings
from attribution.encoders.encoder_set import EncoderSet
from attribution.errors import BadInput, Conflict, NotFound, ProfileMismatch
from attribution.images import read_image_file
from attribution.services import Services, open_services
from attribution.tenants import within
from attribution.training.cache import CACHE
from attribution.training.checkpoint import CARD, FACTS, Facts, load, own_folder, read_facts
from attribution.training.coding import HEADS, base, codes
from attribution.training.network import Network, log_softmax, start
from attribution.training.recipe import Recipe
from attribution.training.run import Epoch, State
from attribution.training.trainer import Examples, train
from attribution.types import Matrix
from attribution.upkeep.withdrawal import withdraw
from attribution.voters.trained import TrainedSeat
from attribution.voters.voter import Question
from ingest.examples import CLOSED, NOT_GRANTED, TWICE, WITHDRAWN
from ingest.lessons import SAYS_NO, UNUSABLE
from ingest.training import RUNS, Plan, train_classifier
from ingest.work.application import make_app
from ingest.work.dispatch import TRAIN
from ingest.work.tasks import register
from tests.portfolios import by_hand, ingest, picture

ARTISTS, WORKS = 4, 6
QUICK = Recipe(epochs=30, hidden=32, batch=8)
DIMS = {"one": 4, "two": 8}


def works(folder: Path, consent: str = "yes", artists: int = ARTISTS) -> Path:
    """Write a folder an artist with a metadata file that says whether the works may train."""
    rows = []
    for artist in range(artists):
        own = folder / f"artist-{artist}"
        own.mkdir(parents=True)
        for work in range(WORKS):
            by_hand(artist, work).save(own / f"{work}.png")
            rows.append({"file_name": f"artist-{artist}/{work}.png", "consent_train": consent})
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "metadata.jsonl").write_text(lines)
    return folder


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Give a home of its own, with the third voter switched on."""
    return Settings(home=tmp_path / "home", profile="stub", voters=["neighbours", "trained"])


@pytest.fixture
def stores(settings: Settings) -> Iterator[Stores]:
    """Open an empty catalogue."""
    with open_stores(settings) as opened:
        yield opened


@pytest.fixture
def services(settings: Settings, tmp_path: Path) -> Iterator[Services]:
    """Open a collection of four artists whose works may train."""
    with open_services(settings) as opened:
        assert ingest(opened, works(tmp_path / "works")).refused == 0
        yield opened


def silent(_what: str, _done: int, _total: int) -> None:
    """Tell nobody."""


def trained(stores: Stores, data: str = "catalogue", **fields: object) -> Facts:
    """Train on something, quickly."""
    plan = replace(Plan(data=data, recipe=QUICK), **fields)  # type: ignore[arg-type]
    return train_classifier(stores, plan, progress=silent)


def examples(seed: int = 0, artists: int = 3, each: int = 12) -> Examples:
    """Return works that are easy to tell apart."""
    rng = np.random.default_rng(seed)
    artist = np.repeat(np.arange(artists), each)
    centres = rng.normal(size=(artists, sum(DIMS.values())))
    rows: Matrix = (centres[artist] + 0.1 * rng.normal(size=(len(artist), 12))).astype(np.float32)
    return Examples(rows, artist)


@given(st.integers(1, 400), st.integers(1, 400))
def test_codes_never_change_and_stay_apart(few: int, many: int) -> None:
    """More artists change no code; two artists share one digit of three at most."""
    few, many = sorted((few, many))
    own = codes(many)

    assert own.shape == (many, HEADS)
    assert own.max() < base(many)
    assert (codes(few) == own[:few]).all()
    same = (own[:, None] == own[None]).sum(2) - HEADS * np.eye(many, dtype=int)
    assert same.max(initial=0) <= 1


def test_training_tells_artists_apart() -> None:
    """What is easy is learned, the best epoch is kept, and the same seed gives the same weights."""
    data, held = examples(), examples().take(np.arange(0, 36, 5))
    first = start(data.rows, DIMS, 3, QUICK)

    run, again = (train(first, data, QUICK, artists=3, held=held) for _ in range(2))

    assert (run.best.scores(held.rows, 3).argmax(1) == held.artist).all()
    assert run.best_epoch <= run.epochs <= QUICK.epochs
    assert run.history[-1].loss < run.history[0].loss
    assert all((run.best.arrays()[k] == v).all() for k, v in again.best.arrays().items())


def test_it_stops_when_nothing_gets_better() -> None:
    """After so many epochs without a better validation the rest is left out."""
    data = examples()
    recipe = replace(QUICK, epochs=500, patience=3)
    others = examples(seed=9)  # what is learned says nothing about them

    run = train(start(data.rows, DIMS, 3, recipe), data, recipe, artists=3, held=others)

    assert run.epochs < 500


def test_an_interrupted_training_goes_on_as_if_nothing_had_been(tmp_path: Path) -> None:
    """Stopped after seven epochs and asked again, it ends with the very weights, bit for bit."""
    data = examples()
    first = start(data.rows, DIMS, 3, QUICK)
    told: list[int] = []

    def stop(epoch: Epoch) -> None:
        told.append(epoch.number)
        if epoch.number == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(first, data, QUICK, artists=3, state=State(tmp_path / "s", "it"), progress=stop)
    state = State(tmp_path / "s", "it")
    run = train(
        first, data, QUICK, artists=3, state=state, progress=lambda e: told.append(e.number)
    )

    whole = train(first, data, QUICK, artists=3)
    assert told == list(range(1, QUICK.epochs + 1))
    assert all((run.best.arrays()[k] == v).all() for k, v in whole.best.arrays().items())
    assert [one.loss for one in run.history] == [one.loss for one in whole.history]


@pytest.mark.parametrize("damage", [b"", b"no safetensors", None])
def test_a_state_of_something_else_is_not_continued(tmp_path: Path, damage: bytes | None) -> None:
    """A damaged state, or one of other works, is begun anew."""
    data, path = examples(), tmp_path / "state"
    train(start(data.rows, DIMS, 3, QUICK), data, QUICK, artists=3, state=State(path, "one"))
    if damage is not None:
        path.write_bytes(damage)

    assert State(path, "one" if damage is not None else "other").load() is None


def test_a_loss_that_is_no_number_ends_it(tmp_path: Path) -> None:
    """The message names the epoch and the rate; the last good state stays."""
    data = examples()
    recipe = replace(QUICK, rate=1e25)
    state = State(tmp_path / "s", "it")

    with pytest.raises(BadInput, match=r"the loss became (nan|inf) in epoch \d+.*--rate"):
        train(start(data.rows, DIMS, 3, recipe), data, recipe, artists=3, state=state)
    run = state.load()
    assert run is not None
    assert np.isfinite([one.loss for one in run.history]).all()


def test_vectors_that_are_no_numbers_are_refused() -> None:
    """NaN from a model never reaches the weights."""
    data = examples()
    data.rows[3, 2] = np.nan

    with pytest.raises(BadInput, match="not finite"):
        train(start(data.rows, DIMS, 3, QUICK), data, QUICK, artists=3)


def test_memory_that_runs_out_has_a_way_out() -> None:
    """The CPU's allocator has no error of its own."""
    data = examples()

    def fail(_epoch: Epoch) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    with pytest.raises(BadInput, match=r"cpu has too little memory for 36 works .* --limit"):
        train(start(data.rows, DIMS, 3, QUICK), data, QUICK, artists=3, progress=fail)


def test_a_device_that_is_not_there_is_refused_at_once(tmp_path: Path) -> None:
    """Before anything is read."""
    settings = Settings(home=tmp_path / "home", profile="stub", device="cuda:99")
    with open_stores(settings) as stores, pytest.raises(BadInput, match="LAWFUL_DEVICE=cuda:99"):
        train_classifier(stores, Plan(), progress=silent)


def test_growing_leaves_the_trunk() -> None:
    """More artists add digits to the heads; the trunk and what it answers to stay."""
    data = examples(artists=7)
    old = data.take(np.flatnonzero(data.artist < 4))
    first = train(start(old.rows, DIMS, 4, QUICK), old, QUICK, artists=4).network

    run = train(first.grown(7, seed=0), data, QUICK, artists=7, heads_only=True)

    assert (run.network.trunk == first.trunk).all()
    assert run.network.heads.shape[1] == base(7) > first.heads.shape[1]
    assert (run.network.scores(data.rows, 7).argmax(1) == data.artist).mean() > 0.9


@pytest.mark.parametrize("scaling", ["numbers", "spaces", "lengths"])
def test_inputs_are_scaled(scaling: str) -> None:
    """Each way of scaling does what it says."""
    data = examples()
    network = start(data.rows, DIMS, 3, replace(QUICK, scaling=scaling))  # type: ignore[arg-type]
    scaled = network.scaled(data.rows)

    if scaling == "numbers":
        assert np.allclose(scaled.std(0), 1, atol=1e-4)
    elif scaling == "spaces":
        assert np.allclose([scaled[:, :4].var(0).mean(), scaled[:, 4:].var(0).mean()], 1, atol=1e-4)
    else:
        assert np.allclose(scaled[:, 4:], data.rows[:, 4:] * 8**0.5, rtol=1e-5)


def test_what_is_kept(services: Services) -> None:
    """Weights as safetensors, facts as JSON, a card for people; nothing of the run is left."""
    facts = trained(services)
    folder = services.settings.trained

    names = {path.name for path in folder.iterdir()} - {".lock"}
    assert names == {FACTS, CARD, f"classifier-{facts.weights[:16]}.safetensors"}
    assert set(load_file(next(folder.glob("*.safetensors")))) == set(Network.__annotations__)
    assert [one.voter for one in facts.compared] == ["neighbours", "classifier", "trained"]
    card = (folder / CARD).read_text()
    assert "does not forget exactly" in card
    assert f"| trained | {facts.compared[2].top1:.3f} |" in card
    assert facts.held_out + len(facts.works) == ARTISTS * WORKS
    assert facts.works == sorted(facts.works)


def test_the_third_voter_votes(services: Services, tmp_path: Path) -> None:
    """Switched on, it gives a part of every share; its own shares sum to one."""
    trained(services)
    by_hand(2, 99).save(tmp_path / "query.png")

    answer = services.attributor.attribute(read_image_file(tmp_path / "query.png"), limit=ARTISTS)

    assert sum(one.score for one in answer.artists) == pytest.approx(1)
    assert sum(one.voters["trained"] for one in answer.artists) == pytest.approx(1 / 2)
    assert answer.artists[0].name == "artist-2"


def test_without_a_checkpoint_the_others_vote(services: Services, tmp_path: Path) -> None:
    """The voter that is not made yet says nothing."""
    by_hand(2, 99).save(tmp_path / "query.png")

    answer = services.attributor.attribute(read_image_file(tmp_path / "query.png"))

    assert {voter for one in answer.artists for voter in one.voters} == {"neighbours"}
    assert [note for note in answer.notes if "lawful train classifier" in note]


def test_a_withdrawn_artist_is_never_named(services: Services) -> None:
    """From the moment of withdrawal, in a process that had it loaded; what stays is said."""
    facts = trained(services)
    voter = TrainedSeat(services.sessions, facts.fingerprint, services.settings.trained)
    before = voter.current()
    assert before is not None
    assert len(before.artists) == ARTISTS

    row = withdraw(services, "artist-1", reason="asked")

    after = voter.current()
    assert after is not None
    assert row.artist_id in before.artists
    assert row.artist_id not in after.artists
    vectors = {name: np.ones(dim, np.float32) for name, dim in facts.dims.items()}
    question = Question(vectors, {}, {}, {})
    assert sum(after.shares(question).shares.values()) == pytest.approx(1)
    seen = row.receipt["trained"]
    assert seen["weights"] == facts.weights
    assert 0 < seen["works seen"] <= WORKS
    again = trained(services)
    assert str(row.artist_id) not in again.artists
    assert again.has_seen([UUID(one) for one in row.receipt["works"]]) == 0


def test_other_encoders_are_refused(services: Services) -> None:
    """A classifier of another profile does not load, and the message says how to go on."""
    facts = trained(services)

    with pytest.raises(ProfileMismatch, match=r"profile 'stub'.*lawful train classifier"):
        load(services.settings.trained, fingerprint="0" * 64)
    with pytest.raises(NotFound, match="lawful train classifier"):
        load(services.settings.home / "nowhere", fingerprint=facts.fingerprint)


def test_damaged_weights_are_refused(services: Services) -> None:
    """One flipped byte is found before anything is answered."""
    facts = trained(services)
    path = next(services.settings.trained.glob("classifier-*.safetensors"))
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)

    with pytest.raises(BadInput, match="hash differs"):
        load(services.settings.trained, fingerprint=facts.fingerprint)
    (services.settings.trained / FACTS).write_text("{}")
    with pytest.raises(BadInput, match="cannot be read"):
        load(services.settings.trained, fingerprint=facts.fingerprint)


def test_only_granted_works_of_the_catalogue_train(settings: Settings, tmp_path: Path) -> None:
    """The catalogue's consent decides: of works that do not grant training none is taken."""
    with open_services(settings) as services:
        ingest(services, works(tmp_path / "works", consent="no"))

        with pytest.raises(BadInput, match=f"24: {NOT_GRANTED}"):
            trained(services)
    assert not (settings.trained / FACTS).exists()


def test_a_folder_trains_without_a_collection(stores: Stores, tmp_path: Path) -> None:
    """Naming it is enough; what says no, is no image or comes twice is left out and counted."""
    folder = works(tmp_path / "works", consent="")
    (folder / "artist-0" / "bad.png").write_text("no image")
    shutil.copy(folder / "artist-0" / "0.png", folder / "artist-0" / "again.png")
    with (folder / "metadata.jsonl").open("a") as file:
        file.write('{"file_name": "artist-3/5.png", "consent_train": "no"}\n')

    facts = trained(stores, str(folder))

    assert facts.named_by == "name"
    assert facts.artists == [f"artist-{one}" for one in range(ARTISTS)]
    assert facts.left_out == {UNUSABLE: 1, TWICE: 1, SAYS_NO: 1}


def test_what_was_withdrawn_never_trains(services: Services, tmp_path: Path) -> None:
    """Not even from a folder that still has the files; and the cache forgets it."""
    trained(services, str(tmp_path / "works"))
    withdraw(services, "artist-1", reason="asked")
    by_hand(1, 77).save(tmp_path / "works" / "artist-1" / "new.png")
    row = withdraw(services, trained_work(services), reason="asked")

    facts = trained(services, str(tmp_path / "works"))

    assert facts.left_out == {WITHDRAWN: WORKS + 1, CLOSED: 1}
    assert "artist-1" not in facts.artists
    assert row.receipt["removed"]["cached vectors"] == 1


def trained_work(services: Stores) -> str:
    """Return the id of a work by the first artist."""
    data = (services.settings.home.parent / "works" / "artist-0" / "0.png").read_bytes()
    return str(artwork_id(hashlib.sha256(data).hexdigest()))


def test_encoded_once(stores: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second training of the same files encodes none of them again."""
    folder = str(works(tmp_path / "works"))
    trained(stores, folder)
    monkeypatch.setattr(EncoderSet, "encode", None)

    assert trained(stores, folder, recipe=replace(QUICK, seed=1)).held_out > 0


def test_what_a_file_says_is_asked_each_time(
    stores: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A yes in a cache of before is not believed: a later reader may hear the file say no.

    The vectors of the others are used again.
    """
    folder = works(tmp_path / "works")
    no = PngInfo()
    no.add_text("Comment", "noai")
    by_hand(0, 0).save(folder / "artist-0" / "0.png", pnginfo=no)
    monkeypatch.setattr("ingest.examples.read_forbids", lambda *_: {})  # who does not hear it
    assert trained(stores, str(folder)).left_out == {}
    monkeypatch.undo()
    parts = list((stores.settings.trained / CACHE).glob("*/*.safetensors"))
    for part in parts:  # as versions wrote it that kept what they had understood
        arrays = load_file(part)
        yes = np.zeros(len(arrays["sha256"]), np.uint8)
        save_file(arrays | {"forbidden": yes}, part)
    monkeypatch.setattr(EncoderSet, "encode", None)

    facts = trained(stores, str(folder), recipe=replace(QUICK, seed=1))

    assert parts
    assert facts.left_out == {SAYS_NO: 1}
    assert trained_work(stores) not in facts.works


def test_what_says_no_is_not_encoded(stores: Stores, tmp_path: Path) -> None:
    """No vector is kept of a picture that may not train."""
    folder = works(tmp_path / "works")
    no = PngInfo()
    no.add_text("Comment", "noai")
    by_hand(0, 0).save(folder / "artist-0" / "0.png", pnginfo=no)
    trained(stores, str(folder))

    (part,) = (stores.settings.trained / CACHE).glob("*/*.safetensors")
    assert len(load_file(part)["sha256"]) == ARTISTS * WORKS - 1


def test_an_interrupted_command_leaves_a_state(stores: Stores, tmp_path: Path) -> None:
    """What was there before stays until the new one is whole; asked again, it goes on."""
    folder = str(works(tmp_path / "works"))
    kept = trained(stores, folder)
    plan = Plan(data=folder, recipe=replace(QUICK, seed=5))
    told: list[str] = []

    def stop(what: str, done: int, _total: int) -> None:
        told.append(what)
        if what.startswith("training") and done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_classifier(stores, plan, progress=stop)
    assert json.loads((stores.settings.trained / FACTS).read_text())["weights"] == kept.weights
    assert {path.name for path in stores.settings.trained.glob("*ing.safetensors")} == set(RUNS)

    told.clear()
    train_classifier(stores, plan, progress=lambda what, *_: told.append(what))
    assert not [what for what in told if what.startswith("choosing")]


def test_artists_are_added_to_a_classifier(stores: Stores, tmp_path: Path) -> None:
    """`--grow`: who has a code keeps it, the trunk stays as it was, works of before stay listed."""
    before = trained(stores, str(works(tmp_path / "few")))
    network, _ = load(stores.settings.trained, fingerprint=before.fingerprint)

    after = trained(stores, str(works(tmp_path / "more", artists=6)), grow=True)

    grown, _ = load(stores.settings.trained, fingerprint=before.fingerprint)
    assert after.artists == [*before.artists, "artist-4", "artist-5"]
    assert (grown.trunk == network.trunk).all()
    assert set(before.works) < set(after.works)


def test_a_tenant_has_a_classifier_of_its_own(stores: Stores, tmp_path: Path) -> None:
    """Training for one leaves that of another alone, and each votes for its own."""
    ours = trained(stores, str(works(tmp_path / "ours")))
    with within("museum"):
        theirs = trained(stores, str(works(tmp_path / "theirs", artists=6)))
        there = own_folder(stores.settings.trained)

    assert len(ours.artists) < len(theirs.artists)
    assert read_facts(own_folder(stores.settings.trained)) == ours
    assert read_facts(there) == theirs


def test_a_task_goes_on_in_another_message(stores: Stores, tmp_path: Path) -> None:
    """When its time is up a task is sent again, and the training ends where it would have."""
    asked: list[bool] = []

    def is_time_up() -> bool:
        asked.append(len(asked) == 20)
        return asked[-1]

    app = make_app(stores.settings)
    register(app, _Opened(stores), stopping=is_time_up, submit=lambda _: None)
    plan = json.loads(json.dumps(asdict(Plan(data=str(works(tmp_path / "works")), recipe=QUICK))))

    with pytest.raises(Retry):
        app.tasks[TRAIN].apply((plan,))
    assert read_facts(stores.settings.trained) is None
    known = app.tasks[TRAIN].apply((plan,)).get(disable_sync_subtasks=False)

    assert read_facts(stores.settings.trained) == Facts.of(known)
    assert len(asked) < 2 * QUICK.epochs + 20  # nothing was done twice


class _Opened:
    """What the tasks of this process use."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    def stores(self) -> Stores:
        return self._stores

    def services(self) -> Services:
        raise AssertionError("a training from a folder needs no index")


def test_two_trainings_at_once(stores: Stores, tmp_path: Path) -> None:
    """The second is refused, not mixed with the first."""
    folder = str(works(tmp_path / "works"))

    def another(_what: str, _done: int, _total: int) -> None:
        with pytest.raises(Conflict, match="another process trains"):
            trained(stores, folder)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_classifier(stores, Plan(data=folder, recipe=QUICK), progress=another)


@pytest.mark.parametrize(
    ("artists", "each", "said"),
    [(1, 4, "belong to one artist"), (3, 1, "no artist has enough different works")],
)
def test_too_little_to_learn_from(
    stores: Stores, tmp_path: Path, artists: int, each: int, said: str
) -> None:
    """One artist, or one work of each, cannot be learned from, and the message says so."""
    for artist in range(artists):
        folder = tmp_path / "few" / f"artist-{artist}"
        folder.mkdir(parents=True)
        for work in range(each):
            picture(10 * artist + work).save(folder / f"{work}.png")

    with pytest.raises(BadInput, match=said):
        trained(stores, str(tmp_path / "few"))
    assert not (stores.settings.trained / FACTS).exists()


def test_shares_of_unused_codes_count_for_nobody() -> None:
    """Scores become shares among the artists alone."""
    shares = np.exp(log_softmax(np.array([[-3.0, -4.0], [-100.0, -101.0]])))

    assert np.allclose(shares.sum(1), 1)
    assert np.allclose(shares[0], shares[1])
