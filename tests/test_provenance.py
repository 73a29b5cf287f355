"""Signing: which keys are taken, what a claim says, and who else can verify it."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID

from attribution.answers import Attribution, Candidate, Evidence, Searched, Verdict
from attribution.errors import BackendUnavailable, BadInput, Conflict
from attribution.images import State, read_credentials
from attribution.images.manifests import PURPOSES
from attribution.provenance import (
    GenerationClaim,
    Signer,
    load_signer,
    load_trust_anchors,
    sign,
)
from attribution.provenance.development import make_development_chain
from attribution.provenance.keys import certificates
from attribution.provenance.timestamps import TimestampAuthority
from tests.authorities import Authority, authority
from tests.portfolios import wait_until
from tests.signing import (
    FORMATS,
    Key,
    development,
    image_bytes,
    signed,
    signing_settings,
    write_chain,
)

INDEPENDENT = """
import io, json, sys, c2pa
with c2pa.Reader(sys.argv[1], io.BytesIO(sys.stdin.buffer.read())) as reader:
    print(json.dumps([reader.get_validation_state(), reader.get_active_manifest()]))
"""
ANSWER = Attribution(
    id=UUID(int=1),
    created_at=datetime(2026, 11, 25, tzinfo=UTC),
    image_sha256="ab" * 32,
    verdict=Verdict.CANDIDATES,
    copy_of=None,
    artists=(
        Candidate(
            "ann",
            "Ann Örn",
            0.5,
            {},
            (Evidence(UUID(int=2), "Sea", {"clip": 0.7}),),
            probability=0.4,
        ),
    ),
    searched=Searched(12, 3, "stub", "f" * 64),
    notes=(),
)
CLAIM = GenerationClaim("toy", "r1", "a boat", 7)


def independent(data: bytes, kind: str) -> tuple[str, dict[str, Any]]:
    """Return state and manifest as c2pa's own reader sees them, without any of our code."""
    done = subprocess.run(
        [sys.executable, "-c", INDEPENDENT, f"image/{kind.lower()}"],
        input=data,
        capture_output=True,
        check=True,
    )
    state, manifest = json.loads(done.stdout)
    return state, manifest


@pytest.mark.parametrize("kind", FORMATS)
def test_others_can_verify_what_we_sign(kind: str) -> None:
    """c2pa's reader, in a process that knows nothing of ours, finds the signature intact."""
    state, manifest = independent(signed(kind, attribution=ANSWER), kind)

    assert state == "Valid"  # intact; whom to trust is the reader's business
    (ingredient,) = manifest["ingredients"]
    assert (ingredient["title"], ingredient["relationship"]) == ("toy", "inputTo")
    said = {one["label"]: one["data"] for one in manifest["assertions"]}
    (created,) = said["c2pa.actions.v2"]["actions"]
    assert created["action"] == "c2pa.created"
    assert created["digitalSourceType"].endswith("/trainedAlgorithmicMedia")
    assert said["org.lawful-diffusion.generation"] == {
        "model": "toy",
        "revision": "r1",
        "seed": 7,
        "prompt_sha256": hashlib.sha256(b"a boat").hexdigest(),
    }
    resembled = said["org.lawful-diffusion.attribution"]
    assert "neither their consent nor their endorsement" in resembled.pop("meaning")
    assert resembled == {
        "attribution": str(UUID(int=1)),
        "verdict": "candidates",
        "searched": {
            "works": 12,
            "artists": 3,
            "profile": "stub",
            "fingerprint": "f" * 64,
            "points": None,
        },
        "artists": [
            {
                "name": "Ann Örn",
                "slug": "ann",
                "share": 0.5,
                "probability": 0.4,
                "works": [{"id": str(UUID(int=2)), "title": "Sea", "similarity": {"clip": 0.7}}],
            }
        ],
    }
    uses = {one["use"] for one in said["cawg.training-mining"]["entries"].values()}
    assert uses == {"notAllowed"}


