"""Content Credentials of images that come in: what they are worth, forbid and cost."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from attribution.catalogue import queries
from attribution.config import Settings
from attribution.errors import BadInput
from attribution.images import (
    Credentials,
    State,
    read_credentials,
    read_forbids,
    read_image,
    read_image_file,
)
from attribution.services import Services, open_services
from ingest.preview import preview
from ingest.sources import read_source
from tests.portfolios import ingest, picture
from tests.signing import FORMATS, NO_TRAINING, development, image_bytes, manifest_image, signed

TRAINING = "cawg.training-mining"


def credentials_of(data: bytes) -> Credentials:
    """Read, with the root of our signer as the trust anchor."""
    return read_credentials(data, development()[1])


@pytest.mark.parametrize("kind", FORMATS)
def test_our_own_credentials_are_read(kind: str) -> None:
    """Trust needs an anchor: without one an intact signature is untrusted."""
    found = credentials_of(signed(kind))

    assert (found.state, found.reason) == (State.VALID, None)
    assert found.source_type == "trainedAlgorithmicMedia"
    assert str(found.generator).startswith("Lawful Diffusion")
    assert found.forbids == {"train": "cawg.data_mining: notAllowed"}
    assert read_credentials(signed(kind)).state is State.UNTRUSTED
    assert credentials_of(image_bytes(kind)) == Credentials()


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("what", ["the picture", "the model", "the signature"])
def test_one_flipped_byte_fails(kind: str, what: str) -> None:
    """In the pixels, in what is claimed and in the signature alike."""
    data, plain = bytearray(signed(kind)), image_bytes(kind)
    at = {
        "the picture": len(data) - len(plain) // 2 if kind == "JPEG" else len(data) - 40,
        "the model": data.index(b"toy"),
        "the signature": data.index(b"\xf6\x58\x40") + 20,  # CBOR: nothing, then 64 bytes
    }[what]
    data[at] ^= 1

    found = credentials_of(bytes(data))

    assert found.state is State.INVALID
    assert found.reason
    assert "train" in found.forbids  # it may have said no before it was changed


# Reads a signed image with a byte flipped, again and again; prints where c2pa still trusts it.
FLIPS = """
import io, json, resource, sys, c2pa
resource.setrlimit(resource.RLIMIT_AS, (2**29, 2**29))
terms = json.loads(sys.stdin.buffer.readline())
data = sys.stdin.buffer.read()
def read(data):
    with c2pa.Context.from_dict(terms) as context:
        with c2pa.Reader("image/png", io.BytesIO(data), context=context) as reader:
            report = json.loads(reader.json())
    manifest = report.get("manifests", {}).get(report.get("active_manifest"), {})
    said = [manifest.get(key) for key in ("assertions", "claim_generator_info", "ingredients")]
    return report["validation_state"], said
whole, trusted, other = read(data), 0, []
for at in range(0, len(data), 11):
    flipped = bytearray(data)
    flipped[at] ^= 0x10
    try:
        state, said = read(bytes(flipped))
    except c2pa.C2paError:
        continue
    if state == "Trusted":
        trusted += 1
        if said != whole[1]:
            other.append(at)
