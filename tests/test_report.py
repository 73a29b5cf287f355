"""What answers say, and the page for people: the words, the pictures, what is not shown."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from api.answers import AnswerOut, FindingsOut
from api.reports.report import Exhibit, Page, make_page, render_report
from attribution.answers import (
    Attribution,
    CalibrationState,
    Candidate,
    Confidence,
    CopyKind,
    CopyMatch,
    Evidence,
    Overlap,
    Reason,
    Searched,
    Verdict,
)
from attribution.catalogue.nobody import NOBODYS_NAME
from attribution.config import Settings
from attribution.errors import BadInput
from attribution.images import read_image_file, thumbnail
from attribution.lookup.findings import find_ours
from attribution.lookup.wording import headline, how_copied, lanes, together
from attribution.services import open_services
from attribution.upkeep.correction import move
from tests.corrections import US, merge
from tests.portfolios import ingest, picture, portfolio
from tests.said import claims

FULL = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
PART = ((0.5, 0.25), (1.0, 0.25), (1.0, 0.75), (0.5, 0.75))
LAID = Overlap(PART, FULL, is_mirrored=True, turned_degrees=-90.0)
ALTERED = CopyMatch(
    uuid4(), "Boat", "ann", "Ann", "geometric", 30, (), CopyKind.ALTERED_COPY, LAID, 0.97, 0.49
)
RELATED = replace(ALTERED, kind=CopyKind.NEAR_IDENTICAL)
CALIBRATED = CalibrationState(datetime.now(UTC), 200, 20, 200)
SURE = Confidence(0.57, 0.03, 1, CALIBRATED)
WEBP = thumbnail(picture(1, side=100))
SHOWN = Exhibit(WEBP, None, "CC0-1.0", datetime(2026, 1, 2, tzinfo=UTC), "c" * 64)
HIDDEN = Exhibit(None, "may not be displayed")


def artist(slug: str, *, is_likely: bool | None = None) -> Candidate:
    """Return an artist of an answer, with one work."""
    work = Evidence(uuid4(), "Sea", {"clip": 0.8})
    sure = None if is_likely is None else 0.4
    return Candidate(
        slug, slug.title(), 0.5, {"clip": 0.5}, (work,), probability=sure, is_likely=is_likely
    )


def answer(verdict: Verdict, **values: object) -> Attribution:
    """Return an answer of 200 works."""
    known: dict[str, object] = {
        "id": uuid4(),
        "created_at": datetime.now(UTC),
        "image_sha256": uuid4().hex * 2,
        "verdict": verdict,
        "copy_of": None,
        "artists": (),
        "searched": Searched(200, 20, "stub", "f" * 64),
        "notes": (),
    }
    return Attribution(**known | values)  # type: ignore[arg-type]


ANSWERS = {
    "copy": answer(Verdict.COPY, copy_of=ALTERED, artists=(artist("bob"),), confidence=SURE),
    "same": answer(
        Verdict.COPY, copy_of=replace(ALTERED, kind=CopyKind.SAME_IMAGE, match="pixels")
    ),
    "nobodys": answer(
        Verdict.COPY, copy_of=replace(ALTERED, name=NOBODYS_NAME, slug="unknown-artist")
    ),
    "related": answer(Verdict.RELATED, related_to=RELATED, artists=(artist("bob"),)),
    "attributed": answer(
        Verdict.ATTRIBUTED, artists=(artist("ann", is_likely=True),), confidence=SURE
    ),
    "candidates": answer(
        Verdict.CANDIDATES,
        artists=tuple(artist(name, is_likely=name != "dora") for name in ("ann", "bob", "dora")),
        confidence=SURE,
    ),
    "uncalibrated": answer(Verdict.CANDIDATES, artists=(artist("ann"), artist("bob"))),
    "abstain": answer(Verdict.ABSTAIN, artists=(artist("ann"),), confidence=SURE),
    "blank": answer(Verdict.ABSTAIN, reasons=(Reason.LOW_QUALITY,)),
    "empty": answer(Verdict.ABSTAIN, searched=Searched(0, 0, "stub", "f" * 64)),
}


def page(one: Attribution, works: dict[UUID, Exhibit], picture: bytes | None = WEBP) -> Page:
    """Return the page of an answer."""
    return Page("found.png", picture, "The image itself was not kept.", one, works, {})


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("copy", "Shows an altered copy of “Boat” by Ann (ann)."),
        ("same", "Shows the same image as “Boat” by Ann (ann)."),
        ("nobodys", "Shows an altered copy of “Boat”, by an unknown artist."),
        (
            "related",
            "Shares much with “Boat” by Ann (ann), or with its series: a person must look.",
        ),
        ("attributed", "Resembles work by Ann (ann), in style only."),
        ("candidates", "Resembles work by Ann (ann), Bob (bob), in style only."),
        ("uncalibrated", "Resembles work by Ann (ann), in style only."),
        ("abstain", "Nothing registered stands out, which is no proof of absence."),
        ("blank", "Shows too little to be compared."),
        ("empty", "Nothing is registered yet, so nothing was compared."),
    ],
)
def test_the_first_line_says_what_is_known(name: str, says: str) -> None:
    """One sentence, the same as data and on the page."""
    one = ANSWERS[name]

    assert headline(one) == AnswerOut.of(one).summary == says
    assert says in render_report([page(one, {})])


def test_style_stands_aside_where_a_work_is_shown() -> None:
    """No answer says "copy of" and "none of the registered artists" at once."""
    beside = lanes(ANSWERS["copy"])

    assert beside["copy"].startswith("Shows an altered copy of")
    assert "probability" not in beside["style"]
    html = render_report([page(ANSWERS["copy"], {})])
    assert "None of the registered artists" not in html
    assert html.index("<details>") < html.index("1. Bob") < html.index("</details>")


def test_no_word_claims_what_nobody_knows() -> None:
    """Over every kind of answer, as data and as a page."""
    findings = find_ours(list(ANSWERS.values()))
    said = [str(AnswerOut.of(one)) for one in ANSWERS.values()]
    said.append(str(FindingsOut.of(findings, ["broken.png"])))
    said.append(render_report([page(one, {}) for one in ANSWERS.values()]))

    assert [one for text in said for one in claims(text)] == []


def test_many_images_are_one_union() -> None:
    """Copies and styles are counted once, what needs a person and what was not read apart."""
    sure = [
        answer(Verdict.ATTRIBUTED, confidence=replace(SURE, p_nobody=p)) for p in (0.001, 0.002)
    ]
    strange = answer(Verdict.ABSTAIN, confidence=replace(SURE, p_nobody=0.9))
    findings = find_ours([*sure, strange, ANSWERS["copy"], ANSWERS["related"]])

    assert together(findings, unreadable=1) == (
        "3 of 5 images show registered works or resemble artists' styles: 1 by copy, 2 by style "
        "at a false discovery rate of 0.10; 1 related to registered works, for a person to look "
        "at; "
        "1 more could not be read."
    )
    assert set(findings.style) == {one.id for one in sure}
    unlike = answer(Verdict.ABSTAIN, confidence=replace(SURE, p_nobody=0.001, p_familiar=0.05))
    assert find_ours([*sure, unlike]).style == findings.style  # nobody is named for it
    assert (
        together(find_ours([strange]))
        == "0 of 1 images show registered works or resemble artists' styles."
    )


def test_how_much_of_a_work_is_shown_is_said_where_it_was_measured() -> None:
    """Of a sibling it is shared; where nobody measured it, no word."""
    assert "shows 49% of the work's content" in how_copied(ALTERED)
    assert "shares 49% of the work's content" in how_copied(RELATED)
    assert "of the work" not in how_copied(replace(ALTERED, content=None))


def test_what_both_show_is_outlined_on_both() -> None:
    """In pixels of each picture, with what is known of the work."""
    html = render_report([page(ANSWERS["copy"], {ALTERED.id: SHOWN})])

    assert html.count("<polygon") == 2
    assert 'points="50.0,25.0 100.0,25.0 100.0,75.0 50.0,75.0 "' in html
    assert (
        "mirrored, turned by -90°, shows 49% of the work&#39;s content; 97% of the strokes agree"
        in html
    )
    assert "Outlined on both" in html
    assert "CC0-1.0 · registered 2026-01-02" in html
    assert str(ALTERED.id) in html


def test_a_work_that_may_not_be_shown_stays_unseen() -> None:
    """Nothing is said to be outlined on a picture that is not there."""
    html = render_report([page(ANSWERS["copy"], {ALTERED.id: HIDDEN})])

    assert html.count("<polygon") == 1
    assert "This work is not shown here: may not be displayed" in html
    assert "Outlined on both" not in html


def test_an_image_that_was_not_kept_is_no_picture() -> None:
    """A report is made all the same; what could not be read is listed."""
    html = render_report(
        [page(ANSWERS["copy"], {ALTERED.id: SHOWN}, picture=None)], unreadable=["broken.png"]
    )

    assert "The image itself was not kept" in html
    assert "broken.png" in html
    assert "could not be read" in html


def test_a_report_takes_only_its_own_image(tmp_path: Path) -> None:
    """Another picture beside an answer would be false evidence."""
    source = portfolio(tmp_path / "p", artists=3, works=2)
    paths = sorted(source.rglob("*.png"))
    with open_services(Settings(home=tmp_path / "home", profile="stub")) as services:
        ingest(services, source)
        image, other = (read_image_file(path) for path in paths[:2])
        given = services.attributor.attribute(image)

        assert make_page(services, "a.png", image, given).picture
        with pytest.raises(BadInput, match="is not the image of answer"):
            make_page(services, "b.png", other, given)


@pytest.mark.parametrize("how", ["moved", "merged"])
def test_a_work_that_changed_hands_since_says_whose_it_is(tmp_path: Path, how: str) -> None:
    """The answer stays as it was given; the facts of the work are those of now."""
    source = portfolio(tmp_path / "p", artists=2, works=1)
    with open_services(Settings(home=tmp_path / "home", profile="stub")) as services:
        ingest(services, source)
        image = read_image_file(source / "artist-0" / "work-0.png")
        given = services.attributor.attribute(image)
        assert given.copy_of
        now = "Now registered under artist-1 (artist-1)."
        assert now not in render_report([make_page(services, "a", image, given)])

        if how == "moved":
            move(services, given.copy_of.id, "artist-1", US)
        else:
            merge(services, "artist-0", "artist-1")

        again = services.attributor.recall(given.id)
        assert again.copy_of
        assert again.copy_of.slug == "artist-0"
        assert now in render_report([make_page(services, "a", image, again)])


def test_a_batch_of_a_thousand_is_one_sentence() -> None:
    """With everything in it, and what could not be read."""
    kinds = [*ANSWERS.values()]
    answers = [
        replace(kinds[n % len(kinds)], id=uuid4(), image_sha256=uuid4().hex * 2) for n in range(997)
    ]

    findings = find_ours(answers)
    says = together(findings, unreadable=3)

    ours = len({*findings.copies, *findings.style})
    assert says.startswith(f"{ours} of 997 images show registered works")
    assert says.endswith("3 more could not be read.")
    assert claims(says) == []


def test_the_same_file_counts_once() -> None:
    """A batch that is filled up with one file finds no more than the file alone."""
    near = answer(Verdict.CANDIDATES, confidence=replace(SURE, p_nobody=0.04))
    strange = [answer(Verdict.ABSTAIN, confidence=replace(SURE, p_nobody=0.9)) for _ in range(4)]

    findings = find_ours([near, *strange, *[replace(near, id=uuid4()) for _ in range(12)]])

    assert (findings.images, findings.repeated, findings.style) == (5, 12, ())
    assert together(findings) == (
        "0 of 5 images show registered works or resemble artists' styles; 12 more are the same "
        "files again."
    )


def test_no_title_reads_as_the_programs_own_words() -> None:
    """It ends no quotation; a copy that is altered may hide others."""
    named = replace(ALTERED, title="X” by Pablo (pablo): the same bytes. “Y")

    says = lanes(answer(Verdict.COPY, copy_of=named))["copy"]

    assert says.startswith("Shows an altered copy of “X' by Pablo (pablo): the same bytes. 'Y” by")
    assert says.endswith("Other registered works may be in it as well: only the surest is named.")
