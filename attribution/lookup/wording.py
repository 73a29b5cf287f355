"""What an answer says, in words: one place for terminal, API, page and report.

An answer has three lanes. *Copy* is what the image shows, *style* whose hand it resembles,
*provenance* what its own credentials say. None of them says how an image came to be.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from attribution.answers import (
    Attribution,
    Candidate,
    CopyKind,
    CopyMatch,
    DeclaredNonCopy,
    Overlap,
    Reason,
    Removal,
    Searched,
    Verdict,
)
from attribution.arithmetic.reliability import Reliability
from attribution.catalogue.models import Consent, Subject, SubjectUse
from attribution.catalogue.nobody import is_nobody
from attribution.consents import Answer, ConsentSource, is_allowed
from attribution.custody import Forgotten, How, Kept
from attribution.lookup.results import Findings, Member, SetAttribution

VERDICTS: Mapping[Verdict, str] = {
    Verdict.COPY: "shows a registered work",
    Verdict.RELATED: "close to a registered work",
    Verdict.ATTRIBUTED: "style match",
    Verdict.CANDIDATES: "possible style match",
    Verdict.ABSTAIN: "nobody is named",
}
REASONS: Mapping[Reason, str] = {
    Reason.UNKNOWN_ARTIST: "work by an unregistered artist could look like this",
    Reason.SEVERAL_ARTISTS: "more than one artist cannot be ruled out",
    Reason.SPACES_DISAGREE: "the voters name different artists, none is likely",
    Reason.TOO_FEW_WORKS: "few works by the first artist are registered",
    Reason.INCOMPLETE_INDEX: "the index lacks registered works: nothing is calibrated",
    Reason.TOO_FEW_ARTISTS: "too few artists are registered",
    Reason.SAME_SUBJECT: "the subject supports the first artist more than the style does",
    Reason.UNLIKE_ANYTHING: "hardly a registered work is as far from all others as this image",
    Reason.UNUSUAL: "few registered works are as far from all others as this image",
    Reason.LOW_QUALITY: "the image is blank, of nearly one colour, or tiny",
    Reason.NOT_CALIBRATED: "not calibrated: shares of the vote, no probabilities",
    Reason.WITHDRAWN: "nobody is named for the bytes of a work that was withdrawn",
}
NO_PROOF = "which is no proof of absence"
PARTS_LEFT_OUT = "parts of the image were not looked up"
NOT_LOOKED_UP = (
    "Parts of the image were not looked up, and works hardly nearer to it than others were not "
    "compared with it; a thorough lookup does both."
)
STYLE_ONLY = "in style only"
PRIOR = "if half of the images asked about show the work of strangers"
QUOTES = str.maketrans(dict.fromkeys('“”„‟«»"', "'"))  # in titles and names: none ends ours
UPRIGHT_DEGREES = 1.0
HALF_TURN = 180
LEAST = 0.01  # probability that has a number
NAMED = 3  # artists in one sentence
CREDENTIALS = {
    "valid": "its Content Credentials are signed by an issuer on the trust list",
    "untrusted": "it has Content Credentials of an issuer that is not on the trust list",
    "invalid": "it has Content Credentials that do not hold",
    "absent": "it has no Content Credentials",
}


SPACES = {  # named vectors
    "clip": "content",
    "clip_style": "strokes and colours",
    "palette": "colours",
    "vae_layout": "layout",
    "vae_style": "strokes and texture",
}

FORGOTTEN: Mapping[Forgotten, str] = {  # of images that were asked about
    Forgotten.RETENTION: "its time was over",
    Forgotten.WITHDRAWAL: "it shows a work that was withdrawn (receipt {0})",
    Forgotten.REQUEST: "that was asked for",
    Forgotten.LOST: "its file was missing",
}


class Weight(StrEnum):
    """How a verdict is shown; the word stands beside the colour, always."""

    FOUND = "found"
    PERSON = "person"  # has to look
    NOTHING = "nothing"


WEIGHTS: Mapping[Verdict, Weight] = {
    Verdict.COPY: Weight.FOUND,
    Verdict.RELATED: Weight.PERSON,
    Verdict.ATTRIBUTED: Weight.PERSON,
    Verdict.CANDIDATES: Weight.PERSON,
    Verdict.ABSTAIN: Weight.NOTHING,
}


def headline(answer: Attribution) -> str:
    """Return the first line of every answer: one sentence of what is known."""
    if answer.withdrawn_at:
        return _registered_once(answer.withdrawn_at)
    says = f"{_claim(answer.laid_on)}." if answer.laid_on else _by_style(answer)
    if is_partial(answer):  # "only" would be too much: its parts may show a work
        says = f"{says.removesuffix('.').removesuffix(f', {STYLE_ONLY}')}; {PARTS_LEFT_OUT}."
    if answer.declared:
        few = len(answer.declared)
        silenced = "a finding was declared" if few == 1 else f"{few} findings were declared"
        # "Only" would be too much: what it shows was silenced.
        says = says.removesuffix(".").removesuffix(f", {STYLE_ONLY}")
        says = f"{says}; {silenced} no copy{_no_longer(answer.declared)}."
    return _limited(says, answer.searched)


def lanes(answer: Attribution) -> dict[str, str]:
    """Return what each lane says: copy, style, provenance."""
    why = unasked(answer)
    return {
        "copy": why or _copy_lane(answer),
        "style": why or _style_lane(answer),
        "provenance": f"{_capital(CREDENTIALS[answer.credentials])}.",
    }


def unasked(answer: Attribution) -> str:
    """Say why nothing was compared with the image; nothing where it was."""
    if answer.withdrawn_at:
        return f"Not asked: {REASONS[Reason.WITHDRAWN]}."
    if answer.reasons == (Reason.LOW_QUALITY,) and not answer.artists:
        return "Not asked: the image shows too little."
    return ""


def is_partial(answer: Attribution) -> bool:
    """Whether a copy may have been missed because the lookup was not thorough."""
    was_asked = answer.searched.works and not unasked(answer)
    return bool(was_asked) and not (answer.is_thorough or answer.laid_on)


def membership(answer: Member) -> str:
    """Return the first line of an answer to "is this registered?"."""
    if answer.is_blank:
        return "The image is blank, so nothing can be said."
    if answer.withdrawn_at:
        return _registered_once(answer.withdrawn_at)
    laid_on = answer.copy_of or answer.related_to
    what = "No other work was found" if answer.declared else "Not found"
    absent = f"{what} among {compared(answer.searched)}, {NO_PROOF}."
    says = _limited(f"{_claim(laid_on)}." if laid_on else absent, answer.searched)
    more = (_others(laid_on), _frames(answer.notes), not_said(answer.declared))
    return " ".join((says, *filter(None, more)))


def compared(searched: Searched) -> str:
    """Say how many works an image was compared with: "450 works", "420 of 450 works"."""
    if searched.points is None:
        return f"{searched.works:,} works"
    return f"{searched.points:,} of {searched.works:,} works"


def incomplete(searched: Searched) -> str:
    """Say that the index lacked works and what to do; nothing where it had all."""
    if searched.points is None:
        return ""
    return f"The index had only {compared(searched)}: run `lawful reconcile --repair`, ask again."


def together(findings: Findings, *, unreadable: int = 0) -> str:
    """Say of many images how many show or resemble what is registered, and how that divides."""
    union = {*findings.copies, *findings.style}
    parts = [f"{len(findings.copies)} by copy"] if findings.copies else []
    if findings.style:
        level = f"at a false discovery rate of {findings.level:.2f}"
        parts.append(f"{len(findings.style)} by style {level}")
    how = f": {', '.join(parts)}" if parts else ""
    asked = f"{len(union)} of {findings.images:,} images"
    said = f"{asked} show registered works or resemble artists' styles{how}"
    if findings.related:
        said += f"; {len(findings.related)} related to registered works, for a person to look at"
    if findings.declared:
        said += f"; {len(findings.declared)} with a finding that was declared no copy"
    if findings.repeated:
        again = "is the same file" if findings.repeated == 1 else "are the same files"
        said += f"; {findings.repeated} more {again} again"
    if unreadable:
        said += f"; {unreadable} more could not be read"
    if findings.incomplete:
        said += f"; {findings.incomplete} were compared with an index that lacks registered works"
    return f"{said}."


def by_one_hand(answer: SetAttribution) -> str:
    """Return the first line of an answer about images that are said to be by one hand."""
    limits = (one.searched for one in answer.answers if one.searched.points is not None)
    searched = next(limits, None)
    return _limited(_together(answer), searched) if searched else _together(answer)


def _together(answer: SetAttribution) -> str:
    pictures = f"{answer.pictures} different picture{'' if answer.pictures == 1 else 's'}"
    match answer.verdict:
        case Verdict.ATTRIBUTED:
            best = answer.artists[0]
            return f"Together they resemble work by {best.name} ({best.slug}), {STYLE_ONLY}."
        case Verdict.CANDIDATES:
            likely = [one for one in answer.artists if one.is_likely] or answer.artists[:1]
            names = [f"{one.name} ({one.slug})" for one in likely]
            return f"Together they resemble work by {several(names)}, {STYLE_ONLY}."
        case _:
            return f"Nothing registered stands out for {pictures} together, {NO_PROOF}."


def not_said(declared: Iterable[DeclaredNonCopy]) -> str:
    """Say what declarations silence, by whom they are, and what the answer is without them."""
    return " ".join(_declared(one) for one in declared)


def similar(cosines: Mapping[str, float]) -> str:
    """Say how near a work is to an image, by space: "content 0.81 · colours 0.40"."""
    return " · ".join(f"{SPACES.get(space, space)} {value:.2f}" for space, value in cosines.items())


def votes(artist: Candidate) -> str:
    """Say how much supports an artist, and of what each number is a part."""
    share = f"{artist.score:.0%} of all votes"
    if artist.probability is None:
        return f"{share}, which is not a probability."
    return f"{chance(artist.probability)} probability of this artist, {PRIOR}; {share}."


def made_from(answer: Attribution) -> str:
    """Say which picture generated ones were made from, and what the answer about it says."""
    return (
        f"Made from a picture that was given (SHA-256 {answer.image_sha256}). About that picture: "
        f"{headline(answer)}"
    )


def not_steering(work: CopyMatch, said: Consent | None) -> str:
    """Say why the work that a given picture shows is not to steer generation."""
    claim = _claim(work)
    return (
        f"the picture that was given {claim[:1].lower()}{claim[1:]}; for that work, "
        f"{consent_said('generate', said)}"
    )


def named(answer: Attribution) -> Sequence[Candidate]:
    """Return those whom an answer names for their style."""
    match answer.verdict:
        case Verdict.ATTRIBUTED:
            return answer.artists[:1]
        case Verdict.CANDIDATES:  # where nobody is known to be likely, the first
            return [one for one in answer.artists if one.is_likely] or answer.artists[:1]
        case _:
            return ()


def several(names: Sequence[str]) -> str:
    """Return names in one phrase, some of them where there are many."""
    few = ", ".join(names[:NAMED])
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{few}{more}"


def removed(removal: Removal) -> str:
    """Say that a recorded answer is not as it was given."""
    return (
        f"Changed on {removal.at:%Y-%m-%d}: what this answer said of a work was removed when the "
        f"work was withdrawn (receipt {removal.receipt})."
    )


SUMS = {  # whether the classifier's sums equal a rebuild
    True: "equal to a rebuild without these works",
    False: "differs from a rebuild; run `lawful reconcile --repair`",
    None: "these works were removed; `lawful reconcile` compares with a rebuild",
}
CONSENT_ANSWERS = {
    Answer.ALLOW: "allowed",
    Answer.DENY: "not allowed",
    Answer.ASK: "not allowed without asking first",
}
CONSENT_SAID = {
    ConsentSource.TABLE: "in a table of its source",
    ConsentSource.SIDECAR: "in a file next to it",
    ConsentSource.FOLDER: "by the name of its folder",
    ConsentSource.METADATA: "in the file itself",
    ConsentSource.UPLOAD: "with its upload",
    ConsentSource.PERSON: "by {}",
    ConsentSource.EARLIER: "before statements were kept, which was",
}


def image_kept(subject: Subject | None, use: SubjectUse | None) -> str:
    """Say what is kept of an image that was asked about, until when, or why it went.

    None for an image that was asked about before any was kept; the use, where one answer is meant.
    """
    if subject is None:
        return "The image itself was not kept."
    if subject.until is not None:
        how = ", encrypted," if subject.kept is Kept.ENCRYPTED else ""
        return f"The image is kept{how} until {subject.until:%Y-%m-%d}."
    if use and use.how is How.GENERATED:
        drawn = f", as picture {use.position} of generation {use.job_id}" if use.job_id else ""
        return f"The image was drawn here{drawn}; no other copy of it was kept."
    if use and use.how is How.WORK:
        return "The image is the kept original of a registered work; no other copy was kept."
    if subject.forgotten_at is None or subject.forgotten_why is None:
        return "With the question, only the image's SHA-256 was kept."
    went = FORGOTTEN[subject.forgotten_why].format(subject.receipt)
    return f"The image was deleted on {subject.forgotten_at:%Y-%m-%d}: {went}."


def consent_said(purpose: str, said: Consent | None) -> str:
    """Say whether a work may be used for something, and who said so, when and where."""
    if said is None:
        may = "allowed" if is_allowed(purpose, None) else "not allowed"
        return f"{purpose}: {may} by default, nobody has said anything of it"
    where = CONSENT_SAID[said.source].format(said.by)
    whole = " of the whole portfolio" if said.artwork_id is None else ""
    until = f", until {said.valid_until:%Y-%m-%d}" if said.valid_until else ""
    written = f" ({said.document})" if said.document else ""
    answer = CONSENT_ANSWERS[said.answer]
    return f"{purpose}: {answer}{until}, said{whole} {where} on {said.said_at:%Y-%m-%d}{written}"


def receipt_said(receipt: Mapping[str, Any]) -> Iterator[str]:
    """Say what was checked after a withdrawal: what is left, and what the classifiers keep."""
    left = receipt.get("left", {})
    unseen = [name for name, count in left.items() if count is None]
    places = f"{len(left) - len(unseen)} places"
    yield f"left: {sum(count or 0 for count in left.values())}, looked for in {places}" + (
        f"; not to be seen from here: {', '.join(unseen)}" if unseen else ""
    )
    if held := receipt.get("held"):
        yield on_hold(held)
    yield f"classifier: {SUMS[receipt.get('statistics', {}).get('equals a rebuild')]}"
    if seen := (receipt.get("trained") or {}).get("works seen"):
        yield (
            f"trained classifier: it has seen {seen} of these works and cannot forget them; "
            f"train it again, or delete the folder LAWFUL_TRAINED"
        )


def on_hold(held: Mapping[str, Any]) -> str:
    """Say what is kept of what a withdrawal took, for holds (`queries.holds.held_under`)."""
    if not held["cases"] and "later" in held:
        return f"receipt {held['later']} of a later withdrawal says what is kept on hold"
    if not held["cases"]:
        return f"what was on hold went too when the hold ended, on {held['ended_at'][:10]}"
    works, images = len(held["works"]), len(held["images"])
    cases = ", ".join(map(str, held["cases"]))
    return (
        f"on hold for case {cases}: sealed exhibits of works ({works}) and images that were asked "
        f"about ({images}) are kept until the hold ends; no search and no answer shows them"
    )


def reliability_said(found: Reliability | None) -> str:
    """Say how far the probabilities are off on questions that were held back."""
    if found is None:
        return "Reliability is not kept: it was calibrated before this was recorded."
    if found.error is None:
        return "Reliability is not measured: too few works are registered to hold any back."
    return (
        f"On {found.questions:,} questions that were held back, the probabilities are off by "
        f"{100 * found.error:.1f} percentage points on average (expected calibration error)."
    )


def quoted(text: str) -> str:
    """Return words of others in quotation marks that they cannot end."""
    return f"“{text.translate(QUOTES)}”"


def titled(work: CopyMatch) -> str:
    """Return what a work is called, quoted, so that no title reads as the program's own words."""
    return quoted(work.title) if work.title else f"work {work.id}"


