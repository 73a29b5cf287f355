"""What the audit in a pack vouches for: answers, cases, and the arithmetic of answers.

The chain of entries leads to signed heads, entries vouch for records, and records for what the pack
says. Needs neither database nor models.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography import x509

from attribution.answers import parted, read_answer
from attribution.arithmetic import commitments
from attribution.desk.archive import (
    CASE,
    CHAIN,
    LOOKUPS,
    MANIFEST,
    RECORDS,
    answer_path,
    subject_path,
    workings_path,
)
from attribution.desk.opened import Pack, Verified, plain
from attribution.errors import BadInput
from attribution.lookup.recomputing import recompute
from attribution.provenance.statements import key_id, read_statement
from attribution.tenants import DEFAULT

FIXED = ("id", "number", "kind", "title", "appeals", "opened_at", "opened_by")
"""What the record of a case begins with; the case that it follows may come behind it."""


@dataclass(frozen=True)
class Vouched:
    """What the entries in a pack say."""

    entries: Mapping[int, Mapping[str, Any]]  # the leaves of each, by number
    gone: frozenset[tuple[str, str, str]]  # receipt, object and leaf of what was forgotten


def follow_chain(pack: Pack, signer: x509.Certificate | None) -> Vouched:
    """Follow the chain of the audit from the entries in a pack to the signed heads."""
    found, entries, seals = pack.found, dict[int, Any](), dict[int, Any]()
    for segment in pack.json(CHAIN):
        number, digest = segment["first"] - 1, segment["before"]
        for one in segment["links"]:
            number += 1
            record = one
            if not isinstance(one, str):
                entries[number], seals[number] = one["leaves"], one["seal"]
                if one["seal"].keys() != one["leaves"].keys():
                    raise BadInput(f"the seal of entry {number} is for other parts than it has")
                record = commitments.digest(one["leaves"], one["seal"])
            digest = commitments.link(digest, number, record)
        said, by = read_statement(pack.text(segment["head"]).decode("ascii").strip())
        head = plain(segment["head"])
        if (said["sequence"], said["digest"]) != (number, digest):
            found.fault("audit", f"the chain does not lead to {head}: it is cut")
        elif signer is not None and key_id(by) != key_id(signer):
            found.fault("audit", f"{head} is signed with another key than the pack")
        else:
            found.say("audit", f"the chain of the audit is whole up to entry {number}, signed")
    gone = frozenset(_explained(entries))
    for number, seal in seals.items():
        for leaf, one in seal.items():
            if "commitment" in one and not (
                (one["receipt"], str(number), leaf) in gone and entries[number][leaf] == "erased"
            ):
                found.fault("audit", f"{leaf!r} of entry {number} is gone without an entry on that")
    return Vouched(entries, gone)


def _explained(entries: Mapping[int, Mapping[str, Any]]) -> Iterator[tuple[str, str, str]]:
    """Yield what entries say is gone: receipt, object or number of an entry, leaf."""
    for one in entries.values():
        about, details = str(one["object"]), one["details"]
        if one["action"] == "erase":
            yield from ((about, str(number), "actor") for number in details["entries"])
        if one["action"] == "forget":
            receipt = about.removeprefix("withdrawal:")
            for key, leaves in details["leaves"].items():
                yield from ((receipt, key, leaf) for leaf in leaves)


def check_records(pack: Pack, vouched: Vouched, answers: Collection[str]) -> None:
    """Hold records against the entries that vouch for them, and answers against records."""
    found = pack.found
    records = {plain(str(one["object"])): one for one in pack.json(RECORDS)}
    for key, one in records.items():
        if one["entry"] is None:
            found.say(
                "audit",
                f"no entry vouches for {key}: recorded before the audit began, as the pack says",
            )
            continue
        said = vouched.entries.get(one["entry"])
        if said is None or said["object"] != key:
            found.fault(
                "audit", f"{key}: the entry {one['entry']} that should vouch for it does not"
            )
        elif said["details"].get("digest") != commitments.digest(one["leaves"], one["seal"]):
            found.fault("audit", f"{key} does not say what entry {one['entry']} recorded")
        elif more := commitments.unproved(one["leaves"], one["seal"]):
            found.fault(
                "audit", f"{key} says of {more[0]!r} what entry {one['entry']} did not record"
            )
        else:
            _removed(found, key, one["seal"], vouched)
    _left_out(found, records)
    if CASE in pack.names:
        with found.reading("case", CASE):
            _case(pack, records)
    for other in sorted(pack.lookups.keys() - answers):
        found.fault("answer", f"{LOOKUPS}/{plain(other)} is of no answer that the pack is about")
    for attribution in answers:
        with found.reading("answer", answer_path(attribution)):
            _answer(pack, attribution, records[f"attribution:{attribution}"], vouched)
    for taken, count in pack.taken.items():
        of = "1 answer" if count == 1 else f"{count:,} answers"
        found.say("arithmetic", f"of {of}: {plain(taken)}")


def _case(pack: Pack, records: Mapping[str, Any]) -> None:
    """Hold what people said in a case against the records of it."""
    case = pack.json(CASE)

    _fixed(
        records,
        "case",
        case,
        *(case[name] for name in FIXED),
    )
    listed = Counter[str]()
    for one in case["findings"]:
        about = one["id"], case["id"], one["lane"], one["statement"]
        for said in one["assessments"]:
            words = said["verdict"], said["why"], said["by"], said["at"]
            _fixed(records, "assessment", said, said["id"], *about, *words)
            listed["assessment"] += 1
    for said in case["decisions"]:
        what = said["number"], said["outcome"], said["ground"], said["words"], said["by"]
        when = said["at"], said["supersedes"], said["needs_second"]
        _fixed(records, "decision", said, said["id"], case["id"], *what, *when)
        second = [said["seconded_by"], said["seconded_at"]]
        if records[f"decision:{said['id']}"]["leaves"]["second"] != second:
            raise BadInput(f"who seconded decision {said['number']} is not what was recorded")
        listed["decision"] += 1
    listed["document"] = _documents(case, records)
    for kind in ("assessment", "decision", "document"):
        if sum(key.startswith(f"{kind}:") for key in records) != listed[kind]:
            raise BadInput(f"it does not have every {kind} of which there is a record in the pack")
    number, assessed, decided = case["number"], listed["assessment"], listed["decision"]
    pack.found.say(
        "case",
        f"case {number}: assessments ({assessed}), decisions ({decided}) and documents "
        f"({listed['document']}) are as they were recorded; that there was no later one is the "
        f"word of whoever signed",
    )
    for one in case.get("appealed", ()):  # packs of before do not have it
        pack.found.say(
            "case",
            f"decision {plain(str(one['decision']))} was appealed against in case "
            f"{plain(str(one['number']))}: "
            f"{plain(one['outcome'] or 'not decided')}; that is the word of whoever signed",
        )
    _earlier(pack, case, records[f"case:{case['id']}"]["leaves"][""])


def _earlier(pack: Pack, case: Mapping[str, Any], recorded: Sequence[Any]) -> None:
    """Hold which case this one goes back to against the record of it."""
    manifest = pack.json(MANIFEST)
    of_tenant = 0 if manifest["tenant"] == DEFAULT else 1
    follows = next(iter(recorded[len(FIXED) : len(recorded) - of_tenant]), None)
    if case.get("follows", follows) != follows:
        raise BadInput("the case that it follows is not the one that was recorded")
    if "case" in manifest:  # packs of before do not name it there
        named = manifest["case"]
        earlier = named["earlier"] or {"id": None, "decision": None}
        is_appeal = earlier["decision"] is not None
        if (
            (named["id"], named["number"]) != (case["id"], case["number"])
            or is_appeal != (case["appeals"] is not None)
            or (earlier["id"] != follows and not is_appeal)
        ):
            raise BadInput(f"{MANIFEST} names another case, or another that it goes back to")
    word = "its number is the word of whoever signed"
    if follows:
        pack.found.say("case", f"it follows the closed case {plain(follows)}, as recorded; {word}")
    if appeals := case["appeals"]:
        pack.found.say("case", f"it appeals against decision {plain(appeals)}, as recorded; {word}")


def _documents(case: Mapping[str, Any], records: Mapping[str, Any]) -> int:
    """Hold what is said of documents against the records of them; returns how many there are."""
    listed: Sequence[Mapping[str, Any]] = case.get("documents", ())  # packs of before have none
    for said in listed:
        file = said["title"], said["sha256"], said["size"], said["media_type"]
        _fixed(records, "document", said, said["id"], case["id"], *file, said["by"], said["at"])
        removed = [said["removed_at"], said["removed_by"], said["removed_why"]]
        if records[f"document:{said['id']}"]["leaves"]["removed"] != removed:
            raise BadInput(f"whether document {plain(said['id'])} is gone is not what was recorded")
    return len(listed)


def _fixed(records: Mapping[str, Any], kind: str, said: Mapping[str, Any], *values: object) -> None:
    """Raise BadInput unless the record of something begins with these values."""
    record = records[f"{kind}:{said['id']}"]
    if record["entry"] is None or record["leaves"][""][: len(values)] != [*values]:
        raise BadInput(f"its {kind} {plain(said['id'])} is not the one that was recorded")


def _answer(pack: Pack, attribution: str, record: Mapping[str, Any], vouched: Vouched) -> None:
    """Hold an answer, and the image that it is about, against the record of it."""
    path, leaves, number = answer_path(attribution), record["leaves"], record["entry"]
    answer = pack.json(path)
    fixed, rest = leaves[""][:5], leaves[""][5]
    said, works = parted(answer)
    known = {work: one for work, one in leaves.items() if work and any(one)}
    if said != rest or {work: one for work, one in works.items() if any(one)} != known:
        raise BadInput("it is not the answer that was recorded")
    if fixed[0] != attribution:
        raise BadInput(f"it is the answer {plain(fixed[0])}")
    for name in pack.lookups[attribution]:
        is_subject = name.startswith(subject_path(attribution, ""))
        if is_subject and pack.digests.get(name, ("",))[0] != fixed[2]:
            raise BadInput(f"{plain(name)} is not the image that it is about")
    at = datetime.fromisoformat(vouched.entries[number]["at"] if number else fixed[1])
    place = f"entry {number} of the audit" if number else "as the pack itself says"
    pack.found.say("answer", f"{attribution}: recorded {at:%Y-%m-%dT%H:%M:%S} UTC, {place}")
    with pack.found.reading("arithmetic", workings_path(attribution)):
        _compute(pack, attribution, answer)


def _compute(pack: Pack, attribution: str, recorded: Mapping[str, Any]) -> None:
    """Do the arithmetic of an answer again."""
    found, path = pack.found, workings_path(attribution)
    answer = read_answer(recorded)
    if path not in pack.names:
        if answer.pins and answer.pins.workings:
            found.say("arithmetic", f"{attribution}: what it was computed from is not in the pack")
        return
    again = recompute(answer, pack.json(path))
    for figure in again.differing:
        found.fault("arithmetic", f"{attribution}: {plain(figure.said)}")
    if again.is_right:
        found.say("arithmetic", f"{attribution}: {again.said}")
    pack.taken.update(again.taken)


def _removed(found: Verified, key: str, seal: commitments.Seal, vouched: Vouched) -> None:
    """Say which parts of a record are gone, and by which receipts they went."""
    for leaf, one in seal.items():
        if "commitment" not in one or "receipt" not in one:
            continue
        part = f"{plain(leaf)!r} of {key}"
        if (one["receipt"], key, leaf) in vouched.gone:
            found.say("removed", f"{part} was removed by the withdrawal {plain(one['receipt'])}")
        else:
            found.fault("removed", f"{part} is gone without an entry that says so")


def _left_out(found: Verified, records: Mapping[str, Any]) -> None:
    """Say of how many records, by kind, the pack has commitments without what they are to."""
    kinds = Counter(
        key.partition(":")[0]
        for key, record in records.items()
        if any("commitment" in one and "receipt" not in one for one in record["seal"].values())
    )
    for kind, count in sorted(kinds.items()):
        records_of = f"{count:,} record{'s' if count > 1 else ''} of kind {plain(kind)}"
        found.say("left out", f"of {records_of} a part is not in the pack; its commitment is")
