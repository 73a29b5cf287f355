"""What a file says of itself, and pictures of ours that are found again without their manifest."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

import pytest
from PIL import Image, ImageOps
from typer.testing import CliRunner

from api.cli.credentials import app
from api.http.app import create_app
from attribution import tenants
from attribution.catalogue import queries
from attribution.config import Settings
from attribution.errors import BadImage
from attribution.generation.generator import ImageRequest
from attribution.generation.recovery import Trace, Verified, verify_credentials
from attribution.generation.seal import Seal
from attribution.images import State
from attribution.provenance.claim import GenerationClaim
from attribution.provenance.signing import sign
from attribution.services import Services, open_services
from ingest.generations import ask, run_generation
from tests.apis import local_client, settings
from tests.generators import Copyist
from tests.homes import copy_ingested
from tests.portfolios import wait_until
from tests.signing import development, manifest_image, signed

EXAMPLES = Path(__file__).parent.parent / "examples" / "portfolio"
SEAL = Seal(development()[0], None, reveal_prompt=False, training="notAllowed")


@dataclass(frozen=True)
class Drawn:
    """A picture that a service drew, signed and kept."""

    services: Services
    generation_id: UUID
    png: bytes

    def verified(self, data: bytes) -> Verified:
        """Ask about a file."""
        return verify_credentials(self.services, data, None)


def draw(services: Services, image: Image.Image, *, is_signed: bool = True) -> Drawn:
    """Have the service draw this image."""
    seal = SEAL if is_signed else None
    studio = replace(services.studio, generator=Copyist(image), load_seal=lambda: seal)
    drawing = replace(services, studio=studio)
    generation_id = ask(drawing, ImageRequest("a boat", seed=7))
    run_generation(drawing, generation_id, stopping=lambda: False)
    return Drawn(services, generation_id, services.store.generated(generation_id, 0))


@pytest.fixture(scope="module")
def services(ingested_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """Open a service that has drawn a few pictures."""
    copied = copy_ingested(ingested_once, tmp_path_factory.mktemp("recovery"))
    with open_services(settings(copied / "home")) as opened:
        for number in (60, 61, 62):
            draw(opened, art(number))
        yield opened


@pytest.fixture(scope="module")
def drawn(services: Services) -> Drawn:
    """Return a picture that was signed."""
    return draw(services, art(50))


def art(number: int) -> Image.Image:
    """Return one of many different drawings."""
    return Image.open(sorted(EXAMPLES.glob("*/*.png"))[number]).convert("RGB")


def file_of(image: Image.Image, kind: str = "PNG", **options: int) -> bytes:
    """Return an image as a file of somebody who keeps no metadata."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def test_a_manifest_that_holds_needs_no_search(drawn: Drawn) -> None:
    """The file as it was handed out speaks for itself."""
    found = drawn.verified(drawn.png)

    assert (found.credentials.state, found.recovered) == (State.UNTRUSTED, None)
    assert found.summary == "Its Content Credentials are intact, signed by somebody unknown."
    assert "org.lawful-diffusion.generation" in str(found.manifest)