@pytest.mark.parametrize("kind", FORMATS)
def test_signing_leaves_the_picture_alone(kind: str) -> None:
    """The pixels of a signed image are those of the unsigned one."""
    from attribution.images import read_image

    facts = [read_image(data).facts for data in (signed(kind), image_bytes(kind))]
    assert facts[0].pixel_sha256 == facts[1].pixel_sha256
    assert [one.credentials.state for one in facts] == [State.UNTRUSTED, State.ABSENT]


def stamped(ours: Authority, *, url: str | None = None, signer: Signer | None = None) -> bytes:
    """Return an image that was signed at a time that an authority tells."""
    asked = TimestampAuthority(url or ours.url, certificates(ours.root, "roots"))
    return sign(image_bytes(), "image/png", CLAIM, signer or development()[0], asked)


def test_an_authority_tells_when_it_was_signed(tmp_path: Path) -> None:
    """The time is trusted where a root vouches for it, and that root vouches for no signer."""
    before = datetime.now(UTC).replace(microsecond=0)
    with authority(tmp_path) as ours:
        data = stamped(ours)
    times, signers = ours.root.read_text(), development()[1]

    found = read_credentials(data, signers, times)
    assert (found.state, found.is_time_trusted) == (State.VALID, True)
    assert before <= datetime.fromisoformat(str(found.signed_at)) <= datetime.now(UTC)
    assert "by the word of a trusted timestamp authority" in found.notes[0]
    unknown = read_credentials(data, signers)
    assert (unknown.state, unknown.is_time_trusted) == (State.VALID, False)
    assert "by the word of an unknown timestamp authority" in unknown.notes[0]
    assert read_credentials(data, timestamp_roots=times + signers).state is State.UNTRUSTED
    assert read_credentials(signed(), signers, times).signed_at is None


def test_a_signature_with_a_trusted_time_outlives_its_certificate(tmp_path: Path) -> None:
    """After its certificate has expired it is valid for those who trust the time, and no others."""
    key = ec.generate_private_key(ec.SECP256R1())
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
    write_chain(tmp_path, key, until=until)
    signer = load_signer(signing_settings(tmp_path))
    with authority(tmp_path) as ours:
        data = stamped(ours, signer=signer)
    wait_until(lambda: datetime.now(UTC) > until + timedelta(seconds=1))

    trusting = read_credentials(data, timestamp_roots=ours.root.read_text())
    assert (trusting.state, trusting.is_time_trusted) == (State.UNTRUSTED, True)
    assert read_credentials(data).state is State.INVALID
    assert "signingCredential.expired" in str(read_credentials(data).reason)


def test_an_authority_that_fails_is_named(tmp_path: Path) -> None:
    """No answer, an answer that is none, and a time that the own roots do not vouch for."""
    (tmp_path / "other").mkdir()
    foreign = pytest.raises(BackendUnavailable, match=r"LAWFUL_TIMESTAMP_ROOTS does not vouch")
    with authority(tmp_path) as ours, authority(tmp_path / "other") as other, foreign:
        stamped(ours, url=other.url)
    with pytest.raises(BackendUnavailable, match="error sending request"):
        stamped(ours)
    refused = pytest.raises(BackendUnavailable, match="leaving the setting out")
    with authority(tmp_path, says=b"no") as ours, refused:
        stamped(ours)


def test_the_prompt_is_said_only_on_request() -> None:
    """A prompt may hold a secret: without the setting only its hash is in the file."""
    assert b"a boat" not in signed()
    assert b"a boat" in signed(reveal_prompt=True)


@pytest.mark.parametrize("prompt", ["", "лодка 舟 🛶", "boat " * 10_000, "no text: \udcff"])
def test_any_prompt_can_be_signed(prompt: str) -> None:
    """Empty, of any script, very long, or with bytes that a shell passed on."""
    for reveal in (False, True):
        assert read_credentials(signed(prompt=prompt, reveal_prompt=reveal)).state == "untrusted"


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.SECP384R1()),
        ec.generate_private_key(ec.SECP521R1()),
        rsa.generate_private_key(65537, 2048),
        ed25519.Ed25519PrivateKey.generate(),
    ],
    ids=["P-256", "P-384", "P-521", "RSA", "Ed25519"],
)
def test_every_kind_of_key_signs(key: Key, tmp_path: Path) -> None:
    """The algorithm follows from the certificate; each is verified afterwards."""
    write_chain(tmp_path, key)
    signer = load_signer(signing_settings(tmp_path))
    assert signer is not None

    assert independent(sign(image_bytes(), "image/png", CLAIM, signer), "PNG")[0] == "Valid"


