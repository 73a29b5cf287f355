"""A plain lookup leaves out what costs most, says so, and is asked again as it was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from api.http.app import create_app
from attribution.config import Settings
from attribution.copies.finder import CopyFinder
from attribution.encoders.encoder_set import EncoderSet
from attribution.encoders.stub import StubEncoder
from attribution.images import CheckedImage, read_image
from attribution.index.points import NearPart, Probe
from attribution.lookup.wording import NOT_LOOKED_UP, PARTS_LEFT_OUT
from attribution.services import Services
from attribution.types import Matrix, Neighbour, Vector
from tests.apis import local_client, png
from tests.test_lookups_later import ended

STRANGER = 777  # the seed of a picture that is nobody's


class Counting(StubEncoder):
    """Remembers how many pictures it was given at once."""

    def __init__(self) -> None:
        self.given: list[int] = []

    def encode(self, images: Sequence[Image.Image]) -> Mapping[str, Matrix]:
        """Encode them."""
        self.given.append(len(images))
        return super().encode(images)


class Near:
    """An index in which fifty works are near an image, the registered one as near as is said."""

    def __init__(self, work: UUID, cosine: float) -> None:
        self._work, self._cosine = work, cosine

    @property
    def parts(self) -> Near:
        """What finds parts of works: there are none."""
        return self

    def nearest(
        self, vectors: Mapping[str, Vector], *, limit: int
    ) -> Mapping[str, Sequence[NearPart]]:
        """Return nothing."""
        return {leg: [] for leg in list(vectors)[:limit]}

    def neighbours(self, probe: Probe, *, limit: int) -> Mapping[str, Sequence[Neighbour]]:
        """Return the work first, then others, each a little farther."""
        cosines = [self._cosine, *(0.5 - number / 1_000 for number in range(1, 50))]
        works = [self._work, *(UUID(int=number) for number in range(1, 50))]
        hits = [
            Neighbour(work, UUID(int=0), cosine, rank)
            for rank, (work, cosine) in enumerate(zip(works, cosines, strict=True), 1)
        ]
        return dict.fromkeys(probe.vectors, hits[:limit])


@pytest.fixture
def client(ingested: Settings) -> Iterator[TestClient]:
    """Open the application on three artists' works."""
    with local_client(create_app(ingested)) as opened:
        yield opened


def question(seed: int) -> CheckedImage:
    """Return a picture to ask about."""
    return read_image(png(seed))


def test_parts_of_the_image_are_encoded_for_thorough_lookups_alone(services: Services) -> None:
    """A plain one encodes the image once."""
    counting = Counting()
    copies = CopyFinder(services.sessions, EncoderSet([counting]), services.index)

    copies.find(question(STRANGER), is_thorough=False)
    plain = counting.given.copy()
    copies.find(question(STRANGER))

    assert plain == [1]
    assert counting.given == [1, 1, 5]


@pytest.mark.parametrize(("cosine", "is_found"), [(0.9, True), (0.5, False)])
def test_a_plain_lookup_compares_works_that_stand_out(
    services: Services, tmp_path: Path, cosine: float, *, is_found: bool
) -> None:
    """A thorough one compares the first ten in any case."""
    path = min((tmp_path / "p").rglob("*.png"))
    with Image.open(path) as opened:  # turned a little, so that no hash is near
        turned = opened.convert("RGB").rotate(20, expand=True, fillcolor="white")
    turned.save(tmp_path / "turned.png")
    image = read_image((tmp_path / "turned.png").read_bytes())
    work = CopyFinder(services.sessions, services.encoders, services.index).find(image).copied
    assert work is not None
    copies = CopyFinder(services.sessions, services.encoders, Near(work.work, cosine))

    assert (copies.find(image, is_thorough=False).copied is not None) == is_found
    assert copies.find(image).copied is not None


@pytest.mark.parametrize(
    ("asked", "is_thorough"),
    [
        ("", False),
        ("?thorough=true", True),
        ("?purpose=test", False),
        ("?purpose=claim", True),
        ("?purpose=claim&thorough=false", False),
    ],
)
def test_a_request_says_how_thorough_it_is(
    client: TestClient, asked: str, *, is_thorough: bool
) -> None:
    """Or else its purpose does; asked again, by a worker or as one of a set it is the same."""
    image = {"image": png(STRANGER)}
    answer = client.post(f"/v1/attributions{asked}", files=image).json()
    again = client.post(f"/v1/attributions/{answer['id']}/again").json()["answer"]
    later = client.post(
        f"/v1/attributions{asked}", files=image, headers={"prefer": "respond-async"}
    )
    several = client.post(f"/v1/attributions/sets{asked}", files={"images": png(STRANGER)}).json()

    given = [answer, again, client.get(f"/v1/attributions/{answer['id']}").json()]
    given += [
        client.get(ended(client, later.headers["location"])["answer"]).json(),
        *several["answers"],
    ]
    assert [one["is_thorough"] for one in given] == [is_thorough] * 5


def test_the_setting_makes_every_lookup_thorough(ingested: Settings) -> None:
    """Where the request does not say otherwise."""
    chosen = ingested.model_copy(update={"thorough": True})
    with local_client(create_app(chosen)) as client:
        said = client.post("/v1/attributions", files={"image": png(STRANGER)}).json()
        asked = client.post(
            "/v1/attributions?thorough=false", files={"image": png(STRANGER)}
        ).json()

    assert (said["is_thorough"], asked["is_thorough"]) == (True, False)


def test_an_answer_says_what_was_left_out(client: TestClient, tmp_path: Path) -> None:
    """It says "no copy" of nothing that was not looked for; of what was found it says no less."""
    plain = client.post("/v1/attributions", files={"image": png(STRANGER)}).json()
    whole = client.post("/v1/attributions?thorough=true", files={"image": png(STRANGER)}).json()
    work = min((tmp_path / "p").rglob("*.png")).read_bytes()
    exact = client.post("/v1/attributions", files={"image": work}).json()
    report = client.get(f"/v1/attributions/{plain['id']}/report").text

    assert plain["summary"].endswith(f"; {PARTS_LEFT_OUT}.")
    assert "in style only" not in plain["summary"]
    assert plain["lanes"]["copy"] == (
        f"No registered work was found to be the whole image. {NOT_LOOKED_UP}"
    )
    assert NOT_LOOKED_UP in report
    assert PARTS_LEFT_OUT not in whole["summary"] + exact["summary"]
    assert NOT_LOOKED_UP not in whole["lanes"]["copy"] + exact["lanes"]["copy"]
