"""Commitments to what a record says: a part can be forgotten, and the rest still be checked.

Each part (leaf) is committed to by a hash with a salt of its own. A record's digest is over the
commitments alone, so that a leaf and its salt may go: nobody can find out what it was, not even by
guessing, and the digest stays the same.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Collection, Mapping
from typing import Any

import rfc8785

SALT_BYTES = 16
START = "0" * 64  # the digest before the first entry of a chain

Seal = dict[str, dict[str, str]]
"""By leaf {"salt": …}, in hexadecimal; of a forgotten one {"commitment": …, "receipt": …}."""


def seal(leaves: Mapping[str, Any]) -> Seal:
    """Draw salts for leaves, any JSON values."""
    return {leaf: {"salt": secrets.token_hex(SALT_BYTES)} for leaf in leaves}


def digest(leaves: Mapping[str, Any], kept: Seal) -> str:
    """Return the digest of a record, SHA-256 over the commitments to its leaves by name.

    The JSON is canonical (RFC 8785). Leaves without a salt count as forgotten.
    """
    return hashlib.sha256(rfc8785.dumps(commitments(leaves, kept))).hexdigest()


def commitments(leaves: Mapping[str, Any], kept: Seal) -> dict[str, str]:
    """Return the commitment to each leaf of a seal: HMAC-SHA-256 of name and value by its salt."""
    return {
        leaf: one["commitment"] if "commitment" in one else _commitment(leaf, leaves, one["salt"])
        for leaf, one in kept.items()
    }


def forget(leaves: Mapping[str, Any], kept: Seal, names: Collection[str], receipt: str) -> Seal:
    """Return the seal of a record that forgets some leaves; what is forgotten already stays so."""
    found = commitments(leaves, kept)
    return {
        leaf: {"commitment": found[leaf], "receipt": receipt}
        if leaf in names and "salt" in one
        else one
        for leaf, one in kept.items()
    }


def link(before: str, sequence: int, record: str) -> str:
    """Return the digest of a chain that goes on with this record."""
    return hashlib.sha256(rfc8785.dumps([before, sequence, record])).hexdigest()


def unproved(leaves: Mapping[str, Any], kept: Seal) -> list[str]:
    """Return the leaves that say something that nothing commits to.

    A commitment in the place of a salt could stand for anything.
    """
    return [
        leaf
        for leaf, said in leaves.items()
        if (leaf not in kept or "commitment" in kept[leaf]) and not is_empty(said)
    ]


def is_empty(said: Any) -> bool:
    """Tell whether a leaf says nothing, as one does that was forgotten."""
    return not said or (isinstance(said, list) and not any(said))


def _commitment(leaf: str, leaves: Mapping[str, Any], salt: str) -> str:
    said = rfc8785.dumps([leaf, leaves.get(leaf)])
    return hmac.digest(bytes.fromhex(salt), said, "sha256").hex()
