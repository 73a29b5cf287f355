"""Makers of certificates, of signed images, and of images whose manifests say something."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from attribution.config import Settings
from attribution.provenance import GenerationClaim, Signer, load_signer, sign
from attribution.provenance.development import make_development_chain
from tests.portfolios import picture

Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
UNUSED = (  # key usages
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)
FORMATS = ("PNG", "JPEG", "WEBP")
NO_TRAINING = {"entries": {"cawg.ai_generative_training": {"use": "notAllowed"}}}


@cache
def development() -> tuple[Signer, str]:
    """Return a signer and, as PEM, the root that vouches for it."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        make_development_chain(folder, days=30)
        signer = load_signer(signing_settings(folder))
        assert signer is not None
        return signer, (folder / "root.pem").read_text()


def signing_settings(folder: Path, **others: Any) -> Settings:
    """Return the settings that sign with the files in a folder."""
    files = {"sign_cert": folder / "chain.pem", "sign_key": folder / "key.pem"}
    return Settings(**{**files, **others})


def image_bytes(kind: str = "PNG", seed: int = 1) -> bytes:
    """Return a small image as a file."""
    buffer = io.BytesIO()
    picture(seed).save(buffer, kind)
    return buffer.getvalue()


def signed(kind: str = "PNG", *, seed: int = 1, **claim: Any) -> bytes:
    """Return an image that this program has signed."""
    made = GenerationClaim(
        **{"model": "toy", "revision": "r1", "prompt": "a boat", "seed": 7, **claim}
    )
    return sign(image_bytes(kind, seed), f"image/{kind.lower()}", made, development()[0])


def manifest_image(
    *assertions: tuple[str, Mapping[str, Any]],
    parent: bytes | None = None,
    remote: str | None = None,
    embed: bool = True,
) -> bytes:
    """Return a PNG with a manifest of somebody else, which asserts this."""
    from c2pa import Builder, C2paSignerInfo
    from c2pa import Signer as NativeSigner

    signer, target = development()[0], io.BytesIO()
    info = C2paSignerInfo(b"es256", signer.chain.encode(), signer.key, None)
    kind = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"
    first = {"action": "c2pa.created", "digitalSourceType": kind}
    said = [("c2pa.actions.v2", {"actions": [first]}), *assertions]
    definition = {
        "claim_generator_info": [{"name": "Some\0Camera", "version": "1"}],
        "assertions": [{"label": label, "data": data} for label, data in said],
    }
    with (
        NativeSigner.from_info(info) as native,
        Builder.from_json(json.dumps(definition)) as builder,
    ):
        if parent is not None:
            ingredient = {"title": "before", "relationship": "componentOf"}
            builder.add_ingredient(json.dumps(ingredient), "image/png", io.BytesIO(parent))
        if remote is not None:
            builder.set_remote_url(remote)
        if not embed:
            builder.set_no_embed()
        builder.sign(native, "image/png", io.BytesIO(image_bytes(seed=2)), target)
    return target.getvalue()


def write_chain(
    folder: Path,
    key: Key,
    *,
    purpose: x509.ObjectIdentifier = ExtendedKeyUsageOID.EMAIL_PROTECTION,
    until: datetime | None = None,
) -> None:
    """Write chain.pem and key.pem for a key; their issuer, root.pem, is known to nobody."""
    issuer, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    no = dict.fromkeys(UNUSED, False)

    def issued(name: str, to: Key, *, ca: bool, usage: x509.KeyUsage) -> x509.CertificateBuilder:
        whose = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key())
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Nobody")]))
            .public_key(to.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(until or now + timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(to.public_key()), critical=False
            )
            .add_extension(whose, critical=False)
        )

    signs = x509.KeyUsage(digital_signature=True, **no)
    issues = x509.KeyUsage(digital_signature=False, **(no | {"key_cert_sign": True}))
    root = issued("Nobody", issuer, ca=True, usage=issues).sign(issuer, hashes.SHA256())
    (folder / "root.pem").write_bytes(root.public_bytes(Encoding.PEM))
    certificate = (
        issued("Ann", key, ca=False, usage=signs)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .sign(issuer, hashes.SHA256())
    )
    (folder / "chain.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "key.pem").write_bytes(secret)