print(json.dumps([whole[0], trusted, other]))
"""


def test_nothing_that_is_claimed_can_be_changed() -> None:
    """A flip that goes unnoticed, in padding or in the lengths of boxes, changes no claim."""
    data = signed()
    terms = json.dumps({"trust": {"user_anchors": development()[1]}})
    done = subprocess.run(
        [sys.executable, "-c", FLIPS],
        input=terms.encode() + b"\n" + data,
        capture_output=True,
        check=True,
    )
    whole, trusted, other = json.loads(done.stdout)

    assert (whole, other) == ("Trusted", [])
    assert trusted < len(data) / 11 / 3


def test_truncated_files_are_not_believed() -> None:
    """Wherever a signed file ends early, its credentials are not valid, and nothing breaks."""
    data = signed("JPEG")
    states = {credentials_of(data[: len(data) * part // 8]).state for part in range(8)}

    assert states <= {State.INVALID, State.ABSENT}


def boxes_within_boxes(depth: int) -> bytes:
    """Return nested JUMBF boxes, as deep as this."""
    described = b"\0\0\0\x1bjumd" + b"c2as\0\x11\0\x10\x80\0\0\xaa\0\x38\x9b\x71" + b"\x03a\0"
    each = 8 + len(described)
    sizes = (each * left for left in range(depth, 0, -1))
    return b"".join(struct.pack(">I", size) + b"jumb" + described for size in sizes)


def with_chunk(manifest: bytes) -> bytes:
    """Return a PNG with these bytes where its manifests should be."""
    plain, chunk = image_bytes(), b"caBX" + manifest
    crc = struct.pack(">I", zlib.crc32(chunk))
    return plain[:33] + struct.pack(">I", len(manifest)) + chunk + crc + plain[33:]


@pytest.mark.parametrize(
    "manifest",
    [b"jumb", b"\xff" * 100 + b"jumb", b"jumb" * 2**20, boxes_within_boxes(100_000)],
    ids=["short", "rubbish", "enormous", "nested"],
)
def test_hostile_manifests_are_invalid(manifest: bytes) -> None:
    """Short, endless or bottomless: the picture is read, its credentials are not believed."""
    found = read_image(with_chunk(manifest)).facts.credentials

    assert found.state is State.INVALID
    assert str(found.reason).startswith("cannot be read")


MEMORY = """
import resource, sys
from attribution.images import read_credentials
found = read_credentials(sys.stdin.buffer.read())
print(found.state, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory of a process")
def test_a_manifest_cannot_take_the_memory() -> None:
    """A text in 5 KB that claims to be 4 GiB long gets what the process may have, and no more."""
    data = bytearray(signed())
    at = data.index(b"jnotAllowed")  # CBOR: a text of ten bytes
    data[at : at + 9] = b"\x7b" + struct.pack(">Q", 2**32)
    done = subprocess.run(
        [sys.executable, "-c", MEMORY], input=bytes(data), capture_output=True, check=True
    )
    state, peak_mib = done.stdout.split()

    assert state == b"invalid"
    assert int(peak_mib) < 300


@contextmanager
def address() -> Iterator[tuple[str, list[str]]]:
    """Serve an address; yields it, and what was asked of it."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/m.c2pa", asked
        finally:
            server.shutdown()
            thread.join()


def test_remote_manifests_are_never_fetched() -> None:
    """Neither a lone address nor one beside something that looks like a manifest is asked."""
    import io

    from c2pa import C2paError, Reader

    with address() as (url, asked):
        data = manifest_image(remote=url, embed=False)
        for hostile in (data, data + b"jumb", manifest_image(remote=url)):
            found = read_image(hostile).facts.credentials
            assert asked == []
            assert found.state in {State.ABSENT, State.UNTRUSTED}
            assert "127.0.0.1" not in str(found)
        with pytest.raises(C2paError):
            Reader("image/png", io.BytesIO(data))
        assert asked == ["/m.c2pa"]  # which is what a reader does that nobody has told


@pytest.mark.parametrize(
    ("label", "entry", "use", "purpose"),
    [
        (TRAINING, "cawg.ai_training", "notAllowed", "train"),
        (TRAINING, "cawg.ai_generative_training", "constrained", "train"),
        (TRAINING, "cawg.data_mining", "notAllowed", "train"),
        (TRAINING, "cawg.ai_inference", "notAllowed", "generate"),
        ("c2pa.training-mining", "c2pa.ai_generative_training", "notAllowed", "train"),
        (TRAINING, "cawg.ai_training", "allowed", None),
    ],
)
def test_training_and_mining_assertions(
    label: str, entry: str, use: str, purpose: str | None
) -> None:
    """Both labels count; what is not plainly allowed is forbidden."""
    data = manifest_image((label, {"entries": {entry: {"use": use}}}))

    assert dict(credentials_of(data).forbids) == ({purpose: f"{entry}: {use}"} if purpose else {})
    assert read_forbids(data) == read_image(data).facts.forbids


def test_what_went_in_still_says_no() -> None:
    """An ingredient's no holds for the image that it went into, whatever that says itself."""
    inner = manifest_image((TRAINING, NO_TRAINING))
    yes = {"entries": {"cawg.ai_generative_training": {"use": "allowed"}}}

    found = credentials_of(manifest_image((TRAINING, yes), parent=inner))

    assert found.state is State.VALID
    assert found.forbids == {"train": "cawg.ai_generative_training: notAllowed"}


@pytest.mark.parametrize(
    "data", [{"entries": [1, 2]}, {"entries": {"cawg.ai_training": "no"}}, {"other": None}]
)
def test_odd_assertions_break_nothing(data: dict[str, Any]) -> None:
    """Assertions of any shape are read; what is unclear grants nothing."""
    found = credentials_of(manifest_image((TRAINING, data)))

    assert found.state is State.VALID
    assert found.generator == "Some Camera 1"  # the NUL in it is gone


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Give a collection of its own, with the torch-free encoder."""
    return Settings(home=tmp_path / "home", profile="stub")


@pytest.fixture
def services(settings: Settings) -> Iterator[Services]:
    """Open everything."""
    with open_services(settings) as opened:
        yield opened


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Write three works whose source allows training; one file says no, one was changed."""
    folder = tmp_path / "p" / "ann"
    folder.mkdir(parents=True)
    picture(5).save(folder / "plain.png")
    (folder / "signed.png").write_bytes(manifest_image((TRAINING, NO_TRAINING)))
    changed = bytearray(signed("JPEG", training="allowed", seed=3))
    changed[changed.index(b"toy")] ^= 1
    (folder / "changed.jpeg").write_bytes(changed)
    rows = ["file_name,consent_train,consent_generate"]
    rows += [f"{path.name},yes,yes" for path in sorted(folder.glob("*.*g"))]
    (folder / "metadata.csv").write_text("\n".join(rows))
    return folder.parent


def test_a_no_in_the_file_outweighs_a_yes_beside_it(services: Services, source: Path) -> None:
    """By default such works are found, so that they are protected, and never train anything."""
    summary = ingest(services, source)

    assert (summary.added, summary.refused) == (3, 0)
    with services.sessions() as session:
        works = {str(work.title): work for work in queries.list_artworks(session).items}
    assert {title: work.consent for title, work in works.items()} == {
        "plain": ("index", "display", "evidence", "train", "generate"),
        "signed": ("index", "display", "evidence", "generate"),
        "changed": ("index", "display", "evidence", "generate"),
    }
    assert works["signed"].facts["credentials"]["state"] == "untrusted"
    assert works["changed"].facts["credentials"]["state"] == "invalid"
    assert works["plain"].facts["credentials"] == {"state": "absent"}


def test_an_operator_may_refuse_what_says_no(tmp_path: Path, source: Path) -> None:
    """With LAWFUL_OPTED_OUT=refuse such works stay out, and a preview says so beforehand."""
    refusing = Settings(home=tmp_path / "home", profile="stub", opted_out="refuse")
    with open_services(refusing) as services:
        expected = preview(services, read_source(source))
        summary = ingest(services, source)
        count = services.index.count()

    assert (summary.added, summary.refused, count) == (1, 2, 1)
    reasons = {Path(one.path).name: str(one.reason) for one in summary.items if one.reason}
    said = "cawg.ai_generative_training: notAllowed"
    assert (
        reasons["signed.png"] == f"it says no to AI training ({said}), and LAWFUL_OPTED_OUT=refuse"
    )
    assert {one.reason for one in expected.items} == {one.reason for one in summary.items}


def test_answers_tell_the_state_of_the_credentials(services: Services, source: Path) -> None:
    """Who asks about an image learns what it says of itself, and whether to believe it."""
    ingest(services, source)
    answers = {
        path.stem: services.attributor.attribute(read_image_file(path, services.limits))
        for path in (source / "ann").glob("*.*g")
    }

    states = {name: answer.credentials for name, answer in answers.items()}
    assert states == {"plain": "absent", "signed": "untrusted", "changed": "invalid"}
    (note,) = [note for note in answers["signed"].notes if "Credentials" in note]
    assert note.startswith(
        "Content Credentials: untrusted, signed by “Lawful Diffusion development"
    )
    assert not [note for note in answers["plain"].notes if "Credentials" in note]
    assert services.attributor.recall(answers["signed"].id) == answers["signed"]


def test_trust_anchors_by_setting(tmp_path: Path, source: Path) -> None:
    """A root that is named makes its signers valid; a file that holds none is refused at once."""
    (tmp_path / "root.pem").write_text(development()[1])
    trusting = Settings(home=tmp_path / "home", profile="stub", trust_anchors=tmp_path / "root.pem")
    with open_services(trusting) as services:
        image = read_image_file(source / "ann" / "signed.png", services.limits)
    assert image.facts.credentials.state is State.VALID

    (tmp_path / "root.pem").write_text("nobody")
    with pytest.raises(BadInput, match="LAWFUL_TRUST_ANCHORS"), open_services(trusting):
        pass
