"""Pictures made from a given one: by every family, looked up, refused, signed as made from it."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from attribution.catalogue import queries
from attribution.config import Settings
from attribution.custody import How, Kept
from attribution.errors import BadInput, NotAllowed
from attribution.generation.auraflow import AuraFlowPipeline
from attribution.generation.diffusion import DiffusionGenerator
from attribution.generation.generator import Drawn, Generator, ImageRequest
from attribution.generation.given import Given
from attribution.generation.pipelines import PipelineSpec, from_picture
from attribution.generation.recovery import verify_credentials
from attribution.generation.seal import Seal
from attribution.generation.stub import StubGenerator
from attribution.generation.studio import Generation, check_request
from attribution.images import State, read_image
from attribution.images.ingredients import Ingredient, ingredients
from attribution.images.manifests import Report, active_manifest, assertions, read_manifests
from attribution.lookup.subjects import Obtained
from attribution.services import Services, open_services
from tests.pipelines import FAMILIES
from tests.portfolios import ingest, picture
from tests.signing import development, image_bytes, manifest_image, signed
from tests.test_credentials import with_chunk

# Of diffusers and torch to each other.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

NEAR = ImageRequest("a boat", count=2, seed=7, steps=4, width=64, height=64, strength=0.5)
NO_INFERENCE = {"entries": {"cawg.ai_inference": {"use": "notAllowed"}}}


@pytest.fixture(scope="module")
def generators(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Generator]:
    """Every family, each loaded once, and the stub."""
    home = tmp_path_factory.mktemp("pipelines")
    opened = {
        family: DiffusionGenerator(PipelineSpec(str(save(home / family))))
        for family, save in FAMILIES.items()
    }
    return {"StubGenerator": StubGenerator(), **opened}


def drawn(generator: Generator, request: ImageRequest, given: Image.Image) -> list[Any]:
    """Draw from a picture without watching; returns pixels."""
    drawing = generator.generate(request, on_step=lambda _done, _steps: None, given=given)
    return [_pixels(one) for one in drawing.pictures]


def _pixels(one: Drawn) -> np.ndarray[Any, Any]:
    assert one.image is not None
    return np.asarray(one.image, dtype=np.int16)


@pytest.mark.parametrize("family", ["StubGenerator", *FAMILIES])
def test_a_picture_and_a_seed_are_a_picture(family: str, generators: dict[str, Generator]) -> None:
    """The same again, alone or beside others; another given picture, another result."""
    generator = generators[family]
    first, second = drawn(generator, NEAR, picture(1))
    (alone,) = drawn(generator, replace(NEAR, seed=8, count=1), picture(1))
    (other,) = drawn(generator, replace(NEAR, count=1), picture(2))

    assert np.abs(second - alone).max() <= 2
    assert np.abs(first - second).max() > 2
    assert np.abs(first - other).max() > 2
    assert first.shape == (64, 64, 3)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_step_from_a_picture_is_told(family: str, generators: dict[str, Generator]) -> None:
    """Of four steps half are drawn at strength 0.5, for each of two pictures."""
    told: list[tuple[int, int]] = []
    generators[family].generate(
        NEAR, on_step=lambda done, steps: told.append((done, steps)), given=picture(1)
    )

    assert told == [(step, 4) for step in range(1, 5)]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_strength_that_leaves_no_step_is_refused(
    family: str, generators: dict[str, Generator]
) -> None:
    """Both numbers are named."""
    with pytest.raises(BadInput, match=r"2 steps at strength 0\.1 leave no step"):
        drawn(generators[family], replace(NEAR, steps=2, strength=0.1), picture(1))


def test_sides_follow_the_picture(generators: dict[str, Generator]) -> None:
    """One side or both may be left out; the longer is then the model's own, whatever the shape."""
    wide = picture(1).resize((90, 60))
    generator = generators["AuraFlowPipeline"]

    def size(
        given: Image.Image, width: int | None = 64, height: int | None = 64
    ) -> tuple[int, int]:
        request = replace(NEAR, count=1, width=width, height=height)
        (one,) = drawn(generator, request, given)
        return one.shape[1], one.shape[0]

    assert size(wide, width=None, height=None) == (64, 48)
    assert size(wide, width=32, height=None) == (32, 16)
    assert size(wide, width=None, height=32) == (48, 32)
    assert size(wide) == (64, 64)
    assert size(picture(1).resize((2000, 4)), width=None, height=None) == (64, 16)


