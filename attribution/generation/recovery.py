"""What a file says of itself, and, where that is cut off, which picture of ours it shows.

A picture that was found again is told by what was found, never as a signature: the manifest was
signed for the file that was handed out, and not for the bytes that were asked about.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from PIL import Image

from attribution.catalogue import queries
from attribution.catalogue.models import DrawnPicture
from attribution.collection import Stores
from attribution.copies.hashes import hashes
from attribution.copies.sketch import Sketch, draw_question, draw_work
from attribution.copies.verification import Candidate, verify
from attribution.errors import NotFound
from attribution.generation.watermarks import Watermarker
from attribution.images import CheckedImage, Credentials, State, read_image
from attribution.images.ingredients import Ingredient, ingredients
from attribution.images.manifests import Report, active_manifest, read_manifests
from attribution.lookup.wording import quoted

MOST_COMPARED = 3  # pictures with a perceptual hash near that of the image: each is read
NOT_OURS = (
    "No picture that was drawn and is kept here was found in it, which does not prove that it "
    "shows none."
)
COPIED = (
    "A watermark can be put into another picture: compare the two before you rely on it, for what "
    "they show was not found to agree."
)
HOW_IT_WENT_IN = {  # by relationship, as C2PA calls it; models, "inputTo", bring nothing along
    "parentOf": "It says that it was made from",
    "componentOf": "It says that it contains",
}
BROUGHT = {
    State.VALID: "that has intact Content Credentials, and a trust anchor vouches for the signer",
    State.UNTRUSTED: "that has intact Content Credentials of somebody unknown",
    State.INVALID: "that has Content Credentials which do not hold",
    State.ABSENT: "that has no Content Credentials",
}
SAID = {
    State.VALID: "Its Content Credentials are intact, and a trust anchor vouches for the signer",
    State.UNTRUSTED: "Its Content Credentials are intact, signed by somebody unknown",
    State.INVALID: "Its Content Credentials do not belong to these bytes, or cannot be read",
    State.ABSENT: "It has no Content Credentials",
}


class Trace(StrEnum):
    """By what a picture was found again."""

    BYTES = "bytes"  # the very file
    PIXELS = "pixels"  # another file of the same pixels
    NEAR = "near"  # perceptual hashes are near, and the copy lane lays the image on the picture
    WATERMARK = "watermark"  # it holds the bits that were hidden in the picture; nothing compared


@dataclass(frozen=True)
class Recovered:
    """A picture that was drawn here, found for an image whose own manifest is gone or broken."""

    generation_id: UUID
    number: int
    drawn_at: datetime
    by: Trace
    agreement: float | None  # part of what can be compared that agrees, 0 to 1; None: unknown
    credentials: Credentials  # of the file that was handed out
    manifest: Mapping[str, Any]  # empty where that was not signed


@dataclass(frozen=True)
class Verified:
    """What is to be said of where an image comes from."""

    credentials: Credentials
    manifest: Mapping[str, Any]  # of the image itself; empty where there is none
    recovered: Recovered | None
    ingredients: tuple[Ingredient, ...] = ()  # what that manifest says went into it

    @property
    def summary(self) -> str:
        """Say it in sentences."""
        reason = self.credentials.reason
        said = f"{SAID[self.credentials.state]}{f' ({reason})' if reason else ''}."
        said = " ".join([said, *went_in(self.ingredients)])
        if self.recovered:
            return f"{said} {_found(self.recovered)}"
        is_intact = self.credentials.state in (State.VALID, State.UNTRUSTED)
        return said if is_intact else f"{said} {NOT_OURS}"


def went_in(parts: Iterable[Ingredient]) -> Iterator[str]:
    """Say of each image that went into another what it is, and how far that can be believed."""
    for one in parts:
        if how := HOW_IT_WENT_IN.get(one.relationship or ""):
            about = f" ({one.description})" if one.description else ""
            reason = f" ({one.reason})" if one.reason else ""
            signer = f", signed by {quoted(one.signer)}" if one.signer else ""
            name = f"{quoted(one.title or 'unnamed')}{about}"
            yield f"{how}: {name}; {BROUGHT[one.state]}{reason}{signer}."


def verify_credentials(stores: Stores, data: bytes, watermarker: Watermarker | None) -> Verified:
    """Verify what a file says of itself; unless a trusted signer does, look for our own picture.

    Anybody can sign over our picture: an unknown signer hides it no more than a cut does. The file
    that was handed out speaks for itself. Raises BadImage for what is no image that can be looked
    at, ModelUnavailable where the watermarker cannot be loaded.
    """
    report = _report(stores, data)
    credentials, manifest = Credentials.of(report), active_manifest(report)
    parts = ingredients(report)
    if credentials.state is State.VALID:
        return Verified(credentials, manifest, None, parts)
    image = read_image(data, stores.limits)
    found = _recover(stores, image) or _watermarked(stores, image, watermarker)
    if found and found.by is Trace.BYTES and credentials.state is State.UNTRUSTED:
        found = None
    return Verified(credentials, manifest, found, parts)


def _report(stores: Stores, data: bytes) -> Report:
    limits = stores.limits
    return read_manifests(data, limits.trust_anchors, limits.timestamp_roots)


def _recover(stores: Stores, image: CheckedImage) -> Recovered | None:
    facts, positions = image.facts, hashes(image.rgb)
    with stores.sessions() as session:
        row = queries.drawn_with(session, sha256=facts.sha256, pixel_sha256=facts.pixel_sha256)
        near = queries.drawn_near_hash(session, list(positions.values()), limit=MOST_COMPARED)
    if row is not None:
        by = Trace.BYTES if row.sha256 == facts.sha256 else Trace.PIXELS
        return _recovered(stores, row, by, 1.0)
    sketches = {one: sketch for one in near if (sketch := _sketch(_file(stores, one)))}
    works = [Candidate(sketch, one.phash) for one, sketch in sketches.items()]
    matches = verify(draw_question(image.rgb), positions, works)
    found = [
        (match.likeness.agreement, one)
        for match, one in zip(matches, sketches, strict=True)
        if match and match.kind
    ]
    if not found:
        return None
    agreement, row = max(found, key=lambda one: one[0])
    return _recovered(stores, row, Trace.NEAR, agreement)


def _watermarked(
    stores: Stores, image: CheckedImage, watermarker: Watermarker | None
) -> Recovered | None:
    """Return the picture whose watermark an image holds; bits that nobody drew lead nowhere."""
    payload = watermarker.read(image.rgb) if watermarker else None
    if payload is None:
        return None
    with stores.sessions() as session:
        row = queries.drawn_with_watermark(session, payload)
    return _recovered(stores, row, Trace.WATERMARK, None) if row else None


def _file(stores: Stores, row: DrawnPicture) -> bytes:
    """Return the file that was handed out, b"" where it is not kept any more."""
    try:
        return stores.store.generated(row.generation_id, row.number)
    except NotFound:
        return b""


def _sketch(png: bytes) -> Sketch | None:
    """Return what copies of a picture of ours are recognised by, None where it is not kept."""
    if not png:
        return None
    with Image.open(io.BytesIO(png), formats=("PNG",)) as picture:
        return Sketch.from_bytes(draw_work(picture.convert("RGB")))


def _recovered(stores: Stores, row: DrawnPicture, by: Trace, agreement: float | None) -> Recovered:
    report = _report(stores, _file(stores, row))
    with stores.sessions() as session:
        drawn_at = queries.generation_by_id(session, row.generation_id).created_at
    return Recovered(
        generation_id=row.generation_id,
        number=row.number,
        drawn_at=drawn_at,
        by=by,
        agreement=agreement,
        credentials=Credentials.of(report),
        manifest=active_manifest(report),
    )


def _found(found: Recovered) -> str:
    how = {
        Trace.BYTES: "has the very bytes",
        Trace.PIXELS: "has the pixels",
        Trace.NEAR: "is a near copy",
        Trace.WATERMARK: "holds the watermark",
    }[found.by]
    part = f" ({found.agreement:.0%} of what can be compared agrees)" if found.by == "near" else ""
    compared = f" {COPIED}" if found.by is Trace.WATERMARK else ""
    signed = (
        "The manifest that was signed for that picture is not a signature of these bytes."
        if found.manifest
        else "That picture has no manifest that could be given back."
    )
    return (
        f"It {how} of picture {found.number} of generation {found.generation_id}, which this "
        f"service drew on {found.drawn_at:%Y-%m-%d}{part}.{compared} {signed}"
    )