def test_keys_in_the_older_form_of_openssl(tmp_path: Path) -> None:
    """`openssl ecparam -genkey` writes another PEM than c2pa reads; both sign."""
    key = ec.generate_private_key(ec.SECP256R1())
    write_chain(tmp_path, key)
    old = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    (tmp_path / "key.pem").write_bytes(old)
    signer = load_signer(signing_settings(tmp_path))
    assert signer is not None
    assert read_credentials(sign(image_bytes(), "image/png", CLAIM, signer)).state == "untrusted"


def calling(data: bytes) -> bytes:
    """Sign as an HSM would, somewhere else."""
    key = load_pem_private_key(cast("bytes", development()[0].key), None)
    return cast("ec.EllipticCurvePrivateKey", key).sign(data, ec.ECDSA(hashes.SHA256()))


def test_a_function_signs_in_place_of_a_key_file(tmp_path: Path) -> None:
    """The key may stay in an HSM or a KMS: a setting names the function that asks it."""
    (tmp_path / "chain.pem").write_text(development()[0].chain)
    settings = signing_settings(
        tmp_path, sign_key=None, sign_callback="tests.test_provenance:calling"
    )
    signer = load_signer(settings)
    assert signer is not None
    data = sign(image_bytes(), "image/png", CLAIM, signer)
    assert read_credentials(data, development()[1]).state is State.VALID


def test_a_key_holder_that_fails_says_why() -> None:
    """What a KMS raises comes out, as something that is worth another try."""

    def down(data: bytes, /) -> bytes:
        raise ConnectionError(f"no answer for {len(data) > 0}")

    signer = Signer(development()[0].chain, "es256", down)
    with pytest.raises(BackendUnavailable, match="no answer for True"):
        sign(image_bytes(), "image/png", CLAIM, signer)


def test_a_signature_of_another_key_never_leaves() -> None:
    """A function that signs with the wrong key is found out before the image is handed on."""
    other = ec.generate_private_key(ec.SECP256R1())
    signer = Signer(
        development()[0].chain, "es256", lambda data: other.sign(data, ec.ECDSA(hashes.SHA256()))
    )
    with pytest.raises(BadInput, match="does not match"):
        sign(image_bytes(), "image/png", CLAIM, signer)


def test_formats_that_are_not_signed() -> None:
    """Another format is refused by name."""
    with pytest.raises(BadInput, match="image/bmp is not signed; known: image/png"):
        sign(image_bytes("BMP"), "image/bmp", CLAIM, development()[0])


def test_nothing_set_signs_nothing() -> None:
    """Without a certificate images go out unsigned."""
    assert load_signer(signing_settings(Path(), sign_cert=None, sign_key=None)) is None


def test_bad_keys_are_refused_before_anything_is_made(tmp_path: Path) -> None:
    """Missing, wrong, foreign, encrypted: each is told with its file and what to do."""
    make_development_chain(tmp_path, days=30)
    other = tmp_path / "other"
    make_development_chain(other, days=30)
    secret = load_pem_private_key((tmp_path / "key.pem").read_bytes(), None)
    (tmp_path / "locked.pem").write_bytes(
        secret.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
    )
    (tmp_path / "text.pem").write_text("no key")
    missing = tmp_path / "nowhere.pem"

    for settings, reason in (
        ({"sign_cert": missing}, "LAWFUL_SIGN_CERT=.*nowhere.pem cannot be read: No such file"),
        ({"sign_cert": tmp_path / "text.pem"}, "has no certificates"),
        ({"sign_cert": None}, "LAWFUL_SIGN_CERT is missing"),
        ({"sign_key": missing}, "LAWFUL_SIGN_KEY=.*nowhere.pem cannot be read"),
        ({"sign_key": tmp_path / "text.pem"}, "text.pem has no private key"),
        ({"sign_key": tmp_path / "locked.pem"}, "locked.pem is encrypted"),
        ({"sign_key": other / "key.pem"}, "is not the key of the first certificate"),
        ({"sign_key": None}, "set without a key"),
        ({"sign_callback": "os:getcwd"}, "both set"),
        ({"sign_key": None, "sign_callback": "nowhere:sign"}, "No module named 'nowhere'"),
        ({"sign_key": None, "sign_callback": "os:sep"}, "is not a function"),
    ):
        with pytest.raises(BadInput, match=reason):
            load_signer(signing_settings(tmp_path, **settings))
    with pytest.raises(BadInput, match=r"LAWFUL_TRUST_ANCHORS=.*has no certificates"):
        load_trust_anchors(tmp_path / "text.pem", "LAWFUL_TRUST_ANCHORS")