@pytest.mark.parametrize("change", ["same pixels", "JPEG", "smaller", "turned", "mirrored"])
def test_a_manifest_that_was_cut_off_is_recovered(drawn: Drawn, change: str) -> None:
    """The answer says how the picture was found, and never that these bytes are signed."""
    image = art(50)
    data = {
        "same pixels": lambda: file_of(image),
        "JPEG": lambda: file_of(image, "JPEG", quality=70),
        "smaller": lambda: file_of(image.resize((image.width * 3 // 4, image.height * 3 // 4))),
        "turned": lambda: file_of(image.rotate(90, expand=True), "JPEG"),
        "mirrored": lambda: file_of(ImageOps.mirror(image), "JPEG"),
    }[change]()

    found = drawn.verified(data)

    assert (found.credentials.state, found.manifest) == (State.ABSENT, {})
    assert found.recovered is not None
    assert (found.recovered.generation_id, found.recovered.number) == (drawn.generation_id, 0)
    assert found.recovered.by is (Trace.PIXELS if change == "same pixels" else Trace.NEAR)
    assert found.recovered.agreement
    assert found.recovered.agreement > 0.5
    assert found.recovered.manifest == drawn.verified(drawn.png).manifest
    assert "is not a signature of these bytes" in found.summary
    assert "intact" not in found.summary


def test_a_broken_manifest_is_looked_up_too(drawn: Drawn) -> None:
    """Bytes that were changed after signing are invalid, and the picture is found all the same."""
    data = bytearray(drawn.png)
    data[data.index(b"stub")] ^= 1  # the model that is named in it

    found = drawn.verified(bytes(data))

    assert found.credentials.state is State.INVALID
    assert found.recovered
    assert found.recovered.by is Trace.PIXELS
    assert found.recovered.credentials.state is State.UNTRUSTED


def test_a_picture_that_a_stranger_signed_is_found(drawn: Drawn) -> None:
    """Anybody can sign over a picture of ours: it is said all the same which one it is."""
    claim = GenerationClaim(model="other", revision="r", prompt="mine", seed=1)
    data = sign(file_of(art(50), "JPEG", quality=80), "image/jpeg", claim, development()[0])

    found = drawn.verified(data)

    assert found.credentials.state is State.UNTRUSTED
    assert found.recovered
    assert (found.recovered.generation_id, found.recovered.by) == (drawn.generation_id, Trace.NEAR)
    assert found.summary.startswith(
        "Its Content Credentials are intact, signed by somebody unknown"
    )
    assert "is not a signature of these bytes" in found.summary


def test_a_picture_that_was_not_signed(services: Services) -> None:
    """It is known again, and there is no manifest to give back."""
    drawn = draw(services, art(51), is_signed=False)

    found = drawn.verified(drawn.png)

    assert found.recovered
    assert (found.recovered.by, found.recovered.manifest) == (Trace.BYTES, {})
    assert "That picture has no manifest" in found.summary


def test_what_is_none_of_ours(drawn: Drawn) -> None:
    """A stranger's picture is not claimed, and neither is one of another tenant."""
    assert drawn.verified(file_of(art(100))).recovered is None
    assert "does not prove that it shows none" in drawn.verified(file_of(art(100))).summary
    strangers = drawn.verified(manifest_image())
    assert (strangers.credentials.state, strangers.recovered) == (State.UNTRUSTED, None)
    with tenants.within("other"):
        assert drawn.verified(file_of(art(50))).recovered is None


def test_a_file_that_went_away_leaves_the_record(services: Services) -> None:
    """The same pixels are still known; what only the file could show is not said."""
    drawn = draw(services, art(52))
    services.store.forget_generated(drawn.generation_id)

    found = drawn.verified(file_of(art(52)))
    assert found.recovered
    assert found.recovered.manifest == {}
    assert drawn.verified(file_of(art(52), "JPEG", quality=70)).recovered is None


@pytest.mark.parametrize(
    "data",
    [b"", b"jumb", b"\x89PNG\r\n\x1a\n", signed()[:900], b"jumb" * 2**18],
    ids=["nothing", "a box", "a head", "torn", "many boxes"],
)
def test_hostile_bytes_are_refused(drawn: Drawn, data: bytes) -> None:
    """What is no image is said to be none."""
    with pytest.raises(BadImage):
        drawn.verified(data)


def test_a_cancelled_request_leaves_nothing(services: Services) -> None:
    """Pictures that were not handed out are not recorded."""
    generation_id = ask(services, ImageRequest("a boat", seed=7))
    with services.sessions.begin() as session:
        queries.cancel_generation(session, generation_id)
        traces = [queries.Drawn(0, "0" * 64, "0" * 64, "0" * 16)]
        queries.keep_result(session, generation_id, {}, traces)
    with services.sessions() as session:
        assert queries.drawn_with(session, sha256="0" * 64, pixel_sha256="0" * 64) is None


def test_the_doors_say_the_same(ingested: Settings) -> None:
    """Route and command answer alike; what is no image is a problem that says so."""
    with local_client(create_app(settings(ingested.home))) as client:
        job = client.post("/v1/generations", json={"prompt": "a red boat", "seed": 7}).json()
        where = f"/v1/generations/{job['id']}"
        wait_until(lambda: client.get(where).json()["status"] == "done")
        data = client.get(f"{where}/images/0").content
        answer = client.post("/v1/credentials/verify", files={"image": ("a.png", data)})
        broken = client.post("/v1/credentials/verify", files={"image": ("a.png", b"jumb")})
    file = ingested.home / "a.png"
    file.write_bytes(data)
    environment = {"LAWFUL_HOME": str(ingested.home), "LAWFUL_PROFILE": "stub"}
    words = ["verify", str(file)]
    run = CliRunner().invoke
    said = run(app, words, env=environment, catch_exceptions=False).stdout
    printed = run(app, [*words, "--json"], env=environment, catch_exceptions=False).stdout

    assert answer.json()["recovered"]["generation"] == job["id"]
    assert answer.json()["recovered"]["by"] == "bytes"
    assert answer.json()["manifest"] is None
    assert broken.status_code == 422
    assert json.loads(printed) == {"file": str(file), **answer.json()}
    assert answer.json()["summary"] in said
