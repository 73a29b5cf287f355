"""What the copy lane found, with what the catalogue knows of the works and of declarations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy.orm import Session

from attribution.answers import CopyKind, CopyMatch, DeclaredNonCopy
from attribution.catalogue import queries
from attribution.catalogue.models import ArtworkStatus
from attribution.copies.finder import FoundCopy


def laid_on(session: Session, found: FoundCopy | None) -> CopyMatch | None:
    """Say what is known of the work that an image lies on; None if it was withdrawn meanwhile."""
    if found is None or found.kind is None:
        return None
    work = queries.artworks_by_id(session, [found.work], status=ArtworkStatus.INDEXED).get(
        found.work
    )
    if work is None:
        return None
    claims = queries.claims_for(session, [work.id]).get(work.id, [])
    return CopyMatch(
        id=work.id,
        title=work.title,
        slug=work.artist.slug,
        name=work.artist.name,
        match=found.match,
        distance=found.distance,
        also_claimed_by=tuple(claim.artist.slug for claim in claims),
        overlap=found.overlap,
        kind=found.kind,
        agreement=found.agreement,
        content=found.content,
        sha256=work.sha256,
    )


def claimed(match: CopyMatch | None) -> tuple[CopyMatch | None, CopyMatch | None]:
    """Return the work that an image is a copy of, and the one that it is related to."""
    if match is not None and match.kind is CopyKind.NEAR_IDENTICAL:
        return None, match
    return match, None


def of_now(session: Session, declared: Sequence[DeclaredNonCopy]) -> tuple[DeclaredNonCopy, ...]:
    """Note which declarations have been revoked since an answer was given."""
    if not declared:
        return ()
    rows = queries.non_copies_by_id(session, [one.id for one in declared])
    revoked = {key: row.revoked for key, row in rows.items()}
    return tuple(
        replace(one, revoked_at=change.made_at, revoked_by=change.by)
        if (change := revoked.get(one.id))
        else one
        for one in declared
    )


def silenced(
    session: Session, findings: Sequence[FoundCopy], image_sha256: str
) -> tuple[DeclaredNonCopy, ...]:
    """Say what is not said of an image because of declarations, and who has declared that."""
    if not findings:
        return ()
    rows = queries.non_copies_by_id(session, [one.declared for one in findings if one.declared])
    told = []
    for found in findings:
        row = rows.get(found.declared) if found.declared else None
        match = laid_on(session, found)
        if row is None or match is None:  # withdrawn meanwhile
            continue
        told.append(
            DeclaredNonCopy(
                id=row.id,
                declared_at=row.declared.made_at,
                by=row.declared.by or "",
                reason=row.declared.reason,
                until=row.until,
                image_sha256=row.image_sha256,
                is_this_image=row.image_sha256 == image_sha256,
                would_be=match,
            )
        )
    return tuple(told)
