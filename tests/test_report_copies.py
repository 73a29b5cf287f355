"""A copy in the report: both pictures, and on each the outline of what both show."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

from api.report import Page, render_report
from api.wording import how_copied
from attribution.images import thumbnail
from attribution.types import Attribution, CopyKind, CopyMatch, Overlap, Searched, Verdict
from tests.portfolios import picture

FULL = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
PART = ((0.5, 0.25), (1.0, 0.25), (1.0, 0.75), (0.5, 0.75))


def copied(overlap: Overlap | None) -> CopyMatch:
    """Return a finding, of before there were outlines without one."""
    kind = CopyKind.ALTERED_COPY if overlap else None
    found = CopyMatch(uuid4(), "Boat", "ann", "Ann", "geometric", 30, (), overlap, kind)
    return replace(found, agreement=0.97 if overlap else None)


def page(copy: CopyMatch, *, is_shown: bool = True) -> Page:
    """Return the page of an answer that names a copy."""
    webp = thumbnail(picture(1, side=100))
    answer = Attribution(
        uuid4(), datetime.now(UTC), "ab", Verdict.COPY, copy, (), Searched(1, 1, "stub", "f"), ()
    )
    return Page("found.png", webp, answer, {copy.id: webp} if is_shown else {}, {})


def test_what_both_show_is_outlined_on_both() -> None:
    """In pixels of each picture."""
    html = render_report(
        [page(copied(Overlap(PART, FULL, is_mirrored=True, turned_degrees=-90.0, shown=1.0)))]
    )

    assert html.count("<polygon") == 2
    assert 'points="50.0,25.0 100.0,25.0 100.0,75.0 50.0,75.0 "' in html
    assert "mirrored, turned by -90°, shows 100% of the work" in html
    assert "An altered copy of “Boat”" in html
    assert "97% of the strokes agree" in html


def test_a_work_that_may_not_be_shown_stays_unseen() -> None:
    """Its outline has no picture to lie on; the image in question keeps its own."""
    html = render_report(
        [
            page(
                copied(Overlap(PART, FULL, is_mirrored=False, turned_degrees=0.0, shown=1.0)),
                is_shown=False,
            )
        ]
    )

    assert html.count("<polygon") == 1
    assert "display not" in html


def test_answers_of_before_can_be_read() -> None:
    """Without kind and outline."""
    assert how_copied(copied(None)) == "the same geometric"
    assert "<polygon" not in render_report([page(copied(None))])
