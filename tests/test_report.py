"""What answers say, and the page for people: the words, the pictures, what is not shown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from api.answers import AnswerOut, FindingsOut
from api.reports import report
from api.reports.pages import Exhibit, Page, make_page
from api.reports.pdf import render_pdf
from api.reports.report import render_report
from api.reports.sentences import SENTENCES
from api.reports.telling import Outcome, outcome, tell
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
from attribution.cases import CaseOutcome, Ground
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

CONFIDENCE = Path(__file__).parents[1] / "docs" / "confidence.md"
TEMPLATES = Path(report.__file__).parent / "templates"
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


UNREFUSED = replace(SURE, nobody=0.4, p_nobody=0.3, likely=2)
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
    "unclear": answer(
        Verdict.ABSTAIN, artists=(artist("ann", is_likely=True),), confidence=UNREFUSED
    ),
    "withdrawn": answer(
        Verdict.ABSTAIN, reasons=(Reason.WITHDRAWN,), withdrawn_at=datetime(2026, 1, 2, tzinfo=UTC)
    ),
    "empty": answer(Verdict.ABSTAIN, searched=Searched(0, 0, "stub", "f" * 64)),
}


def page(one: Attribution, works: dict[UUID, Exhibit], picture: bytes | None = WEBP) -> Page:
    """Return the page of an answer."""
    return Page("found.png", picture, "The image itself was not kept.", one, works, {})


OUTCOMES = {
    "copy": Outcome.ALTERED_COPY,
    "same": Outcome.SAME_IMAGE,
    "nobodys": Outcome.ALTERED_COPY,
    "related": Outcome.NEAR_IDENTICAL,
    "attributed": Outcome.ATTRIBUTED,
    "candidates": Outcome.CANDIDATES,
    "uncalibrated": Outcome.UNCALIBRATED,
    "abstain": Outcome.NONE,
    "unclear": Outcome.UNCLEAR,
    "blank": Outcome.BLANK,
    "empty": Outcome.EMPTY,
    "withdrawn": Outcome.WITHDRAWN,
}
# Of a person, or of what somebody did: no likeness shows it.
ACCUSING = re.compile(
    r"\b(?:cop(?:ied|ying)|st(?:eal|ole)\w*|theft|thie\w+|plagiar\w*|pirat\w*|forge\w*|fake\w*"
    r"|illegal\w*|unlawful\w*|unauthori[sz]ed|without permission|misus\w*|abus\w*"
    r"|used (?:by|for|it)|rip\w*|wrong|violat\w*|proves?|belongs? to)\b",
    re.IGNORECASE,
)
DENIES = re.compile(r"It (?:does not|is not|says nothing)\b")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("copy", "Shows “Boat” by Ann (ann), with differences."),
        ("same", "Shows the same image as “Boat” by Ann (ann)."),
        ("nobodys", "Shows “Boat”, by an unknown artist, with differences."),
        (
            "related",
            "Shares much with “Boat” by Ann (ann), or with its series: a person must look.",
        ),
        ("attributed", "Resembles work by Ann (ann), in style only."),
        ("candidates", "Resembles work by Ann (ann), Bob (bob), in style only."),
        ("uncalibrated", "Resembles work by Ann (ann), in style only."),
        ("abstain", "Nothing registered stands out, which is no proof of absence."),
        ("blank", "Shows too little to be compared."),
        ("unclear", "Nothing registered stands out, which is no proof of absence."),
        (
            "withdrawn",
            "The very bytes of this image were registered once, withdrawn on 2026-01-02.",
        ),
        ("empty", "Nothing is registered yet, so nothing was compared."),
    ],
)
def test_the_first_line_says_what_is_known(name: str, says: str) -> None:
    """One sentence, the same as data and on the page."""
    one = ANSWERS[name]

    assert headline(one) == AnswerOut.of(one).summary == says
    assert says in render_report([page(one, {})])


def visible(one: Attribution) -> list[str]:
    """Return the texts of the report on an answer, sentence by sentence."""
    body = render_report([page(one, {})]).partition("<body>")[2]
    texts = re.sub(r"<[^>]*>", "\n", body).splitlines()
    return [said for text in texts for said in re.split(r"(?<=[.!?]) (?=[A-Z“])", unescape(text))]


def front(one: Attribution) -> dict[str, Sequence[str]]:
    """Return the sentences of the first page of an answer, by heading."""
    told = tell([page(one, {})], None).answers[0]
    return {section.heading: section.says for section in told.front}


@pytest.mark.parametrize("name", ANSWERS)
def test_the_first_page_explains_what_the_answer_is(name: str) -> None:
    """What it means, what it does not, and whom to ask: of every verdict, each once."""
    one = ANSWERS[name]
    kind = SENTENCES["outcomes"][outcome(one)]
    said = front(one)

    assert outcome(one) is OUTCOMES[name]
    headings = SENTENCES["headings"]
    for part in ("means", "means_not", "next"):
        assert len(said[headings[part]]) >= len(kind[part]) > 0
    shows_two = one.laid_on or one.verdict in {Verdict.ATTRIBUTED, Verdict.CANDIDATES}
    assert (headings["shared"] in said) == bool(shows_two)
    assert len(tell([page(one, {})], None).answers[0].figures) == (2 if shows_two else 1)


def test_every_outcome_has_its_sentences() -> None:
    """And there are answers here for each, and a row of the documentation."""
    assert SENTENCES["outcomes"].keys() == {*Outcome} == {*OUTCOMES.values()}
    rows = CONFIDENCE.read_text("utf-8")
    assert [one for one in Outcome if f"| `{one}` | " not in rows] == []


@pytest.mark.parametrize("name", ANSWERS)
def test_no_sentence_accuses(name: str) -> None:
    """A word of what somebody did is only in a sentence that says what the answer does not mean."""
    said = visible(ANSWERS[name])

    accusing = [one for one in said if ACCUSING.search(one) and not DENIES.match(one)]
    assert accusing == []


CLAIMED = ("valid", "untrusted", "invalid")


@pytest.mark.parametrize("state", CLAIMED)
def test_a_claim_of_the_file_is_said_to_be_one(state: str) -> None:
    """Content Credentials are what a signer says; the first page says what that is worth."""
    said = front(replace(ANSWERS["abstain"], credentials=state))

    assert SENTENCES["more"][state] in said["What this means"]
    assert SENTENCES["more"][state] not in front(ANSWERS["abstain"])["What this means"]


def test_it_is_said_why_the_runner_up_is_not_named() -> None:
    """And why those are who are named: in one sentence each."""
    likely, none, unlikely = (
        replace(artist("ann", is_likely=True), p_value=0.4),
        replace(artist("bob", is_likely=False), p_value=0.031),
        replace(artist("dora", is_likely=False), p_value=0.001),
    )
    one = answer(Verdict.ATTRIBUTED, artists=(likely, none, unlikely), confidence=SURE)
    ranking = tell([page(one, {})], None).answers[0].rest[1]

    assert [group.heading for group in ranking.groups] == [
        "1. Ann (named)",
        "2. Bob (runner-up, not named)",
        "3. Dora",
    ]
    why = "Why not named: of 100 works by registered artists, {} fit their own artist as badly as "
    assert [group.says[-1] for group in ranking.groups] == [
        "Named: likely, and nobody else is.",
        f"{why.format('about 3')}this image fits this one.",
        f"{why.format('fewer than 1')}this image fits this one.",
    ]


@pytest.mark.parametrize("name", ANSWERS)
def test_every_percentage_says_of_what(name: str) -> None:
    """It is a part of something, or the probability of it with what that takes for granted."""
    said = "\n".join(visible(ANSWERS[name]))

    assert re.findall(r"\S*%(?! probability| of ).*", said) == []
    assert re.findall(r".*% probability(?!.*if half of the images)", said) == []


def test_names_from_right_to_left_move_nothing_around_them() -> None:
    """In HTML and PDF each name is a unit; names from left to right stay as they are."""
    names = ("דוד כהן", "عبد الرحمن")
    both = [replace(artist(f"a{n}", is_likely=True), name=name) for n, name in enumerate(names)]
    one = answer(Verdict.CANDIDATES, artists=tuple(both), confidence=SURE)

    said = "Resembles work by \u2068דוד כהן\u2069 (a0), \u2068عبد الرحمن\u2069 (a1), in style only."
    assert said in visible(one)
    assert "\u2068" not in "".join(visible(ANSWERS["candidates"]))
    assert render_pdf([page(one, {})], "Attribution report", at=one.created_at)


def test_no_sentence_stands_in_a_template() -> None:
    """What is left without markup is no word; so all of it can be translated in one file."""
    html = (TEMPLATES / "report.html").read_text("utf-8")
    typ = re.sub(r"^//.*$", "", (TEMPLATES / "report.typ").read_text("utf-8"), flags=re.MULTILINE)

    texts = re.sub(r"{{.*?}}|{%.*?%}|<[^>]*>", " ", html, flags=re.DOTALL).split()
    assert texts == re.findall(r"(?:alt|aria-label|title)=\"(?!{{)", html) == []
    literals = re.findall(r'"([^"]*)"', typ)
    assert [one for one in literals if " " in one.strip()] == ["1 / 1", "Libertinus Serif"]
    assert re.findall(r"[\[*] *[A-Za-z]{2,} [a-z]+", typ) == []


def test_every_sentence_is_said() -> None:
    """None is left over from an earlier report."""
    code = "".join(path.read_text("utf-8") for path in TEMPLATES.parent.glob("*.py"))
    code += (TEMPLATES / "report.html").read_text("utf-8")
    whole = {"outcomes", "limits", "verify"}
    names = [name for table in SENTENCES.keys() - whole for name in SENTENCES[table]]

    unsaid = [name for name in names if not re.search(f"[\"']{name}[\"']", code)]
    # terms and explanations of what answers have by these names
    assert {*unsaid} <= {
        *lanes(ANSWERS["copy"]),
        *SENTENCES["limits"],
        *SENTENCES["verify"],
        *CLAIMED,
        *CaseOutcome,
        *Ground,
    }
    assert {*CaseOutcome} <= SENTENCES["decisions"].keys()
    assert {*Ground} == SENTENCES["grounds"].keys()


def test_style_stands_aside_where_a_work_is_shown() -> None:
    """No answer says "copy of" and "none of the registered artists" at once."""
    beside = lanes(ANSWERS["copy"])

    assert beside["copy"].startswith("Shows “")
    assert "probability" not in beside["style"]
    html = render_report([page(ANSWERS["copy"], {})])
    assert "None of the registered artists" not in html
    assert html.index("about style alone") < html.index("1. Bob")
    assert "named" not in html[html.index("1. Bob") :].partition("</h4>")[0]


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
        "Mirrored, turned by 90° clockwise, shows 49% of the work&#39;s content; "
        "97% of the strokes in what both show agree." in html
    )
    assert "Outlined on both" in html
    assert "Licence: CC0-1.0." in html
    assert "Registered 2026-01-02" in html
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

    assert says.startswith("Shows “X' by Pablo (pablo): the same bytes. 'Y” by")
    assert says.endswith("Other registered works may be in it as well: only the surest is named.")
    likely = artist("ann", is_likely=True)
    work = replace(likely.works[0], title=named.title)
    one = answer(Verdict.ATTRIBUTED, artists=(replace(likely, works=(work,)),), confidence=SURE)
    said = unescape(render_report([page(one, {})]))
    assert "most: “X' by Pablo (pablo): the same bytes. 'Y”." in said
    assert "1. “X' by Pablo (pablo): the same bytes. 'Y”, registered under ann" in said.replace(
        likely.name, "ann"
    )


def test_no_name_turns_the_direction_of_what_follows() -> None:
    """In HTML such a character is spelt out, as every other without a shape is in PDF."""
    named = replace(artist("ann", is_likely=True), name="Ann\u202e yb")
    said = unescape(
        render_report(
            [page(answer(Verdict.ATTRIBUTED, artists=(named,), confidence=SURE), {})],
            title="a\u2066b",
        )
    )

    assert "Ann[U+202E] yb" in said
    assert "a[U+2066]b" in said
    assert not re.search("[\u202a-\u202e\u2066\u2067]", said)
