"""Answers as they leave the program as data: what is known, and the sentences that say it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Self

from pydantic import TypeAdapter

from attribution.answers import Attribution
from attribution.lookup.results import Findings, Member, SetAttribution
from attribution.lookup.wording import by_one_hand, headline, lanes, membership, together


class _AsJson:
    """Turns a data class into JSON values."""

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        values: dict[str, Any] = TypeAdapter(type(self)).dump_python(self, mode="json")
        return values


@dataclass(frozen=True)
class AnswerOut(_AsJson, Attribution):
    """The answer for one image, with what it says."""

    summary: str = ""  # one sentence
    lanes: dict[str, str] = field(default_factory=dict)  # a sentence each: copy, style, provenance

    @classmethod
    def of(cls, answer: Attribution) -> Self:
        """Add the words."""
        return cls(**_values(answer), summary=headline(answer), lanes=lanes(answer))


@dataclass(frozen=True)
class MemberOut(_AsJson, Member):
    """Whether an image is registered, with what that says."""

    summary: str = ""

    @classmethod
    def of(cls, answer: Member) -> Self:
        """Add the words."""
        return cls(**_values(answer), summary=membership(answer))


@dataclass(frozen=True)
class SetOut(_AsJson, SetAttribution):
    """One answer for images that are said to be by one hand, with what it says."""

    answers: tuple[AnswerOut, ...]
    summary: str = ""

    @classmethod
    def of(cls, answer: SetAttribution) -> Self:
        """Add the words."""
        values = _values(answer) | {"answers": tuple(map(AnswerOut.of, answer.answers))}
        return cls(**values, summary=by_one_hand(answer))


@dataclass(frozen=True)
class FindingsOut(_AsJson, Findings):
    """Which of many images show or resemble what is registered, and the sentence about it."""

    unreadable: tuple[str, ...] = ()  # names of images
    summary: str = ""

    @classmethod
    def of(cls, findings: Findings, unreadable: Sequence[str] = ()) -> Self:
        """Add the words."""
        summary = together(findings, unreadable=len(unreadable))
        return cls(**_values(findings), unreadable=tuple(unreadable), summary=summary)


def _values(known: Any) -> dict[str, Any]:
    return {one.name: getattr(known, one.name) for one in fields(known)}