def test_strength_is_how_far_it_goes() -> None:
    """The starter stays near the given picture at a low strength, and leaves it at a high one."""
    generator = DiffusionGenerator(PipelineSpec("starter"))
    given = Image.new("RGB", (128, 128), (200, 40, 40))
    request = ImageRequest("blueman by yutaka kachi", seed=7, steps=10)
    near, far = (
        drawn(generator, replace(request, strength=strength), given)[0] for strength in (0.2, 0.9)
    )

    away = [np.abs(one - np.asarray(given, np.int16)).mean() for one in (near, far)]
    assert 2 * away[0] < away[1]


def test_a_model_that_cannot_begin_with_a_picture_is_named(
    generators: dict[str, Generator],
) -> None:
    """By its class, with the way out."""
    generator = generators["AuraFlowPipeline"]
    assert isinstance(generator, DiffusionGenerator)

    class WordsAlonePipeline(AuraFlowPipeline):  # type: ignore[misc]  # diffusers ships no types
        """Has no other pipeline beside it."""

    words_alone = WordsAlonePipeline(**generator._ready().pipeline.components)
    with pytest.raises(BadInput, match="ours is a WordsAlonePipeline, which cannot begin with"):
        from_picture(words_alone, "ours")


@pytest.mark.parametrize(
    ("strength", "is_given", "says"),
    [
        (0.0, True, "strength 0: give more than 0"),
        (1.5, True, r"strength 1\.5"),
        (float("nan"), True, "strength nan"),
        (0.5, False, r"strength 0\.5 without a picture"),
    ],
)
def test_strengths_out_of_bounds_are_refused(strength: float, says: str, *, is_given: bool) -> None:
    """Before anything is loaded; so is one without a picture."""
    with pytest.raises(BadInput, match=says):
        check_request(replace(NEAR, strength=strength), is_given=is_given)


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """Open a collection: one artist says yes to generation, one no, the third nothing."""
    home = tmp_path_factory.mktemp("given")
    lines = []
    for artist, said in enumerate(({"consent_generate": "yes"}, {"consent_generate": "no"}, {})):
        folder = home / "p" / f"artist-{artist}"
        folder.mkdir(parents=True)
        for work in range(4):
            picture(100 * artist + work).save(folder / f"{work}.png")
            name = {"file_name": f"artist-{artist}/{work}.png", "artist": f"artist-{artist}"}
            lines.append(name | said)
    (home / "p" / "metadata.jsonl").write_text("\n".join(map(json.dumps, lines)))
    settings = Settings(home=home / "home", profile="stub", generator="stub")
    with open_services(settings) as opened:
        assert ingest(opened, home / "p").added == 12
        yield opened


def draw(services: Services, data: bytes, **changed: Any) -> Generation:
    """Have one picture made from a file."""
    studio = replace(services.studio, **changed)
    given = Given(read_image(data, services.limits), data, Obtained(How.FILE))
    request = replace(NEAR, count=1)
    return studio.draw(request, on_step=lambda _done, _steps: None, given=given)


def a_file(number: int) -> bytes:
    """Return a file of the picture that is registered under this number, if one is."""
    return image_bytes(seed=number)


def test_a_given_picture_is_looked_up_and_kept(services: Services) -> None:
    """As any image that is asked about, with a sentence on what it is and whose work it shows."""
    data = a_file(2)
    source = draw(services, data).made_from
    assert source is not None
    digest = hashlib.sha256(data).hexdigest()

    assert source.summary.startswith(
        f"Made from a picture that was given (SHA-256 {digest}). About"
    )
    assert "Shows the same image as “2” by artist-0 (artist-0)" in source.summary
    assert [one.slug for one in source.references if one.may_be_named] == ["artist-0"]
    assert source.objection is None
    assert services.attributor.recall(source.answer.id) == source.answer
    with services.sessions() as session:
        subject, use = queries.subject_of_answer(session, source.answer.id)
    assert subject is not None
    assert use is not None
    assert (subject.image_sha256, subject.kept, use.how) == (digest, Kept.IMAGE, How.FILE)
    assert services.store.subject(digest) == data


def test_a_work_whose_artist_said_no_is_refused(services: Services) -> None:
    """Nothing is drawn, and the sentence says whose work it is, who said it and where."""
    with pytest.raises(NotAllowed) as caught:
        draw(services, a_file(101))

    said = str(caught.value)
    assert "shows the same image as “1” by artist-1 (artist-1)" in said
    assert "generate: not allowed" in said
    assert "in a table of its source" in said


def test_where_nobody_was_asked_it_is_said(services: Services) -> None:
    """As of near copies: told, and refused where the settings withhold those."""
    source = draw(services, a_file(202)).made_from

    assert source is not None
    first, second = source.warnings
    assert "not allowed by default" in first
    assert second.startswith("the picture that was given resembles work by artist-2")
    with pytest.raises(NotAllowed, match="not allowed by default"):
        draw(services, a_file(202), withholds_copies=True)


