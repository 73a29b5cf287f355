"""What went into an image, as its Content Credentials say it, and how far each can be believed.

A manifest that came along with an ingredient was verified by whoever signed the image, with the
ingredient at hand; it is verified once more here, without. The stricter of the two counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from attribution.images.credentials import LONGEST, VOUCHED, State, words
from attribution.images.manifests import Report, active_manifest, at, listed
from attribution.images.rights import tidy

TRUSTED, UNTRUSTED = "signingCredential.trusted", "signingCredential.untrusted"


@dataclass(frozen=True)
class Ingredient:
    """Something that went into an image."""

    title: str | None
    description: str | None
    relationship: str | None  # "parentOf": what it was made from; "componentOf", "inputTo"
    state: State  # of the Content Credentials that it brought along
    reason: str | None  # what is wrong with them
    signer: str | None  # of these


def ingredients(report: Report) -> tuple[Ingredient, ...]:
    """Return what the image's own manifest says went into it, in its order."""
    return tuple(_ingredient(one, report) for one in listed(active_manifest(report), "ingredients"))


def _ingredient(one: Any, report: Report) -> Ingredient:
    manifest = at(report, "manifests", str(at(one).get("active_manifest")))
    failures = [code for code in _failures(one, report) if code != UNTRUSTED]
    return Ingredient(
        title=words(at(one).get("title")),
        description=words(at(one).get("description")),
        relationship=words(at(one).get("relationship")),
        state=_state(one, report, has_failed=bool(failures)),
        reason=", ".join(dict.fromkeys(failures))[:LONGEST] or None,
        signer=words(*map(at(manifest, "signature_info").get, ("common_name", "issuer"))),
    )


def _state(one: Any, report: Report, *, has_failed: bool) -> State:
    if not at(one).get("active_manifest"):
        return State.ABSENT
    if has_failed:
        return State.INVALID
    changes = list(_deltas(one, report))
    vouched = any(_is_vouched(found) for found in (_recorded(one), *changes))
    doubted = any(UNTRUSTED in _codes(found, "failure") for found in changes)
    return State.VALID if vouched and not doubted else State.UNTRUSTED


def _recorded(one: Any) -> Mapping[str, Any]:
    """Return what whoever signed the image found of an ingredient's manifest."""
    return at(one, "validation_results", "activeManifest")


def _deltas(one: Any, report: Report) -> Iterator[Mapping[str, Any]]:
    """Yield what is found otherwise now."""
    place = f"/{report.get('active_manifest')}/c2pa.assertions/{at(one).get('label')}"
    for delta in listed(at(report, "validation_results"), "ingredientDeltas"):
        if str(at(delta).get("ingredientAssertionURI")).endswith(place):
            yield at(delta, "validationDeltas")


def _failures(one: Any, report: Report) -> Iterator[str]:
    for found in (_recorded(one), *_deltas(one, report)):
        yield from _codes(found, "failure")


def _codes(found: Mapping[str, Any], kind: str) -> list[str]:
    return [tidy(str(at(one).get("code"))) for one in listed(found, kind)]


def _is_vouched(found: Mapping[str, Any]) -> bool:
    """Tell whether a trust anchor vouches: c2pa takes those of times for such as well."""
    return any(
        at(one).get("code") == TRUSTED and VOUCHED in str(at(one).get("explanation"))
        for one in listed(found, "success")
    )
