"""Timestamps of authorities (RFC 3161): that something was there at a time, by another's word."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509

from attribution.errors import BackendUnavailable, BadInput

PATIENCE_S = 20.0


def fetch_timestamp(data: bytes, url: str, roots: Sequence[x509.Certificate]) -> bytes:
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
        answer = httpx.post(url, content=request.as_bytes(), headers=kind, timeout=PATIENCE_S)
        answer.raise_for_status()
        _check(answer.content, data, roots, nonce=request.nonce)
    except (httpx.HTTPError, httpx.InvalidURL, BadInput) as error:
        raise BackendUnavailable(
            f"the timestamp authority LAWFUL_TIMESTAMP_URL={url} gave no timestamp that holds: "
            f"{error}; try again, or make the pack without one"
        ) from None
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