def test_what_the_file_forbids_is_heard(services: Services) -> None:
    """A no in its own manifest refuses it; so does a manifest that cannot be read."""
    for data, says in (
        (manifest_image(("cawg.training-mining", NO_INFERENCE)), "cawg.ai_inference: notAllowed"),
        (with_chunk(b"jumb"), "could not be read"),
        (manifest_image(remote="https://x.example/m", embed=False), "kept elsewhere, not fetched"),
    ):
        with pytest.raises(NotAllowed, match=says):
            draw(services, data)


def seal() -> Seal:
    """Return what signs, with the root of our development chain as a trust anchor."""
    signer, root = development()
    return Seal(signer, None, reveal_prompt=False, training="notAllowed", trust_anchors=root)


def made(services: Services, data: bytes, root: str = development()[1]) -> tuple[bytes, Report]:
    """Return a signed picture that was made from a file, and what a reader finds in it."""
    (one,) = draw(services, data, load_seal=seal).pictures
    assert one.png is not None
    return one.png, read_manifests(one.png, root)


def parent(report: Report) -> Ingredient:
    """Return what a picture says that it was made from."""
    (found,) = (one for one in ingredients(report) if one.relationship == "parentOf")
    return found


def broken() -> bytes:
    """Return a file whose manifest was signed for other pixels."""
    data = bytearray(signed(seed=31))
    data[-40] ^= 1
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "state", "reason"),
    [
        (image_bytes(seed=31), State.ABSENT, None),
        (signed(seed=31), State.VALID, None),
        (signed("JPEG", seed=31), State.VALID, None),
        (broken(), State.INVALID, "assertion.dataHash.mismatch"),
    ],
    ids=["without", "signed", "signed JPEG", "broken"],
)
def test_a_given_picture_is_an_ingredient(
    services: Services, data: bytes, state: State, reason: str | None
) -> None:
    """The manifest that it brought is kept as it is, and what is wrong with it is told.

    The picture's own holds in any case. It was opened and edited: C2PA takes no `created` beside.
    """
    png, report = made(services, data)

    found = parent(report)
    digest = hashlib.sha256(data).hexdigest()
    assert (found.title, found.description) == ("given picture", f"SHA-256 {digest}")
    assert (found.state, found.reason) == (state, reason)
    assert len(report["manifests"]) == 1 + (state is not State.ABSENT)
    said = dict(assertions(active_manifest(report)))
    opened, edited = said["c2pa.actions.v2"]["actions"]
    assert (opened["action"], edited["action"]) == ("c2pa.opened", "c2pa.edited")
    assert opened["parameters"]["ingredients"][0]["url"].endswith("c2pa.ingredient.v3__1")
    assert edited["digitalSourceType"].endswith("/trainedAlgorithmicMedia")
    given = said["org.lawful-diffusion.generation"]["given"]
    assert given == {"sha256": digest, "strength": 0.5}
    limits = replace(services.limits, trust_anchors=development()[1])
    verified = verify_credentials(replace(services, limits=limits), png, None)
    assert verified.credentials.state is State.VALID
    sentence = f"It says that it was made from: “given picture” (SHA-256 {digest}); that has "
    assert sentence in verified.summary
    assert ("do not hold" in verified.summary.replace("which ", "")) is (state is State.INVALID)


def test_trust_in_an_ingredient_is_that_of_the_reader(services: Services) -> None:
    """Whom the signer trusted is somebody unknown to a reader without that trust anchor."""
    _, report = made(services, signed(seed=31), root="")

    assert parent(report).state is State.UNTRUSTED


def test_a_no_goes_on_with_what_is_made(services: Services) -> None:
    """What is made from a picture that forbids training forbids it too, by that manifest."""
    said = {"entries": {"cawg.ai_training": {"use": "notAllowed"}}}
    allowing = replace(seal(), training="allowed")
    data = manifest_image(("cawg.training-mining", said))
    (one,) = draw(services, data, load_seal=lambda: allowing).pictures

    assert one.png is not None
    assert read_image(one.png, services.limits).facts.forbids["train"] == (
        "cawg.ai_training: notAllowed"
    )


def test_what_was_made_can_be_given_again(services: Services) -> None:
    """The chain of manifests grows, and holds."""
    png, _ = made(services, signed(seed=31))
    _, report = made(services, png)

    assert parent(report).state is State.VALID
    assert len(report["manifests"]) == 3
    with Image.open(io.BytesIO(png)) as image:
        assert image.size == (64, 64)
