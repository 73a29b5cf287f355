"""Answers as they are recorded, and read again.

What an earlier version recorded is read with the claims of this one: then "near-identical" was
called a copy, and the oldest answers did not say what kind of copy they had found.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from attribution.types import Attribution, CopyKind, Verdict

ANSWER = TypeAdapter(Attribution)
"""Attribution to JSON and back."""

EXACT = ("bytes", "pixels")


def read_answer(recorded: Mapping[str, Any]) -> Attribution:
    """Return a recorded answer, with what is claimed of a work in the words of this version."""
    copy = recorded["copy_of"]
    if copy is None:
        return ANSWER.validate_python(recorded)
    guessed = CopyKind.SAME_IMAGE if copy["match"] in EXACT else CopyKind.NEAR_IDENTICAL
    copy = {**copy, "kind": copy.get("kind") or guessed}
    if copy["kind"] != CopyKind.NEAR_IDENTICAL:
        return ANSWER.validate_python({**recorded, "copy_of": copy})
    as_related = {"verdict": Verdict.RELATED, "copy_of": None, "related_to": copy}
    return ANSWER.validate_python({**recorded, **as_related})
