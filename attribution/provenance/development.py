"""A chain of certificates to try signing with, marked as such in every name.

A root signs one certificate for signing (EC P-256, digitalSignature, emailProtection) and its key
is then forgotten: nobody can make another under it.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from attribution.errors import BadInput, Conflict

ORGANISATION = "DEVELOPMENT ONLY, nobody vouches for this"
CHAIN, KEY, ROOT = "chain.pem", "key.pem", "root.pem"


def make_development_chain(folder: Path, *, days: int) -> None:
    """Write chain.pem, key.pem (mode 0600) and root.pem into a folder, valid for so many days.

    Writes all of them or none. Raises Conflict where one of them is, BadInput where none can be.
    """
    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root = _certificate("Lawful Diffusion development root", root_key, root_key, days)
    own = _certificate("Lawful Diffusion development signer", key, root_key, days)
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    files = {
        KEY: (secret, 0o600),
        CHAIN: (own.public_bytes(Encoding.PEM) + root.public_bytes(Encoding.PEM), 0o644),
        ROOT: (root.public_bytes(Encoding.PEM), 0o644),
    }
    written: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, (data, mode) in files.items():
            # Opened with its mode, so that the key is nobody else's for no moment.
            handle = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            written.append(folder / name)
            with os.fdopen(handle, "wb") as file:
                file.write(data)
    except OSError as error:
        for path in written:
            path.unlink()
        if isinstance(error, FileExistsError):
            raise Conflict(
                f"{error.filename} is there already and is not overwritten; choose another --out"
            ) from None
        raise BadInput(f"{folder} cannot be written: {error.strerror}") from None


def _certificate(
    name: str, key: ec.EllipticCurvePrivateKey, issuer: ec.EllipticCurvePrivateKey, days: int
) -> x509.Certificate:
    """Certify a key: its own issuer is a root, any other a signer."""
    is_root, now = key is issuer, datetime.now(UTC)
    usage = x509.KeyUsage(
        digital_signature=not is_root,
        key_cert_sign=is_root,
        crl_sign=is_root,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name("Lawful Diffusion development root"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))  # clocks differ
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(is_root, 0 if is_root else None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key()), critical=False
        )
    )
    if not is_root:
        purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
        builder = builder.add_extension(purpose, critical=False)
    return builder.sign(issuer, hashes.SHA256())


def _name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, common),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANISATION),
        ]
    )