def by_whom(work: CopyMatch) -> str:
    """Say whose work it is, behind its title: " by Ann (ann)" or ", by an unknown artist"."""
    if is_nobody(work.name):
        return ", by an unknown artist"
    return f" by {work.name.translate(QUOTES)} ({work.slug})"


def how_copied(work: CopyMatch) -> str:
    """Say what speaks for it: "mirrored, shows 49% of the work's content; 97% of …"."""
    if work.kind is CopyKind.SAME_IMAGE or work.overlap is None or work.agreement is None:
        if work.match == "perceptual":  # an answer of before
            return f"{work.distance} of 64 bits of the perceptual hash differ"
        return f"the same {work.match}"
    changes = ", ".join([*_changes(work.overlap), *_content(work)])
    agree = f"{work.agreement:.0%} of the strokes in what both show agree"
    return f"{changes}; {agree}" if changes else agree


def _by_style(answer: Attribution) -> str:
    match answer.verdict:
        case Verdict.ATTRIBUTED | Verdict.CANDIDATES:
            names = [_who(artist) for artist in named(answer)]
            return f"Resembles work by {several(names)}, {STYLE_ONLY}."
        case _ if not answer.searched.works:
            return "Nothing is registered yet, so nothing was compared."
        case _ if answer.reasons == (Reason.LOW_QUALITY,):
            return "Shows too little to be compared."
        case _:
            return f"Nothing registered stands out, {NO_PROOF}."


