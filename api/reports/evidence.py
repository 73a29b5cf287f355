"""What people look at in an evidence pack: images, works that may be shown, outlines, reports."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import rfc8785

from api.reports.overlay import draw_outline
from api.reports.pages import EXHIBIT_PX, Exhibit, Page, make_page
from api.reports.pdf import render_pdf
from api.reports.report import render_report
from api.reports.sentences import say
from attribution.answers import Attribution
from attribution.catalogue.columns import now
from attribution.chunks import chunks
from attribution.desk.archive import LOOKUPS, subject_path
from attribution.desk.casefile import CaseFile, case_file
from attribution.desk.packing import Contents, Part
from attribution.errors import NotFound
from attribution.images import CheckedImage, read_image, read_thumbnail, thumbnail
from attribution.lookup.attributor import recalled
from attribution.lookup.regions import find_regions
from attribution.lookup.subjects import shown
from attribution.provenance.identifiers import codes, image_code
from attribution.services import Services

TITLE = "Evidence pack"
OF_ONE_REPORT = 50  # images: a report has all its pictures in memory, and is to be read


def contents_of(
    services: Services, lookups: Sequence[UUID], *, title: str = TITLE, is_stamped: bool = True
) -> Contents:
    """Return what a pack about some answers has; raises NotFound, RecordAltered."""
    ids = list(dict.fromkeys(lookups))
    with services.sessions() as session:
        answers = recalled(session, ids)
    return Contents(title, ids, _parts(services, answers, title), is_stamped=is_stamped)


def contents_of_case(services: Services, case_id: UUID, *, is_stamped: bool = True) -> Contents:
    """Return what a pack about a case has: its answers, and what people decided.

    Raises NotFound, RecordAltered, Conflict for a case without an answer.
    """
    with services.sessions() as session:
        case = case_file(session, case_id)
        answers = recalled(session, case.lookups)
    parts = _parts(services, answers, case.title, case)
    return Contents(case.title, case.lookups, parts, case, is_stamped)


@dataclass
class _Shown:
    """What the files so far have been, for the lists of them and the reports."""

    pages: list[Page] = field(default_factory=list)  # of the report that is next
    exhibits: dict[UUID, Exhibit] = field(default_factory=dict)
    subjects: dict[str, dict[str, str | None]] = field(default_factory=dict)  # by answer
    codes: dict[str, dict[str, str]] = field(default_factory=dict)  # ISCC by SHA-256


def _parts(
    services: Services,
    answers: Sequence[Attribution],
    title: str,
    case: CaseFile | None = None,
) -> Iterator[Part]:
    made = _Shown()
    reports = list(chunks(answers, OF_ONE_REPORT))
    for number, few in enumerate(reports, 1):
        for answer in few:
            yield from _lookup(services, answer, made)
        name, heading = "report", title
        if len(reports) > 1:
            name = f"report-{number}"
            heading = say("report", "part", title=title, number=number, of=len(reports))
        yield from _reports(made.pages, name, heading, case)
        made.pages.clear()
    for work, exhibit in made.exhibits.items():
        yield from _work(services, work, exhibit, made)
    exhibits: dict[str, Any] = {
        "subjects": made.subjects,
        "works": {str(work): _listed(work, one) for work, one in made.exhibits.items()},
    }
    yield Part("exhibits.json", rfc8785.dumps(exhibits), "what is shown, and what is not, and why")
    yield Part("identifiers.json", rfc8785.dumps(made.codes), "ISCC (ISO 24138), by SHA-256")


def _reports(pages: Sequence[Page], name: str, title: str, case: CaseFile | None) -> Iterator[Part]:
    html = render_report(pages, title=title, case=case)
    yield Part(f"{name}.html", html.encode(), "the report, for a browser")
    pdf = render_pdf(pages, title, at=now(), case=case)
    yield Part(f"{name}.pdf", pdf, "the report, as PDF/A-2a")


def _lookup(services: Services, answer: Attribution, made: _Shown) -> Iterator[Part]:
    """Yield the pictures of one answer: the image, and outlines and regions drawn on it."""
    folder = f"{LOOKUPS}/{answer.id}"
    data, kept = shown(services, answer.id)
    image = read_image(data, services.limits) if data else None
    regions = find_regions(services, services.encoders, image, answer) if image else None
    name = f"Image {answer.image_sha256[:12]}"
    page = make_page(services, name, image, answer, regions)
    made.pages.append(page)
    made.exhibits |= page.works
    path = None
    if data and image:
        path = subject_path(str(answer.id), image.facts.format.lower())
        yield Part(path, data, "the image that was asked about")
        made.codes[answer.image_sha256] = codes(data, image.rgb)
        yield from _overlays(folder, image, page)
    said = {"sha256": answer.image_sha256, "file": path, "kept": kept}
    made.subjects[str(answer.id)] = said


def _overlays(folder: str, image: CheckedImage, page: Page) -> Iterator[Part]:
    work = page.answer.laid_on
    if work and work.overlap:
        drawn = thumbnail(draw_outline(image.rgb, work.overlap.image), max_px=EXHIBIT_PX)
        yield Part(f"{folder}/overlap.webp", drawn, "the image, with what it shares with a work")
        if picture := page.laid_on.picture:
            drawn = thumbnail(draw_outline(read_thumbnail(picture), work.overlap.work))
            yield Part(f"{folder}/overlap-of-work.webp", drawn, "the work, with the same outline")
    for number, overlay in enumerate(page.overlays.values(), 1):
        what = "the image, with what speaks for an artist, in the order of the answer"
        yield Part(f"{folder}/regions-{number}.webp", overlay, what)


def _work(services: Services, work: UUID, exhibit: Exhibit, made: _Shown) -> Iterator[Part]:
    """Yield the small picture of a work that may be shown."""
    if exhibit.picture is None or exhibit.sha256 is None:
        return
    yield Part(_path(work), exhibit.picture, "a registered work, at the size that is shown")
    try:
        data = services.store.original(exhibit.sha256)
    except NotFound:
        made.codes[exhibit.sha256] = {"image": image_code(read_thumbnail(exhibit.picture))}
    else:
        made.codes[exhibit.sha256] = codes(data, read_image(data, services.limits).rgb)


def _listed(work: UUID, exhibit: Exhibit) -> dict[str, Any]:
    return {
        "sha256": exhibit.sha256,
        "file": _path(work) if exhibit.picture else None,
        "not_shown": exhibit.unseen,
        "licence": exhibit.licence,
        "consent": list(exhibit.consent),
        "artist": exhibit.artist,
        "name": exhibit.name,
    }


def _path(work: UUID) -> str:
    return f"works/{work}.webp"
