"""What has become different since an answer was given, so that nobody takes it for one of today.

It explains and does not replay: what was withdrawn is gone, and works that have come since were not
asked. To know what the program says now, ask it again with the image.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from sqlalchemy.orm import Session

from attribution.answers import Attribution, Searched
from attribution.catalogue import queries
from attribution.catalogue.models import Artist, Artwork, ArtworkStatus
from attribution.errors import NotFound


class Part(StrEnum):
    """Of what an answer rests on."""

    PROGRAM = "program"
    MODEL = "model"
    REGISTERED = "registered"  # how much there is
    VOTER = "voter"
    CALIBRATION = "calibration"
    WORK = "work"  # that the answer names
    ARTIST = "artist"  # whom it names
    DECLARED = "declared"  # by a person, to be no copy
    UNKNOWN = "unknown"  # what cannot be compared


@dataclass(frozen=True)
class Difference:
    """Something that is not as it was."""

    part: Part
    said: str  # a sentence
    about: str | None = None  # id of a work or declaration, slug of an artist, name of a voter


@dataclass(frozen=True)
class State:
    """What an answer would be computed with now."""

    program: str
    searched: Searched
    voters: Mapping[str, str | None]
    calibration: str | None


def differences(session: Session, answer: Attribution, now: State) -> list[Difference]:
    """Return what is different; an answer as `attributor.recalled` returns it."""
    leads = {slug: _artist(session, slug) for slug in _names(answer)}
    return [
        *_computed(answer, now),
        *_registered(answer.searched, now.searched),
        *_artists(answer, leads),
        *_works(session, answer, leads),
        *_declared(session, answer),
    ]


def _computed(answer: Attribution, now: State) -> Iterator[Difference]:
    then, pins = answer.searched, answer.pins
    if then.fingerprint != now.searched.fingerprint:
        yield Difference(
            Part.MODEL,
            f"the encoders were those of profile {then.profile} ({then.fingerprint[:12]}); now "
            f"they are those of {now.searched.profile} ({now.searched.fingerprint[:12]})",
        )
    if pins is None:
        yield Difference(
            Part.UNKNOWN,
            "the answer was given before its program, voters and calibration were kept: whether "
            "these are the same is not known",
        )
        return
    if pins.program != now.program:
        said = f"the program was version {pins.program}, it is {now.program} now"
        yield Difference(Part.PROGRAM, said)
    for name in sorted(pins.voters.keys() | now.voters.keys()):
        if name not in now.voters:
            yield Difference(Part.VOTER, f"the voter {name} has no vote now", name)
        elif name not in pins.voters:
            yield Difference(Part.VOTER, f"the voter {name} had no vote then", name)
        elif pins.voters[name] != now.voters[name]:
            said = f"the voter {name} has learned from other works since"
            yield Difference(Part.VOTER, said, name)
    if pins.calibration != now.calibration:
        yield Difference(Part.CALIBRATION, _calibration(pins.calibration, now.calibration))


def _calibration(then: str | None, now: str | None) -> str:
    if now is None:
        return "the answer was calibrated; nothing is calibrated now"
    if then is None:
        return "the answer was not calibrated; one of today would be"
    return "votes have been calibrated again: the same votes may mean other probabilities"


def _registered(then: Searched, now: Searched) -> Iterator[Difference]:
    if (then.works, then.artists) != (now.works, now.artists):
        yield Difference(
            Part.REGISTERED,
            f"{then.works:,} works by {then.artists:,} artists were searched; {now.works:,} by "
            f"{now.artists:,} are registered now",
        )


def _works(
    session: Session, answer: Attribution, leads: Mapping[str, Artist | None]
) -> Iterator[Difference]:
    """Compare the works that an answer names. That an artist is another one is said once."""
    named = {one.id: (by.slug, one.title) for by in answer.artists for one in by.works}
    if laid_on := answer.laid_on:
        named[laid_on.id] = laid_on.slug, laid_on.title
    rows = queries.artworks_by_id(session, named)
    for work, (slug, title) in named.items():
        row, artist = rows.get(work), leads[slug]
        if row is None or row.status is not ArtworkStatus.INDEXED:
            yield Difference(Part.WORK, _gone(row), str(work))
            continue
        if artist is None or row.artist.id != artist.id:
            said = f"a work was registered under {slug}, it is under {row.artist.slug} now"
            yield Difference(Part.WORK, said, str(work))
        if row.title != title:
            said = f"a work was called “{title}”, it is called “{row.title}” now"
            yield Difference(Part.WORK, said, str(work))


def _gone(row: Artwork | None) -> str:
    if row is None:
        return "a work that the answer names is not registered any more"
    if row.status is ArtworkStatus.WITHDRAWN:
        return "a work that the answer names was withdrawn"
    return "a work that the answer names cannot be found at present"


def _names(answer: Attribution) -> dict[str, str]:
    """Return whom an answer names, by slug."""
    names = {one.slug: one.name for one in answer.artists}
    if laid_on := answer.laid_on:
        names[laid_on.slug] = laid_on.name
    return names


def _artist(session: Session, slug: str) -> Artist | None:
    try:
        return queries.artist_by_slug(session, slug)
    except NotFound:
        return None


def _artists(answer: Attribution, leads: Mapping[str, Artist | None]) -> Iterator[Difference]:
    for slug, name in _names(answer).items():
        if said := _of_artist(slug, name, leads[slug]):
            yield Difference(Part.ARTIST, said, slug)


def _of_artist(slug: str, name: str, now: Artist | None) -> str | None:
    if now is None:
        return f"there is no artist {slug} any more"
    if now.slug != slug:
        return f"{slug} was merged into {now.slug}"
    if now.withdrawn_at is not None:
        return f"{slug} has withdrawn all works"
    return f"{slug} was called {name}, and is called {now.name} now" if now.name != name else None


def _declared(session: Session, answer: Attribution) -> Iterator[Difference]:
    for one in answer.declared:
        if one.revoked_at is not None:
            said = "a declaration that this is no copy was revoked: the finding is said again"
            yield Difference(Part.DECLARED, said, str(one.id))
    if laid_on := answer.laid_on:
        known: set[UUID] = {one.id for one in answer.declared}
        for row in queries.non_copies_in_force(session, [laid_on.id]).get(laid_on.id, []):
            if row.image_sha256 == answer.image_sha256 and row.id not in known:
                said = "a person has declared since that the image is no copy of the work"
                yield Difference(Part.DECLARED, said, str(row.id))