def _limited(says: str, searched: Searched) -> str:
    """Add to a first line that the index lacked works."""
    if searched.points is None:
        return says
    return f"{says.removesuffix('.')}; the index had only {compared(searched)}."


def _registered_once(withdrawn_at: datetime) -> str:
    return (
        f"The very bytes of this image were registered once, withdrawn on {withdrawn_at:%Y-%m-%d}."
    )


def _claim(work: CopyMatch) -> str:
    """Say what is claimed of an image and a work."""
    title = f"{titled(work)}{by_whom(work)}"
    match work.kind:
        case CopyKind.SAME_IMAGE:
            return f"Shows the same image as {title}"
        case CopyKind.ALTERED_COPY:
            return f"Shows {title}, with differences"
        case CopyKind.NEAR_IDENTICAL:
            return f"Shares much with {title}, or with its series: a person must look"


def _copy_lane(answer: Attribution) -> str:
    work = answer.laid_on
    other = "other " if answer.declared else ""
    says = f"No {other}registered work was found in it, {NO_PROOF}."
    if is_partial(answer):
        says = f"No {other}registered work was found to be the whole image. {NOT_LOOKED_UP}"
    if work:
        says = f"{_claim(work)}: {how_copied(work)}."
        if work.also_claimed_by:
            says += f" The same file is claimed by {', '.join(work.also_claimed_by)} as well."
    more = (_others(work), _frames(answer.notes), not_said(answer.declared))
    return " ".join((says, *filter(None, more)))