def test_certificates_have_their_time(tmp_path: Path) -> None:
    """One that has expired, or is not valid yet, is refused with its date."""
    make_development_chain(tmp_path, days=30)
    settings, now = signing_settings(tmp_path), datetime.now(UTC)

    assert load_signer(settings, now=now + timedelta(days=29)) is not None
    with pytest.raises(BadInput, match="has expired on 20"):
        load_signer(settings, now=now + timedelta(days=31))
    with pytest.raises(BadInput, match="is valid from 20"):
        load_signer(settings, now=now - timedelta(days=1))


def test_keys_that_c2pa_does_not_know(tmp_path: Path) -> None:
    """A curve or a length outside C2PA is refused by the certificate's file."""
    write_chain(tmp_path, ec.generate_private_key(ec.SECP256K1()))
    with pytest.raises(BadInput, match=r"chain\.pem: C2PA signs with"):
        load_signer(signing_settings(tmp_path))


@pytest.mark.parametrize("purpose", PURPOSES)
def test_a_certificate_for_claims_or_documents_signs(purpose: str, tmp_path: Path) -> None:
    """What C2PA names is enough, without emailProtection, and a trust anchor vouches for it."""
    key = ec.generate_private_key(ec.SECP256R1())
    write_chain(tmp_path, key, purpose=x509.ObjectIdentifier(purpose))
    signer = load_signer(signing_settings(tmp_path))
    assert signer

    data = sign(image_bytes(), "image/png", CLAIM, signer)

    known = (tmp_path / "root.pem").read_text()
    assert read_credentials(data, known).state is State.VALID
    assert read_credentials(data).state is State.UNTRUSTED


def test_a_certificate_for_something_else_does_not_sign(tmp_path: Path) -> None:
    """One for servers is refused, and the refusal says what it needs."""
    key = ec.generate_private_key(ec.SECP256R1())
    write_chain(tmp_path, key, purpose=ExtendedKeyUsageOID.SERVER_AUTH)
    signer = load_signer(signing_settings(tmp_path))
    assert signer is not None
    with pytest.raises(BadInput, match="extended one: emailProtection"):
        sign(image_bytes(), "image/png", CLAIM, signer)


def test_a_development_chain_is_marked_and_private(tmp_path: Path) -> None:
    """Its names warn, its key is for one user alone whatever the umask, nothing is overwritten."""
    before = os.umask(0)
    try:
        make_development_chain(tmp_path, days=30)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == 0o600
    files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(files) == {"chain.pem", "key.pem", "root.pem"}
    signer = load_signer(signing_settings(tmp_path))
    assert signer is not None
    data = sign(image_bytes(), "image/png", CLAIM, signer)
    assert "DEVELOPMENT ONLY" in str(read_credentials(data).signer)

    with pytest.raises(Conflict, match=r"key\.pem is there already"):
        make_development_chain(tmp_path, days=30)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == files


def test_a_development_chain_is_whole_or_not_there(tmp_path: Path) -> None:
    """Where the last file cannot be written, the first ones do not stay."""
    (tmp_path / "root.pem").write_text("mine")
    with pytest.raises(Conflict, match=r"root\.pem is there already"):
        make_development_chain(tmp_path, days=30)
    assert [path.name for path in tmp_path.iterdir()] == ["root.pem"]
    with pytest.raises(BadInput, match="cannot be written: Not a directory"):
        make_development_chain(tmp_path / "root.pem" / "deeper", days=30)
