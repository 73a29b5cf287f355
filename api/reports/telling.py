"""What a report says, in order: sections of sentences and pictures, the same for HTML and PDF.

The first page of an answer is for anybody: what is said, the two pictures, what that means and what
it does not. The rest follows for those who check it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import version
from uuid import UUID

from api.reports.pages import UNKNOWN, Exhibit, Page
from api.reports.sentences import SENTENCES, say
from attribution.answers import Attribution, Candidate, Corner, Reason, Verdict
from attribution.cases import CaseOutcome
from attribution.catalogue.nobody import is_nobody
from attribution.desk.casefile import Appealed, CaseFile
from attribution.lookup import wording
from attribution.lookup.findings import find_ours


class Outcome(StrEnum):
    """What the first page of an answer explains."""

    SAME_IMAGE = "same_image"
    ALTERED_COPY = "altered_copy"
    NEAR_IDENTICAL = "near_identical"
    ATTRIBUTED = "attributed"
    CANDIDATES = "candidates"
    UNCALIBRATED = "uncalibrated"  # candidates, nobody knows how sure
    NONE = "none"  # of the registered artists
    UNCLEAR = "unclear"  # nobody stands out, nobody is ruled out
    BLANK = "blank"
    EMPTY = "empty"  # nothing is registered
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True)
class Figure:
    """A picture and what stands under it, or why it is not there."""

    picture: bytes | None  # WebP
    alt: str
    unseen: str
    lines: Sequence[str]
    outline: Sequence[Corner] = ()
    work: UUID | None = None  # whose picture it is; None: not that of a registered work


@dataclass(frozen=True)
class Group:
    """Something of a section with a heading of its own."""

    heading: str
    says: Sequence[str] = ()
    share: float | None = None  # 0 to 1, to be drawn; a sentence says of what
    figures: Sequence[Figure] = ()


@dataclass(frozen=True)
class Section:
    """Sentences, what stands behind terms, and groups under one heading."""

    name: str  # as `sentences.toml` calls it
    heading: str
    says: Sequence[str] = ()
    pairs: Sequence[tuple[str, str]] = ()
    groups: Sequence[Group] = ()


@dataclass(frozen=True)
class Told:
    """What is said of one answer."""

    name: str
    verdict: str
    weight: str
    headline: str
    figures: Sequence[Figure]  # the image in question, and the work that the answer is about
    front: Sequence[Section]  # for anybody
    rest: Sequence[Section]


@dataclass(frozen=True)
class Report:
    """What a report says."""

    language: str
    title: str
    together: str  # of several images
    answers: Sequence[Told]
    unreadable: Sequence[str]  # names of images
    end: Sequence[Section]


def tell(
    pages: Sequence[Page],
    title: str | None,
    unreadable: Sequence[str] = (),
    case: CaseFile | None = None,
) -> Report:
    """Return what a report of some answers says; `case` is the one that it is about."""
    findings = find_ours([page.answer for page in pages])
    return Report(
        say("report", "language"),
        title or say("report", "title"),
        wording.together(findings, unreadable=len(unreadable)),
        [_told(page) for page in pages],
        unreadable,
        [
            *([] if case is None else [_decided(case)]),
            _table("limits", level=findings.level),
            _table("verify", version=version("lawful-diffusion")),
        ],
    )


def outcome(answer: Attribution) -> Outcome:
    """Return what is to be explained of an answer."""
    sure, work = answer.confidence, answer.laid_on
    if answer.withdrawn_at:
        return Outcome.WITHDRAWN
    if work:
        return Outcome(work.kind)
    if answer.verdict in {Verdict.ATTRIBUTED, Verdict.CANDIDATES}:
        return Outcome(answer.verdict) if sure else Outcome.UNCALIBRATED
    if not answer.searched.works:
        return Outcome.EMPTY
    if answer.reasons == (Reason.LOW_QUALITY,):
        return Outcome.BLANK
    return Outcome.NONE if sure and sure.nobody >= 1 / 2 else Outcome.UNCLEAR


def _told(page: Page) -> Told:
    answer = page.answer
    return Told(
        page.name,
        wording.VERDICTS[answer.verdict],
        wording.WEIGHTS[answer.verdict],
        wording.headline(answer),
        list(_pair(page)),
        list(_front(answer)),
        [
            _coverage(page),
            _ranking(answer),
            *([_exhibits(page)] if answer.artists else []),
            _section("lanes", pairs=wording.lanes(answer)),
            _rights(page),
        ],
    )


def _pair(page: Page) -> Iterator[Figure]:
    """Yield the image in question, and the work that the answer is about, if it is about one."""
    answer, work, exhibit = page.answer, page.answer.laid_on, page.laid_on
    overlap = work.overlap if work else None
    yield Figure(
        page.picture,
        say("figures", "alt_image"),
        f"{page.kept} {say('figures', 'give_again')}",
        [say("figures", "image")],
        overlap.image if overlap else (),
    )
    if work:
        whose = f"{say('figures', 'work')}{wording.titled(work)}{wording.by_whom(work)}."
        lines = [whose, _licence(exhibit)]
        if overlap and exhibit.picture and page.picture:
            lines.append(say("figures", "outlined"))
        yield _figure(work.id, exhibit, work.title, lines, overlap.work if overlap else ())
        return
    for artist in wording.named(answer)[:1]:
        for one in artist.works[:1]:
            near = say("figures", "nearest", name=artist.name, title=_quoted(one.title))
            yield _figure(one.id, page.works.get(one.id, UNKNOWN), one.title, [near])


def _figure(
    work: UUID,
    exhibit: Exhibit,
    title: str | None,
    lines: Sequence[str],
    outline: Sequence[Corner] = (),
) -> Figure:
    hidden = [] if exhibit.picture else [say("figures", "hidden", why=exhibit.unseen)]
    lines = [*lines, *hidden]
    return Figure(exhibit.picture, _title(title), exhibit.unseen or "", lines, outline, work)


def _front(answer: Attribution) -> Iterator[Section]:
    """Yield what both pictures share, what that means, what it does not, and whom to ask."""
    kind = SENTENCES["outcomes"][outcome(answer)]
    names = wording.several([artist.name for artist in wording.named(answer)])
    if shared := list(_shared(answer)):
        yield _section("shared", shared)
    for part, more in (("means", list(_more(answer))), ("means_not", []), ("next", [])):
        yield _section(part, [*(one.format(names=names) for one in kind[part]), *more])


def _shared(answer: Attribution) -> Iterator[str]:
    if work := answer.laid_on:
        how = wording.how_copied(work)
        yield f"{_capital(how)}."
        if work.agreement is not None:
            yield say("shared", "strokes")
    elif wording.named(answer):
        yield say("shared", "resembles")


def _more(answer: Attribution) -> Iterator[str]:
    """Yield what an answer means besides what all of its kind do."""
    if work := answer.laid_on:
        whose = "registered_nobody" if is_nobody(work.name) else "registered_by"
        yield say("more", whose, name=work.name)
    elif answer.verdict is Verdict.ATTRIBUTED and answer.confidence:
        yield say("more", "strangers", rarely=_of_100(answer.confidence.p_nobody))
    if wording.is_partial(answer):
        yield wording.NOT_LOOKED_UP
    if answer.declared:
        yield say("more", "declared")
    yield from map(wording.removed, answer.removed)
    if answer.credentials != "absent":
        yield say("more", answer.credentials)
    reasons = [wording.REASONS[one] for one in answer.reasons]
    if reasons and not wording.unasked(answer):
        yield say("more", "reasons", reasons="; ".join(reasons))


def _decided(case: CaseFile) -> Section:
    """Return what people decided in a case, what of that holds, and which case it goes back to."""
    later = {one.supersedes: one.number for one in case.decisions}
    groups = []
    for one in case.decisions:
        says = [
            say("decisions", one.outcome.value),
            say("decisions", "ground", ground=SENTENCES["grounds"][one.ground.value]),
            wording.quoted(one.words),
        ]
        if one.seconded_at:
            says.append(say("decisions", "seconded", day=one.seconded_at.date()))
        elif one.needs_second:
            says.append(say("decisions", "unsigned"))
        if number := later.get(one.id):
            says.append(say("decisions", "superseded", number=number))
        groups.append(
            Group(say("decisions", "heading", number=one.number, day=one.at.date()), says)
        )
    says = [say("decisions", "people" if groups else "none")]
    if earlier := case.earlier:
        how = "follows" if earlier.decision is None else "appeals"
        said = say("decisions", how, number=earlier.number, decision=earlier.decision)
        says.insert(0, said)
    says = [*map(appeal_says, case.appealed), *says]
    return _section("decisions", says, groups=groups)


def appeal_says(appeal: Appealed) -> str:
    """Say what became of an appeal against a decision."""
    how = {
        None: "appeal_pending",
        CaseOutcome.APPEAL_GRANTED: "appeal_was_granted",
        CaseOutcome.APPEAL_DENIED: "appeal_was_denied",
    }[appeal.outcome]
    return say("decisions", how, decision=appeal.decision, number=appeal.number)


def _coverage(page: Page) -> Section:
    """Return what the image was compared with, what not, and which record says so."""
    answer, searched = page.answer, page.answer.searched
    works = wording.compared(searched)
    registered = say("coverage", "registered", works=works, artists=searched.artists)
    unasked = wording.unasked(answer)
    missing = [wording.incomplete(searched), "" if unasked else say("coverage", "unregistered")]
    notes = [f"{_capital(note)}." for note in answer.notes]
    return _section(
        "coverage",
        pairs={
            "image": f"{page.kept} SHA-256 {answer.image_sha256}",
            "compared": unasked or registered,
            "missing": " ".join(filter(None, missing)),
            "notes": " ".join(notes),
            "recorded": " ".join(_recorded(answer)),
        },
    )


def _recorded(answer: Attribution) -> Iterator[str]:
    searched, sure = answer.searched, answer.confidence
    yield say(
        "coverage",
        "recorded",
        at=answer.created_at,
        id=answer.id,
        profile=searched.profile,
        fingerprint=searched.fingerprint[:12],
    )
    if sure:
        made = sure.calibrated
        values = {"at": made.made_at, "works": made.works, "artists": made.artists}
        yield say("coverage", "calibrated", **values)


def _ranking(answer: Attribution) -> Section:
    """Return the artists in their order, and why the runner-up and the others are not named."""
    if not answer.artists:
        return _section("artists", [say("artists", "none")])
    names = wording.named(answer)
    kind = "aside" if answer.copy_of else "order"
    groups = []
    for number, artist in enumerate(answer.artists, 1):
        is_next = bool(names) and number == len(names) + 1
        mark = "named" if artist in names else "runner_up" if is_next else "heading"
        heading = say("artists", mark, number=number, name=artist.name)
        share = artist.score if artist.probability is None else artist.probability
        groups.append(Group(heading, list(_ranked(answer, artist)), share))
    return _section("artists", [say("artists", kind)], groups=groups)


def _ranked(answer: Attribution, artist: Candidate) -> Iterator[str]:
    yield _capital(wording.votes(artist))
    parts = [say("artists", "voter", voter=name, part=part) for name, part in artist.voters.items()]
    if parts:
        yield say("artists", "voters", parts=" · ".join(parts))
    if not answer.copy_of:
        yield _why(answer, artist)


def _why(answer: Attribution, artist: Candidate) -> str:
    """Say why an artist is named or not."""
    if artist in wording.named(answer):
        how = {Verdict.ATTRIBUTED: "why_named"}.get(answer.verdict, "why_also_named")
        return say("artists", how if artist.is_likely else "why_first")
    if artist.is_likely:
        return say("artists", "why_possible")
    if artist.is_likely is False and artist.p_value is not None:
        return say("artists", "why_unlikely", rarely=_of_100(artist.p_value))
    return say("artists", "why_open" if answer.confidence else "why_behind")


def _exhibits(page: Page) -> Section:
    """Return for each artist what supports them: parts of the image, and works."""
    numbers = {work: number for number, work in enumerate(cited(page.answer), 1)}
    groups = []
    for artist in page.answer.artists:
        figures = []
        if overlay := page.overlays.get(artist.slug):
            alt = say("figures", "alt_regions", name=artist.name)
            figures.append(Figure(overlay, alt, "", [say("figures", "regions")]))
        for one in artist.works:
            title = say("figures", "exhibit", number=numbers[one.id], title=_quoted(one.title))
            lines = [title, wording.similar(one.similarity)]
            figures.append(_figure(one.id, page.works.get(one.id, UNKNOWN), one.title, lines))
        groups.append(Group(artist.name, figures=figures))
    return _section("exhibits", [say("exhibits", "numbers")], groups=groups)


def _rights(page: Page) -> Section:
    """Return what is known of each work that an answer names, and what was said of its use."""
    known = {}
    for number, (work, (title, slug, name)) in enumerate(cited(page.answer).items(), 1):
        exhibit = page.works.get(work, UNKNOWN)
        term = say("figures", "exhibit_by", number=number, title=_quoted(title), name=name)
        known[term] = " ".join(_known(exhibit, work, slug))
    return _section("rights", [] if known else [say("rights", "none")], pairs=known)


def cited(answer: Attribution) -> dict[UUID, tuple[str | None, str, str]]:
    """Return the works that an answer names, each once, in the order in which it does."""
    work = answer.laid_on
    cited = {work.id: (work.title, work.slug, work.name)} if work else {}
    for artist in answer.artists:
        for one in artist.works:
            cited.setdefault(one.id, (one.title, artist.slug, artist.name))
    return cited


def _known(exhibit: Exhibit, work: UUID, slug: str) -> Iterator[str]:
    if exhibit.artist and exhibit.artist != slug:
        yield say("rights", "moved", name=exhibit.name, slug=exhibit.artist)
    if exhibit.unseen:
        yield say("figures", "hidden", why=exhibit.unseen)
    yield _licence(exhibit)
    yield from (f"{_capital(said)}." for said in exhibit.consent)
    if not exhibit.consent:
        yield say("rights", "unsaid")
    facts = [str(work)]
    if exhibit.registered:
        facts.insert(0, say("rights", "registered", day=exhibit.registered.date()))
    if exhibit.sha256:
        facts.append(f"SHA-256 {exhibit.sha256}")
    yield f"{_capital(' · '.join(facts))}."


def _licence(exhibit: Exhibit) -> str:
    how = "licence" if exhibit.licence else "no_licence"
    return say("rights", how, licence=exhibit.licence)


def _section(
    name: str,
    says: Sequence[str] = (),
    *,
    pairs: Mapping[str, str] | None = None,
    groups: Sequence[Group] = (),
) -> Section:
    """Return a section; `pairs` are sentences by their term, or by its name."""
    terms = SENTENCES["terms"]
    given = [(terms.get(term, term), said) for term, said in (pairs or {}).items() if said]
    return Section(name, say("headings", name), says, given, groups)


def _table(name: str, **values: object) -> Section:
    """Return a section of all the sentences of a table, behind their terms."""
    return _section(name, pairs={term: say(name, term, **values) for term in SENTENCES[name]})


def _title(title: str | None) -> str:
    return title or say("figures", "untitled")


def _quoted(title: str | None) -> str:
    """Return a title in quotation marks that it cannot end, so that it reads as nobody's words."""
    return wording.quoted(title) if title else _title(None)


def _of_100(part: float) -> str:
    """Say of how many of 100 cases a part is."""
    number = round(part * 100)
    return say("artists", "rarely", number=number) if number else say("artists", "hardly")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
