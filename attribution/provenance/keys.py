"""The operator's certificates and key: loaded once, and refused before anything is generated."""

from __future__ import annotations

import pkgutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from attribution.config import Settings
from attribution.errors import BadInput

CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
LARGEST_BYTES = 2**20  # of a file of keys or certificates


class Sign(Protocol):
    """Signs bytes with the key of the certificate, wherever it is: an HSM, a KMS, a file."""

    def __call__(self, data: bytes, /) -> bytes:
        """Return the signature: ECDSA as DER or r‖s, RSA as PSS, Ed25519 as it is."""
        ...


@dataclass(frozen=True)
class Signer:
    """Who signs: a chain of certificates as PEM, its own first, and the key or what holds it."""

    chain: str
    algorithm: str  # of COSE, in small letters
    key: bytes | Sign = field(repr=False)  # PEM, or what signs with it


def load_signer(settings: Settings, *, now: datetime | None = None) -> Signer | None:
    """Load what signs generated images, None where the settings name nothing; raises BadInput.

    `now` is when it has to be valid.
    """
    if settings.sign_cert is None:
        if settings.sign_key or settings.sign_callback:
            raise BadInput("LAWFUL_SIGN_CERT is missing: a key signs only with its certificate")
        return None
    chain = certificates(settings.sign_cert, "LAWFUL_SIGN_CERT")
    _check_dates(chain, settings.sign_cert, now or datetime.now(UTC))
    public = chain[0].public_key()
    algorithm = _algorithm(public, settings.sign_cert)
    pem = b"".join(one.public_bytes(Encoding.PEM) for one in chain).decode()
    if settings.sign_callback:
        if settings.sign_key:
            raise BadInput("LAWFUL_SIGN_KEY and LAWFUL_SIGN_CALLBACK are both set; leave one out")
        return Signer(pem, algorithm, _resolve(settings.sign_callback))
    if settings.sign_key is None:
        raise BadInput(
            "LAWFUL_SIGN_CERT is set without a key; set LAWFUL_SIGN_KEY or LAWFUL_SIGN_CALLBACK"
        )
    return Signer(pem, algorithm, _key(settings.sign_key, public))


def load_trust_anchors(path: Path | None, setting: str) -> str:
    """Return the certificates of a PEM file, "" for no file; raises BadInput."""
    if path is None:
        return ""
    anchors = certificates(path, setting)
    return b"".join(one.public_bytes(Encoding.PEM) for one in anchors).decode()


def _read(path: Path, setting: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(LARGEST_BYTES)
    except OSError as error:
        raise BadInput(f"{setting}={path} cannot be read: {error.strerror}") from None


def certificates(path: Path, setting: str) -> Sequence[x509.Certificate]:
    """Return the certificates of a PEM file; raises BadInput, which names the setting."""
    try:
        return x509.load_pem_x509_certificates(_read(path, setting))
    except ValueError:
        raise BadInput(
            f"{setting}={path} has no certificates that can be read; give a PEM file, "
            f"-----BEGIN CERTIFICATE-----"
        ) from None


def _check_dates(chain: Sequence[x509.Certificate], path: Path, now: datetime) -> None:
    for one in chain:
        name = one.subject.rfc4514_string()
        if now > one.not_valid_after_utc:
            raise BadInput(
                f"LAWFUL_SIGN_CERT={path}: the certificate {name} has expired on "
                f"{one.not_valid_after_utc:%Y-%m-%d}; renew it"
            )
        if now < one.not_valid_before_utc:
            raise BadInput(
                f"LAWFUL_SIGN_CERT={path}: the certificate {name} is valid from "
                f"{one.not_valid_before_utc:%Y-%m-%d} on; is the clock right?"
            )


def _algorithm(key: object, path: Path) -> str:
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in CURVES:
        return CURVES[key.curve.name]
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= 2048:
        return "ps256"
    if isinstance(key, ed25519.Ed25519PublicKey):
        return "ed25519"
    raise BadInput(
        f"LAWFUL_SIGN_CERT={path}: C2PA signs with EC keys on P-256, P-384 or P-521, RSA keys of "
        f"2048 bits or more, and Ed25519, not with this one"
    )


def _resolve(name: str) -> Sign:
    try:
        found = pkgutil.resolve_name(name)
    except (ImportError, AttributeError, ValueError) as error:
        raise BadInput(
            f"LAWFUL_SIGN_CALLBACK={name}: {error}; name a function that can be imported, "
            f"package.module:function"
        ) from None
    if not callable(found):
        raise BadInput(f"LAWFUL_SIGN_CALLBACK={name} is not a function")
    return found  # type: ignore[no-any-return]


def _key(path: Path, public: object) -> bytes:
    """Return a private key as c2pa takes it, whatever form of PEM it has in its file."""
    try:
        key = load_pem_private_key(_read(path, "LAWFUL_SIGN_KEY"), password=None)
    except TypeError:
        raise BadInput(
            f"LAWFUL_SIGN_KEY={path} is encrypted; decrypt it into a file that only this user "
            f"reads, or sign with LAWFUL_SIGN_CALLBACK"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise BadInput(f"LAWFUL_SIGN_KEY={path} has no private key in PEM") from None
    if key.public_key() != public:
        raise BadInput(
            f"LAWFUL_SIGN_KEY={path} is not the key of the first certificate in LAWFUL_SIGN_CERT"
        )
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
