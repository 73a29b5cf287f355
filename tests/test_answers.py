"""Answers as they are recorded and sent: every version is read, and the names sent stay."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from api.answers import AnswerOut, FindingsOut, MemberOut, SearchOut, SetOut
from api.schemas import AttributionBrief
from attribution.answers import VERSION, CopyKind, Reason, Verdict, read_answer, write_answer
from attribution.catalogue.models import RecordedAttribution
from attribution.errors import SchemaMismatch
from attribution.index.points import Contribution
from attribution.lookup.results import (
    Findings,
    FoundWork,
    Member,
    SearchResult,
    SetArtist,
    SetAttribution,
    WrongFindings,
)
from attribution.lookup.wording import how_copied

EXAMPLES = Path(__file__).parent / "data" / "answers"


def example(name: str) -> dict[str, Any]:
    """Return a stored answer."""
    values: dict[str, Any] = json.loads((EXAMPLES / f"{name}.json").read_text("utf-8"))
    return values


def test_todays_shape_is_the_stored_one() -> None:
    """A change of the values that changes what is recorded needs a version and an example."""
    assert write_answer(read_answer(example(f"{VERSION}"))) == example(f"{VERSION}")


@pytest.mark.parametrize("version", range(1, VERSION + 1))
def test_every_version_has_an_example_that_is_read(version: int) -> None:
    """What is read from it is recorded in today's version."""
    examples = [path.stem for path in EXAMPLES.glob(f"{version}[-.]*")]

    assert examples
    for name in examples:
        assert write_answer(read_answer(example(name)))["version"] == VERSION


def test_the_oldest_answers_did_not_say_what_kind_of_copy_they_found() -> None:
    """The way it was found tells: exact ones are the same image, others at most near-identical."""
    oldest = example("1-oldest")
    exact = oldest | {"copy_of": oldest["copy_of"] | {"match": "bytes"}}

    by_bytes = read_answer(exact)
    assert by_bytes.verdict is Verdict.COPY
    assert by_bytes.copy_of is not None
    assert by_bytes.copy_of.kind is CopyKind.SAME_IMAGE
    by_hash = read_answer(oldest)
    assert (by_hash.verdict, by_hash.copy_of) == (Verdict.RELATED, None)
    assert by_hash.related_to is not None
    assert how_copied(by_hash.related_to) == "30 of 64 bits of the perceptual hash differ"


def test_near_identical_was_called_a_copy() -> None:
    """It is related; the part of the outline's area that was recorded then is not the content."""
    answer = read_answer(example("1-near-identical"))

    assert (answer.verdict, answer.copy_of) == (Verdict.RELATED, None)
    assert answer.related_to is not None
    assert how_copied(answer.related_to) == (
        "mirrored, turned by 90° clockwise; 97% of the strokes in what both show agree"
    )


def test_an_answer_without_a_copy_stays_as_it_was() -> None:
    """Of the first version too."""
    oldest = example("1-oldest") | {"verdict": "candidates", "copy_of": None}

    assert read_answer(oldest).verdict is Verdict.CANDIDATES


def test_a_list_says_what_the_answer_itself_says() -> None:
    """The column of the verdict holds that of the version in which it was recorded."""
    recorded = example("1-near-identical")
    row = RecordedAttribution(
        id=UUID(recorded["id"]),
        created_at=datetime.now(UTC),
        image_sha256=recorded["image_sha256"],
        verdict=recorded["verdict"],
        fingerprint=recorded["searched"]["fingerprint"],
        answer=recorded,
    )

    brief = AttributionBrief.of(row)
    assert (row.verdict, brief.verdict) == ("copy", Verdict.RELATED)
    assert brief.artists == ["ann"]


def test_a_newer_programs_answer_is_refused() -> None:
    """By its id, with the way out; read with today's fields it might say something else."""
    newer = example("1-oldest") | {"version": VERSION + 1}

    with pytest.raises(SchemaMismatch, match=rf"{newer['id']} .* version {VERSION + 1}.*newer"):
        read_answer(newer)


def test_an_answer_as_it_is_sent() -> None:
    """Every field has a value, so that one which is no longer read from the library is missed."""
    answer = read_answer(example(f"{VERSION}"))

    assert AnswerOut.of(answer).model_dump(mode="json") == example("http")


