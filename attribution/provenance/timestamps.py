"""Timestamps of authorities (RFC 3161): that something was there at a time, by another's word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from attribution.config import Settings
from attribution.errors import BackendUnavailable, BadInput
from attribution.provenance.keys import certificates

PATIENCE_S = 20.0


@dataclass(frozen=True)
class TimestampAuthority:
    """Who is asked for the time, and whose certificates vouch for its answers."""

    url: str
    roots: Sequence[x509.Certificate]

    @property
    def pem(self) -> str:
        """The roots, as one PEM text."""
        return b"".join(one.public_bytes(Encoding.PEM) for one in self.roots).decode()

    def failed(self, why: str) -> BackendUnavailable:
        """Return what to raise where no answer of it holds."""
        return BackendUnavailable(
            f"the timestamp authority LAWFUL_TIMESTAMP_URL={self.url} gave no timestamp that "
            f"holds: {why}"
        )


def load_authority(settings: Settings) -> TimestampAuthority | None:
    """Return the authority of the settings, None for none; raises BadInput without its roots."""
    if not settings.timestamp_url:
        return None
    if settings.timestamp_roots is None:
        raise BadInput(
            "LAWFUL_TIMESTAMP_URL is set without LAWFUL_TIMESTAMP_ROOTS; give the PEM file with "
            "the root certificate that the timestamp authority publishes"
        )
    roots = certificates(settings.timestamp_roots, "LAWFUL_TIMESTAMP_ROOTS")
    return TimestampAuthority(settings.timestamp_url, roots)


def fetch_timestamp(data: bytes, authority: TimestampAuthority) -> bytes:
    """Have an authority say that something is there now; returns its checked answer.

    Raises BackendUnavailable where it gives none that holds.
    """
    import httpx
    from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

    request = (
        TimestampRequestBuilder()
        .data(data)
        .hash_algorithm(HashAlgorithm.SHA256)
        .cert_request(cert_request=True)
        .build()
    )
    kind = {"content-type": "application/timestamp-query"}
    try:
        answer = httpx.post(
            authority.url, content=request.as_bytes(), headers=kind, timeout=PATIENCE_S
        )
        answer.raise_for_status()
        _check(answer.content, data, authority.roots, nonce=request.nonce)
    except (httpx.HTTPError, httpx.InvalidURL, BadInput) as error:
        raise authority.failed(f"{error}; try again, or make the pack without one") from None
    return answer.content


def read_timestamp(answer: bytes, data: bytes, roots: Sequence[x509.Certificate]) -> datetime:
    """Return when an authority saw something; raises BadInput for an answer that does not hold."""
    return _check(answer, data, roots, nonce=None)


def _check(
    answer: bytes, data: bytes, roots: Sequence[x509.Certificate], *, nonce: int | None
) -> datetime:
    from rfc3161_client import VerificationError, VerifierBuilder, decode_timestamp_response

    try:
        stamp = decode_timestamp_response(answer)
        VerifierBuilder(roots=list(roots), nonce=nonce).build().verify_message(stamp, data)
    except (VerificationError, ValueError) as error:
        raise BadInput(f"the timestamp does not hold: {error}") from None
    return stamp.tst_info.gen_time
