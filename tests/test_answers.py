"""Answers as they are recorded: the shape of every version that there was can be read."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from api.schemas import AttributionBrief
from attribution.answers import VERSION, CopyKind, Verdict, read_answer, write_answer
from attribution.catalogue.models import RecordedAttribution
from attribution.errors import SchemaMismatch
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
    assert how_copied(answer.related_to) == "mirrored, turned by -90°; 97% of the strokes agree"


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
