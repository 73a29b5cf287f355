"""New works and the quota of their tenant: what has no room is refused one by one, with the reason.

Works that are known, and corrections of them, need no room.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import IO

from sqlalchemy.orm import Session

from attribution.catalogue import queries
from attribution.catalogue.models import ArtworkStatus
from attribution.catalogue.queries.tenants import Held
from attribution.collection import Stores
from attribution.errors import Conflict
from attribution.upkeep.quotas import Quota
from ingest.reading import Prepared


def within_quota(stores: Stores, files: Sequence[Prepared]) -> list[Prepared]:
    """Refuse those of some files that are new works without room; the first ones have it first."""
    quota = Quota.of(stores.settings)
    coming = [one.picture.sha256 for one in files if one.picture and one.refused is None]
    if not quota.is_set or not coming:
        return list(files)
    with stores.sessions() as session:
        held = queries.held(session)
        here = _here(session, coming)
    kept: list[Prepared] = []
    for one in files:
        if one.picture and one.refused is None and one.picture.sha256 not in here:
            if refusal := quota.refusal(held, one.picture.bytes):
                none = replace(one, picture=None, image=None, lacks_vectors=False, sketches={})
                kept.append(replace(none, refused=refusal))
                continue
            held = Held(held.works + 1, held.bytes + one.picture.bytes)
            here.add(one.picture.sha256)
        kept.append(one)
    return kept


def check_within(stores: Stores, session: Session, before: Held) -> None:
    """Raise Conflict where works that this transaction has added are more than the quota allows.

    Others have brought some at the same time: the row of the tenant, locked as works are counted,
    lets one after the other find that.
    """
    held = queries.held(session)
    if held.works <= before.works:
        return
    # Asked for the last one: with all others there, is there room for it?
    last = Held(held.works - 1, held.bytes)
    if refusal := Quota.of(stores.settings).refusal(last):
        raise Conflict(refusal)


def check_room(stores: Stores, file: IO[bytes], *, is_packed: bool) -> None:
    """Raise Conflict for an upload for which there is no room: an archive only where there is none.

    A single work that is known is let in, as it may be corrected.
    """
    quota = Quota.of(stores.settings)
    if not quota.is_set:
        return
    size = 0
    with stores.sessions() as session:
        held = queries.held(session)
        if not is_packed:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # any reader will do
            size = file.tell()
            file.seek(0)
            if _here(session, [sha256]):
                return
    if refusal := quota.refusal(held, size):
        raise Conflict(refusal)


def _here(session: Session, hashes: Sequence[str]) -> set[str]:
    """Return which of these works are held."""
    rows = queries.artworks_by_sha256(session, hashes)
    return {row.sha256 for row in rows if row.status is not ArtworkStatus.WITHDRAWN}