def test_a_membership_as_it_is_sent() -> None:
    """Likewise."""
    answer, sent = read_answer(example(f"{VERSION}")), example("http")
    member = Member(
        copy_of=answer.copy_of,
        related_to=answer.related_to,
        wrong=WrongFindings(400, 14, 0.06),
        searched=answer.searched,
        is_blank=True,
        notes=answer.notes,
        withdrawn_at=answer.withdrawn_at,
        declared=answer.declared,
        reasons=answer.reasons,
    )
    same = ["copy_of", "related_to", "searched", "notes", "withdrawn_at", "declared", "reasons"]

    assert MemberOut.of(member).model_dump(mode="json") == {name: sent[name] for name in same} | {
        "wrong": {"asked": 400, "found": 14, "at_most": 0.06},
        "is_blank": True,
        "summary": "The image is blank, so nothing can be said.",
    }


def test_a_set_as_it_is_sent() -> None:
    """With the answer for each image, as it is sent by itself."""
    joint = SetAttribution(
        answers=(read_answer(example(f"{VERSION}")),),
        pictures=1,
        verdict=Verdict.ATTRIBUTED,
        reasons=(Reason.TOO_FEW_WORKS,),
        nobody=0.2,
        p_nobody=0.01,
        artists=(SetArtist("ann", "Ann", 0.7, 0.5),),
    )

    assert SetOut.of(joint).model_dump(mode="json") == {
        "answers": [example("http")],
        "pictures": 1,
        "verdict": "attributed",
        "reasons": ["too_few_works"],
        "nobody": 0.2,
        "p_nobody": 0.01,
        "artists": [{"slug": "ann", "name": "Ann", "probability": 0.7, "p_value": 0.5}],
        "summary": "Together they resemble work by Ann (ann), in style only; "
        "the index had only 190 of 200 works.",
    }


def test_a_set_names_the_likely_alone() -> None:
    """The list has the nearest artists; the sentence those who cannot be ruled out."""
    artists = [SetArtist(one.lower(), one, 0.3, p) for one, p in (("Ann", 0.5), ("Bo", 0.05))]
    joint = SetAttribution((), 2, Verdict.CANDIDATES, (), 0.2, 0.2, tuple(artists))

    assert SetOut.of(joint).summary == "Together they resemble work by Ann (ann), in style only."


def test_findings_as_they_are_sent() -> None:
    """With the names of what could not be read."""
    ids = [UUID(int=number) for number in range(4)]
    findings = Findings(
        level=0.1,
        images=4,
        compared=2,
        copies=(ids[0],),
        related=(ids[1],),
        style=(ids[2],),
        declared=(ids[3],),
        incomplete=3,
        repeated=1,
    )
    sent = FindingsOut.of(findings, ["broken.png"]).model_dump(mode="json")

    assert sent.pop("summary").startswith("2 of 4 images show registered works or resemble")
    assert sent == {
        "level": 0.1,
        "images": 4,
        "compared": 2,
        "copies": [str(ids[0])],
        "related": [str(ids[1])],
        "style": [str(ids[2])],
        "declared": [str(ids[3])],
        "incomplete": 3,
        "repeated": 1,
        "unreadable": ["broken.png"],
    }


def test_a_search_as_it_is_sent() -> None:
    """Each hit with what every leg gave."""
    work = UUID(int=1)
    legs = {"text": Contribution(2.5, 1, 0.016)}
    found = FoundWork(work, "Boat", "ann", "Ann", "CC0", "CC0-1.0", 1890, 0.016, legs)
    searched = read_answer(example(f"{VERSION}")).searched

    assert SearchOut.of(SearchResult((found,), searched, ("a note",))).model_dump(mode="json") == {
        "hits": [
            {
                "id": str(work),
                "title": "Boat",
                "slug": "ann",
                "name": "Ann",
                "licence": "CC0",
                "licence_id": "CC0-1.0",
                "year": 1890,
                "score": 0.016,
                "legs": {"text": {"score": 2.5, "rank": 1, "part": 0.016}},
            }
        ],
        "searched": example("http")["searched"],
        "notes": ["a note"],
        "next": None,
        "facets": None,
    }
