"""Signs a generated image: its manifest goes into the file, and is verified before it leaves."""

from __future__ import annotations

import io
import json
from typing import Any

from attribution.errors import BackendUnavailable, BadInput
from attribution.images.credentials import Credentials
from attribution.images.manifests import trusting
from attribution.provenance.claim import GenerationClaim
from attribution.provenance.keys import Signer
from attribution.provenance.timestamps import TimestampAuthority

NO_TIME = "internal error ("  # how c2pa says that an authority did not answer as it should
WITHOUT = "try again, or sign without one by leaving the setting out"
SIGNABLE = ("image/png", "image/jpeg", "image/webp")
SETTINGS: dict[str, Any] = {
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_after_sign": True},
    "core": {"allowed_network_hosts": []},
    "builder": {"thumbnail": {"enabled": False}},  # the image is in the file already
}


def sign(
    image: bytes,
    media_type: str,
    claim: GenerationClaim,
    signer: Signer,
    authority: TimestampAuthority | None = None,
    *,
    trust_anchors: str = "",
) -> bytes:
    """Return the image with its Content Credentials, in the same format.

    An authority says when it was signed. For images that this program has made: bytes of strangers
    are parsed elsewhere. The manifests of the picture that it was made from are kept whether they
    hold or not, with what was found of them by `trust_anchors`, PEM; `read_manifests` has read them
    within its limits before. Raises BadInput for another format and for certificates that C2PA
    refuses, BackendUnavailable when what holds the key or tells the time does not answer.
    """
    if media_type not in SIGNABLE:
        raise BadInput(f"{media_type} is not signed; known: {', '.join(SIGNABLE)}")
    from c2pa import Builder, C2paError, Context

    signed, failures = io.BytesIO(), list[Exception]()
    settings = {**SETTINGS, **trusting(trust_anchors, authority.pem if authority else "")}
    try:
        with (
            _native(signer, authority, failures) as native,
            Context.from_dict(settings) as context,
            Builder.from_json(json.dumps(claim.manifest()), context=context) as builder,
        ):
            _keep_parent(builder, claim)
            builder.sign(native, media_type, io.BytesIO(image), signed)
    except C2paError as error:
        if failures:
            raise BackendUnavailable(f"what holds the signing key fails: {failures[0]}") from error
        if authority and NO_TIME in str(error):
            raise authority.failed(f"{error}; {WITHOUT}") from error
        raise BadInput(
            f"the image cannot be signed: {error}; the signer's certificate needs the key usage "
            f"digitalSignature and an extended one: emailProtection, documentSigning or "
            f"c2pa-kp-claimSigning"
        ) from error
    if authority and not _is_time_trusted(signed, media_type, settings):
        raise authority.failed(f"LAWFUL_TIMESTAMP_ROOTS does not vouch for it; {WITHOUT}")
    return signed.getvalue()


def _keep_parent(builder: Any, claim: GenerationClaim) -> None:
    """Take in the manifests of the picture that the image was made from, as they are."""
    from c2pa import C2paError

    if claim.parent is None or claim.parent.file is None:
        return
    ingredient = json.dumps(claim.parent_ingredient)
    try:
        builder.add_ingredient(ingredient, claim.parent.media_type, io.BytesIO(claim.parent.file))
    except C2paError as error:
        raise BadInput(
            f"the Content Credentials of the picture that was given cannot be kept: {error}; give "
            f"another picture"
        ) from error


def _is_time_trusted(signed: io.BytesIO, media_type: str, settings: dict[str, Any]) -> bool:
    from c2pa import Context, Reader

    with (
        Context.from_dict(settings) as context,
        Reader(media_type, signed, context=context) as reader,
    ):
        return Credentials.of(json.loads(reader.json())).is_time_trusted


def _native(signer: Signer, authority: TimestampAuthority | None, failures: list[Exception]) -> Any:
    """Return the signer as c2pa takes it; what its key holder raises is kept in `failures`.

    A key at hand is given to c2pa, which then reserves 1 KB for the signature, not 10 KB.
    """
    from c2pa import C2paSignerInfo, C2paSigningAlg
    from c2pa import Signer as NativeSigner

    key, url = signer.key, authority.url if authority else None
    if isinstance(key, bytes):
        where = url.encode() if url else None
        info = C2paSignerInfo(signer.algorithm.encode(), signer.chain.encode(), key, where)
        return NativeSigner.from_info(info)

    def call(data: bytes) -> bytes:
        try:
            return key(data)
        except Exception as error:  # noqa: BLE001  native code is above: it could only drop it
            failures.append(error)
            return b""

    algorithm = C2paSigningAlg[signer.algorithm.upper()]
    return NativeSigner.from_callback(call, algorithm, signer.chain, url)