def _others(work: CopyMatch | None) -> str:
    """Say that a picture may show more than the one work that is named; the same image does not."""
    if work is None or work.kind is CopyKind.SAME_IMAGE:
        return ""
    return "Other registered works may be in it as well: only the surest is named."


def not_weighed(solved_at: datetime) -> str:
    """Say that the classifier is older than what is registered."""
    return (
        f"the classifier was solved at {solved_at:%Y-%m-%d %H:%M:%S UTC}: works added since then "
        f"are found by search and by the copy lane, and not yet weighed by the classifier"
    )


def _frames(notes: Iterable[str]) -> str:
    """Say which part of a file with several pictures was compared."""
    first = next((note for note in notes if note.startswith("first of ")), None)
    return f"Only the {first} was compared." if first else ""


def _declared(one: DeclaredNonCopy) -> str:
    """Say which declaration silences what: it may be about an image that is nearly the same."""
    like = f"A pair with an image nearly like this one (SHA-256 {one.image_sha256[:12]}…)"
    pair = "A pair" if one.is_this_image else like
    until = f" until {one.until:%Y-%m-%d %H:%M UTC}" if one.until else ""
    why = f": {quoted(one.reason)}" if one.reason else ""
    claim = _claim(one.would_be)
    return (
        f"{pair} was declared no copy on {one.declared_at:%Y-%m-%d} by {quoted(one.by)}{until}"
        f"{why}; without that: {claim[:1].lower()}{claim[1:]} ({how_copied(one.would_be)}). "
        f"Declaration {one.id}.{_ended(one)}"
    )


