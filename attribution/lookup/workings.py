"""What an answer is computed from is kept beside it, so that the arithmetic can be done again.

The classifier is not kept, of which every withdrawal takes a part: its shares of the vote are.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import numpy as np
import rfc8785
from sqlalchemy.orm import Session

from attribution.answers import Attribution
from attribution.arithmetic.voting import named
from attribution.catalogue import queries
from attribution.catalogue.models import Workings
from attribution.lookup.recomputing import NUMBER, VERSION, vectors_of
from attribution.types import Vector
from attribution.voters.neighbours import NeighboursVoter
from attribution.voters.panel import Opinion

Json = dict[str, Any]


def workings(
    opinion: Opinion,
    *,
    lanes: Mapping[str, Sequence[str]],
    artists: Mapping[str, UUID],
    known_works: int,
    is_plain: bool,
    keeps_vectors: bool,
) -> bytes | None:
    """Return what an opinion was computed from, as RFC 8785 has it; None where nobody was asked.

    `lanes` are the spaces of content and of style, `artists` those who may be named, by slug,
    `known_works` are those of the first.
    """
    question = opinion.question
    if question is None:
        return None
    asked = named(opinion.ballots)
    made_of: Json = {
        "version": VERSION,
        "lanes": {name: list(spaces) for name, spaces in lanes.items()},
        "weights": dict(question.weights),
        "sizes": {str(artist): works for artist, works in question.sizes.items()},
        "neighbours": {
            space: [[str(hit.id), str(hit.artist_id), hit.score] for hit in hits]
            for space, hits in question.neighbours.items()
        },
        "ballots": [
            {
                "voter": ballot.voter,
                "is_calibrated": ballot.voter in opinion.calibrated_voters,
                # None: they come from the neighbours
                "shares": None
                if ballot.voter == NeighboursVoter.name
                else {
                    str(artist): ballot.shares[artist] for artist in asked & ballot.shares.keys()
                },
            }
            for ballot in opinion.ballots
        ],
        "artists": {slug: str(artist) for slug, artist in artists.items()},
        "known_works": known_works,
        "is_plain": is_plain,
        "vectors": text_of(question.vectors) if keeps_vectors else None,
    }
    return rfc8785.dumps(made_of)


def keep(
    session: Session, answer: Attribution, opinion: Opinion, made_of: bytes | None, days: int
) -> None:
    """Keep what an answer is computed from, in the transaction that records it."""
    if made_of is None:
        return
    numbers = opinion.calibration
    if numbers is not None:
        queries.keep_used_calibration(session, numbers.digest, numbers.voices, numbers.numbers)
    queries.keep_workings(
        session,
        answer.id,
        zlib.compress(made_of),
        calibration=numbers.digest if numbers else None,
        until=answer.created_at + timedelta(days=days),
    )


def kept(session: Session, answer: Attribution) -> Json | None:
    """Return all that an answer can be computed from again, as JSON values; None: it is not kept.

    The workings; the numbers of the calibration; and of the works that the answer shows the
    vectors, of those that are still registered and described by the same encoders.
    """
    row = queries.workings_of(session, answer.id)
    if row is None:
        return None
    numbers = queries.used_calibration(session, row.calibration) if row.calibration else None
    return {
        "workings": json.loads(zlib.decompress(row.data)),
        "calibration": numbers and {"voices": list(numbers.voices), "numbers": numbers.numbers},
        "vectors": {
            str(work): text_of(vectors) for work, vectors in _of_works(session, answer).items()
        },
    }


def kept_vectors(row: Workings) -> dict[str, Vector]:
    """Return the vectors of the image that an answer is about, by space: none if not kept."""
    found: dict[str, Vector] = vectors_of(json.loads(zlib.decompress(row.data))["vectors"] or {})
    return found


def _of_works(session: Session, answer: Attribution) -> Mapping[UUID, Mapping[str, Vector]]:
    live = queries.live_collection(session)
    if live is None or live.fingerprint != answer.searched.fingerprint:
        return {}
    ids = {work.id for artist in answer.artists for work in artist.works}
    return queries.kept_vectors(session, live.fingerprint, ids, live.dims)


def text_of(vectors: Mapping[str, Vector]) -> dict[str, str]:
    """Return vectors as text: float32, little endian, in base 64."""
    return {
        space: base64.b64encode(np.asarray(vector, NUMBER).tobytes()).decode()
        for space, vector in vectors.items()
    }
