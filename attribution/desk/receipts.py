"""What of a pack was withdrawn after it was made, by the receipts that its reader was given.

A pack that was handed out changes no more. Whoever withdraws something gets a receipt, and passes
it on to those who have a pack. Needs neither database nor a network.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from cryptography import x509

from attribution.answers import works_named
from attribution.desk.archive import answer_path
from attribution.desk.opened import UNREADABLE, Pack, Verified, plain
from attribution.errors import BadInput
from attribution.provenance.keys import Signer
from attribution.provenance.statements import key_id, read_statement, sign_statement

RECEIPT = "withdrawal_receipt"  # what the signed statement calls it
LARGEST = 32 << 20  # bytes: 36 for each work


@dataclass(frozen=True)
class Receipt:
    """Which works were withdrawn, when, and who vouches for it."""

    name: str  # of the file
    id: UUID
    at: datetime
    is_complete: bool
    works: frozenset[str]
    signer: x509.Certificate | None  # None: JSON without a signature


def sign_receipt(said: Mapping[str, Any], signer: Signer) -> str:
    """Sign what `lawful withdraw --json` says; raises BackendUnavailable when nothing signs."""
    return sign_statement({RECEIPT: said}, signer)


def read_receipt(path: Path) -> Receipt:
    """Read a receipt, signed or as JSON; raises BadInput for what is none or was altered."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST)  # what is cut off is no receipt any more
        text, signer = data.decode().strip(), None
        if text.startswith("{"):
            said = json.loads(text)
        else:
            statement, signer = read_statement(text)
            said = statement[RECEIPT]
        said = said | said.get("receipt", {})  # where the API has it
        return Receipt(
            name=path.name,
            id=UUID(said["id"]),
            at=datetime.fromisoformat(said["requested_at"]).astimezone(UTC),
            is_complete=said["completed_at"] is not None,
            works=frozenset(str(UUID(one)) for one in said["works"]),
            signer=signer,
        )
    except OSError as error:
        raise BadInput(f"the receipt {path} cannot be read: {error.strerror}") from None
    except (BadInput, *UNREADABLE) as error:
        raise BadInput(
            f"{path} is no receipt of a withdrawal, or it was altered: {error}; give what the "
            f"withdrawal wrote: its receipt, or its answer as JSON"
        ) from None


def check_receipts(
    pack: Pack,
    manifest: Mapping[str, Any],
    receipts: Collection[Receipt],
    signer: x509.Certificate | None,
) -> None:
    """Say what of a pack the receipts are about."""
    wanted = frozenset[str]().union(*(receipt.works for receipt in receipts))
    places = _places(pack, wanted)
    made_at = datetime.fromisoformat(manifest["made_at"])
    for receipt in receipts:
        about = receipt.works & places.keys()
        _vouched(pack.found, receipt, signer)
        if not about:
            pack.found.say("withdrawn", f"receipt {receipt.id} is about nothing in the pack")
        when = "after" if receipt.at > made_at else "before"
        for work in sorted(about):
            pack.found.say(
                "withdrawn",
                f"work {work}, {when} the pack was made: {receipt.at:%Y-%m-%d %H:%M:%S} UTC by "
                f"receipt {receipt.id}; in {len(places[work]):,} files of the pack: "
                f"{', '.join(places[work])}",
            )


def _vouched(found: Verified, receipt: Receipt, signer: x509.Certificate | None) -> None:
    """Say whose word a receipt is."""
    if receipt.signer is None:
        whose = "is not signed: anybody can have written it"
    elif signer is not None and key_id(receipt.signer) == key_id(signer):
        whose = "is signed with the key of the pack"
    else:
        whose = f"is signed with another key than the pack, {key_id(receipt.signer)}"
    state = (
        "" if receipt.is_complete else "; when it was written, something was still to be removed"
    )
    found.say("withdrawn", f"receipt {receipt.id} ({plain(receipt.name)}) {whose}{state}")


def _places(pack: Pack, works: frozenset[str]) -> dict[str, list[str]]:
    """Return in which files of a pack there is something of these works."""
    places: dict[str, list[str]] = {}
    for work in works:
        if (path := f"works/{work}.webp") in pack.names:
            places[work] = [path]
    for lookup, names in pack.lookups.items():
        path = answer_path(lookup)
        with pack.found.reading("withdrawn", path):
            answer = pack.json(path)
            shows = {one["id"] for one in (answer["copy_of"], answer["related_to"]) if one}
            for work in {one["id"] for one in works_named(answer)} & works:
                drawn = names if work in shows else [path]
                places.setdefault(work, []).extend(map(plain, _of_work(drawn)))
    return places


def _of_work(names: Collection[str]) -> Iterator[str]:
    """Yield those files of a lookup that say or show something of the work that it laid on."""
    for name in names:
        if name.rpartition("/")[2].startswith(("answer.", "subject.", "overlap")):
            yield name