def _ended(one: DeclaredNonCopy) -> str:
    """Say that a declaration silences nothing any more, and since when."""
    if one.revoked_at:
        return f" It was revoked on {one.revoked_at:%Y-%m-%d} by {quoted(one.revoked_by or '')}."
    return " It is over." if one.until and one.until <= datetime.now(UTC) else ""


def _no_longer(declared: Iterable[DeclaredNonCopy]) -> str:
    return ", which is no longer so: ask again" if any(map(_ended, declared)) else ""


def _style_lane(answer: Attribution) -> str:
    if answer.copy_of:  # what is copied has a hand; the numbers are about another question
        return "Not asked further: the image shows a registered work."
    sure = answer.confidence
    if sure is None:
        return "Shares of the vote alone, not probabilities."
    few = "Too many artists to name" if sure.likely is None else f"{sure.likely} of the artists"
    says = (
        f"None of the registered artists: {chance(sure.nobody)} probability, {PRIOR}; p = "
        f"{sure.p_nobody:.3f}. {few} cannot be ruled out"
    )
    if sure.p_familiar is not None and Reason.UNLIKE_ANYTHING in answer.reasons:
        says += f"; as near as a registered artist's work: p = {sure.p_familiar:.3f}"
    return f"{says}."


def _who(artist: Candidate) -> str:
    return f"{artist.name.translate(QUOTES)} ({artist.slug})"


def _changes(overlap: Overlap) -> Iterable[str]:
    if overlap.is_mirrored:
        yield "mirrored"
    if abs(overlap.turned_degrees) > UPRIGHT_DEGREES:
        degrees = round(overlap.turned_degrees)
        way = "" if abs(degrees) == HALF_TURN else f" {'counter-' if degrees > 0 else ''}clockwise"
        yield f"turned by {abs(degrees)}°{way}"


def _content(work: CopyMatch) -> Iterable[str]:
    """Say how much of the work is there, where it was measured; of a sibling it is only shared."""
    if work.content is not None:
        verb = "shares" if work.kind is CopyKind.NEAR_IDENTICAL else "shows"
        yield f"{verb} {work.content:.0%} of the work's content"


def chance(probability: float) -> str:
    """Return a probability as a percentage that is never none or all."""
    if probability < LEAST:
        return f"less than {LEAST:.0%}"
    return f"more than {1 - LEAST:.0%}" if probability > 1 - LEAST else f"{probability:.0%}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
