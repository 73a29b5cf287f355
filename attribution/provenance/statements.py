"""Statements signed with the key that signs generated images: JSON Web Signatures (RFC 7515).

The certificates go along (`x5c`), so that a stranger can check one with any JOSE library.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any

import rfc8785
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from attribution.errors import BackendUnavailable, BadInput
from attribution.provenance.keys import Signer

ALGORITHMS = {  # of JOSE, by that of COSE
    "es256": ("ES256", hashes.SHA256()),
    "es384": ("ES384", hashes.SHA384()),
    "es512": ("ES512", hashes.SHA512()),
    "ps256": ("PS256", hashes.SHA256()),
    "ed25519": ("Ed25519", None),
}
# What reading raises that is no statement, whatever else it is.
UNREADABLE = (
    *(UnsupportedAlgorithm, AttributeError, LookupError, RecursionError, TypeError, ValueError),
    x509.InvalidVersion,
)
LARGEST_HEADER = 2**16  # characters: a chain of certificates
NUMBER_BYTES = {"es256": 32, "es384": 48, "es512": 66}  # of each of the two in an ECDSA signature


def sign_statement(said: Mapping[str, Any], signer: Signer) -> str:
    """Return a compact JWS of a JSON object; raises BackendUnavailable when nothing signs."""
    chain = x509.load_pem_x509_certificates(signer.chain.encode())
    ders = [base64.b64encode(one.public_bytes(Encoding.DER)).decode() for one in chain]
    header = {"alg": ALGORITHMS[signer.algorithm][0], "x5c": ders}
    text = f"{_encoded(rfc8785.dumps(header))}.{_encoded(rfc8785.dumps(dict(said)))}"
    return f"{text}.{_encoded(_signature(text.encode(), signer))}"


def key_id(certificate: x509.Certificate) -> str:
    """Return the SHA-256 of the public key of a certificate (SubjectPublicKeyInfo, DER)."""
    key = certificate.public_key()
    return hashlib.sha256(
        key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    ).hexdigest()


def read_statement(statement: str) -> tuple[dict[str, Any], x509.Certificate]:
    """Check a statement; returns what it says, and the certificate that signed it.

    Whether that certificate is to be trusted is for the reader to say. Raises BadInput.
    """
    from joserfc import jws
    from joserfc.errors import JoseError
    from joserfc.jwk import ECKey, OKPKey, RSAKey

    try:
        head = json.loads(base64.urlsafe_b64decode(statement.split(".", maxsplit=1)[0] + "=="))
        signed_by = x509.load_der_x509_certificate(base64.b64decode(head["x5c"][0]))
        public = signed_by.public_key().public_bytes(
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        )
        kinds: dict[str, type[ECKey | RSAKey | OKPKey]]
        kinds = {"ES": ECKey, "PS": RSAKey, "Ed": OKPKey}
        rules = jws.JWSRegistry(algorithms=[name for name, _ in ALGORITHMS.values()])
        rules.max_header_length = LARGEST_HEADER
        key = kinds[head["alg"][:2]].import_key(public)
        found = jws.deserialize_compact(statement, key, registry=rules)
        said = json.loads(found.payload)
    except (*UNREADABLE, JoseError) as error:
        raise BadInput(f"this is no signed statement, or it was altered: {error}") from None
    if not isinstance(said, dict):
        raise BadInput("this is a signed text, but no statement of ours")
    return said, signed_by


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _signature(data: bytes, signer: Signer) -> bytes:
    """Sign as JOSE wants it: ECDSA as two numbers of fixed length."""
    if not isinstance(signer.key, bytes):
        try:
            made = signer.key(data)
        except Exception as error:  # whatever the operator's function raises
            raise BackendUnavailable(f"what holds the signing key fails: {error}") from error
    else:
        made = _by_key(data, load_pem_private_key(signer.key, None), signer.algorithm)
    length = NUMBER_BYTES.get(signer.algorithm)
    if length is None or len(made) == 2 * length:
        return made
    r, s = decode_dss_signature(made)
    return r.to_bytes(length) + s.to_bytes(length)


def _by_key(data: bytes, key: object, algorithm: str) -> bytes:
    digest = ALGORITHMS[algorithm][1]
    match key:
        case ec.EllipticCurvePrivateKey() if digest:
            return key.sign(data, ec.ECDSA(digest))
        case rsa.RSAPrivateKey() if digest:
            salt = padding.PSS(padding.MGF1(digest), digest.digest_size)
            return key.sign(data, salt, digest)
        case ed25519.Ed25519PrivateKey():
            return key.sign(data)
    raise BadInput(f"a key of {algorithm} signs no statements")
