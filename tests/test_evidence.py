"""Evidence packs: what is in one, that a change of any byte is found, and who may make one."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import struct
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

import pytest
import rfc8785
from cryptography import x509

from api.http.app import create_app
from api.reports import evidence
from api.reports.evidence import contents_of
from attribution.actors import Role
from attribution.arithmetic import commitments
from attribution.catalogue import queries
from attribution.catalogue.chain import erase
from attribution.catalogue.models import AuditEntry
from attribution.catalogue.queries import EntriesWanted
from attribution.collection import open_stores
from attribution.config import Settings
from attribution.custody import How
from attribution.desk import proof
from attribution.desk.archive import (
    CHAIN,
    LARGEST_JSON,
    MANIFEST,
    RECORDS,
    SIGNATURE,
    SIGNS,
    Archive,
    entry,
)
from attribution.desk.packing import Part, write_pack
from attribution.desk.receipts import read_receipt, sign_receipt
from attribution.desk.verification import Trusted, verify
from attribution.errors import BackendUnavailable, BadInput, NotFound, RecordAltered
from attribution.images import read_image
from attribution.lookup.subjects import Obtained, keeping
from attribution.provenance.own_key import statement_signer
from attribution.provenance.statements import sign_statement
from attribution.services import Services, open_services
from attribution.upkeep.withdrawal import withdraw
from tests.apis import is_problem, local_client, png, settings
from tests.authorities import authority
from tests.commands import lawful
from tests.corrections import merge
from tests.homes import copy_home
from tests.keys import bearing, make_key
from tests.portfolios import ingest, portfolio

ATTACK = '#panic("x") *b* <b>x</b> ${{7*7}} \u202egnp.exe שלום مرحبا 漢字 😀'


@dataclass(frozen=True)
class Made:
    """A home, and a pack of two of its lookups: an image of its own, and a registered one."""

    home: Path
    pack: Path
    lookups: list[UUID]
    key: str


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Make a pack once; for reading only."""
    folder = tmp_path_factory.mktemp("evidence")
    with open_services(settings(folder / "home")) as services:
        ingest(services, portfolio(folder / "p"))
        registered = next((folder / "p").rglob("*.png")).read_bytes()
        lookups = [ask(services, data) for data in (png(777), registered)]
        packed = write_pack(services, contents_of(services, lookups), folder / "pack.zip")
    return Made(folder / "home", folder / "pack.zip", lookups, packed.key)


def ask(services: Services, data: bytes) -> UUID:
    """Ask about an image and keep it; returns the id of the answer."""
    image = read_image(data)
    keep = keeping(services, image, lambda: data, Obtained(How.FILE))
    return services.attributor.attribute(image, also=keep).id


def files_of(pack: Path) -> dict[str, bytes]:
    """Return the files of a pack, in their order."""
    with ZipFile(pack) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def written(path: Path, files: dict[str, bytes]) -> Path:
    """Write files as this program writes a pack."""
    with ZipFile(path, "w", ZIP_STORED) as archive:
        for name, data in files.items():
            archive.writestr(entry(name), data)
    return path


def faults(pack: Path, key: str | None = None) -> str:
    """Return what is wrong with a pack, a line each."""
    return "\n".join(one.said for one in verify(pack, Trusted(key)).findings if one.is_wrong)


def test_a_pack_is_intact_and_says_who_signed_it_and_where_it_is_in_the_audit(made: Made) -> None:
    """With the key that the sender publishes, and without it."""
    found = verify(made.pack, Trusted(made.key))

    assert found.is_intact, found.findings
    said = "\n".join(one.said for one in found.findings)
    assert (
        f"signed by CN=Lawful Diffusion evidence key with the key that you gave, {made.key}" in said
    )
    assert re.search(r"the chain of the audit is whole up to entry \d+, signed", said)
    for one in made.lookups:
        assert re.search(rf"{one}: recorded \S+ UTC, entry \d+ of the audit", said)
    assert "whose key that is, this does not say" in str(verify(made.pack).findings)


def test_what_is_in_it(made: Made) -> None:
    """Images, works, outlines, regions, answers, reports; names are ours, JSON is canonical."""
    files = files_of(made.pack)

    manifest = json.loads(files[MANIFEST])
    assert [one["path"] for one in manifest["files"]] == list(files)[:-2]
    assert manifest["attributions"] == [str(one) for one in made.lookups]
    mine, copied = (f"lookups/{one}" for one in made.lookups)
    assert files[f"{mine}/subject.png"] == png(777)
    assert {f"{mine}/regions-1.webp", f"{copied}/overlap.webp", "report.html"} <= files.keys()
    shown = json.loads(files["exhibits.json"])
    assert all(one["file"] in files for one in shown["works"].values())
    codes = json.loads(files["identifiers.json"])
    assert codes[shown["subjects"][str(made.lookups[0])]["sha256"]]["iscc"].startswith("ISCC:K")
    for path, data in files.items():
        if path.endswith(".json"):
            assert rfc8785.dumps(json.loads(data)) == data, path


def test_every_changed_byte_is_found(made: Made, tmp_path: Path) -> None:
    """Of 100 all over the archive; and the first, middle and last byte of each file, by name."""
    whole, path = made.pack.read_bytes(), tmp_path / "pack.zip"
    for place in range(0, len(whole), len(whole) // 99):
        path.write_bytes(flipped(whole, place))
        assert faults(path), place

    with ZipFile(made.pack) as archive:
        infos = archive.infolist()
    for info in infos:
        begin = info.header_offset + 30 + len(info.filename)
        for place in (begin, begin + info.file_size // 2, begin + info.file_size - 1):
            path.write_bytes(flipped(whole, place))
            assert info.filename in faults(path), (info.filename, place)


def flipped(data: bytes, place: int) -> bytes:
    """Return data with one bit of a byte flipped."""
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def test_a_pack_that_is_cut_off_is_found(made: Made, tmp_path: Path) -> None:
    """Wherever; and so is one that something was added to."""
    whole, path = made.pack.read_bytes(), tmp_path / "pack.zip"
    for size in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        assert "damaged, cut off, or no pack" in faults(path)
    for longer in (whole + b"\0", b"\0" + whole):
        path.write_bytes(longer)
        assert faults(path)


def test_files_that_are_missing_added_moved_or_renamed_are_named(
    made: Made, tmp_path: Path
) -> None:
    """However well the archive is written."""
    files, path = files_of(made.pack), tmp_path / "pack.zip"
    names = list(files)

    assert faults(written(path, {**files, "more.txt": b""})) == "not in the manifest: more.txt"
    reordered = {name: files[name] for name in [names[1], names[0], *names[2:]]}
    assert "not in the order" in faults(written(path, reordered))
    for gone in names:
        left = {name: data for name, data in files.items() if name != gone}
        assert gone in faults(written(path, left))
    swapped = {**files, names[1]: files[names[2]], names[2]: files[names[1]]}
    assert faults(written(path, swapped)) == f"changed: {names[1]}\nchanged: {names[2]}"


def test_archives_that_no_pack_is_are_refused(made: Made, tmp_path: Path) -> None:
    """Names twice, ways out of a folder, compression, folders, sizes that are not true."""
    files, path = files_of(made.pack), tmp_path / "pack.zip"
    name = next(iter(files))
    for odd, kind in (
        ("../evil.txt", ZIP_STORED),
        ("/evil.txt", ZIP_STORED),
        ("a//b", ZIP_STORED),
        ("folder/", ZIP_STORED),
        ("bomb.txt", ZIP_DEFLATED),
    ):
        shutil.copy(made.pack, path)
        with ZipFile(path, "a", kind) as archive:
            archive.writestr(odd, b"" if odd.endswith("/") else bytes(10_000_000))
        assert f"{odd} is packed in a way that no pack of ours is" in faults(path)

    shutil.copy(made.pack, path)
    with ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(entry(name), b"other")
    assert f"{name} is in the archive more than once" in faults(path)

    whole = made.pack.read_bytes()
    end = whole.rindex(b"PK\5\6")
    path.write_bytes(whole[: end + 12] + struct.pack("<L", 1 << 31) + whole[end + 16 :])
    assert faults(path)


def signed_again(files: dict[str, bytes], home: Path, tmp_path: Path) -> dict[str, bytes]:
    """Return files with a manifest that lists them, signed with the key of another home."""
    manifest = json.loads(files[MANIFEST])
    what = {one["path"]: one["what"] for one in manifest["files"]}
    signer = statement_signer(Settings(home=home))
    path = tmp_path / "signed.zip"
    with Archive(path) as archive:
        for name, data in files.items():
            if name not in (MANIFEST, SIGNATURE):
                archive.add(name, data, what.get(name, ""))
        kept = {name: one for name, one in manifest.items() if name != "files"}
        digest = archive.add_manifest(kept)
        archive.add_about_manifest(SIGNATURE, sign_statement({SIGNS: digest}, signer).encode())
    return files_of(path)


def test_a_pack_that_another_key_signed_is_found(made: Made, tmp_path: Path) -> None:
    """By the key that the reader has, and without it by the heads of the audit."""
    foreign = signed_again(files_of(made.pack), tmp_path / "home", tmp_path)
    path = written(tmp_path / "pack.zip", foreign)

    assert "another key than the one that you gave" in faults(path, made.key)
    assert "is signed with another key than the pack" in faults(path)


def test_what_the_signer_himself_changed_is_found_by_the_audit(made: Made, tmp_path: Path) -> None:
    """Whoever has the key still cannot make an answer, a record or a link say something else."""
    answer = f"lookups/{made.lookups[0]}/answer.json"

    def found(path: str, change: Callable[[Any], None]) -> str:
        files = files_of(made.pack)
        said = json.loads(files[path])
        change(said)
        files[path] = rfc8785.dumps(said)
        again = signed_again(files, made.home, tmp_path)
        return faults(written(tmp_path / "pack.zip", again), made.key)

    assert found(answer, lambda one: one.update(verdict="copy")) == (
        f"{answer}: it is not the answer that was recorded"
    )
    computed = f"lookups/{made.lookups[0]}/workings.json"
    for at, said in (("workings", "what it was computed from"), ("vectors", "work ")):
        assert f"{made.lookups[0]}: {said}" in found(computed, partial(scrambled, at))
    assert "does not say what entry" in found(
        RECORDS, lambda one: one[0]["leaves"][""].__setitem__(3, "copy")
    )
    assert "should vouch" in found(RECORDS, lambda one: one[0].update(entry=1))
    assert "it is cut" in found(CHAIN, lambda one: one[0]["links"].pop(1))
    assert "it is cut" in found(CHAIN, lambda one: one[0].update(before="0" * 64))
    assert "it is cut" in found(
        CHAIN, lambda one: one[0]["links"][0]["leaves"].update(actor="nobody")
    )


def test_a_commitment_stands_for_nothing_that_a_pack_says(made: Made, tmp_path: Path) -> None:
    """Whoever has the key puts one in the place of a salt, or says more than was committed to."""
    files = files_of(made.pack)
    work = next(one for one in json.loads(files[RECORDS])[0]["leaves"] if one)

    def commit(leaves: dict[str, Any], seal: commitments.Seal, name: str, **more: str) -> None:
        seal[name] |= {"commitment": commitments.commitments(leaves, seal)[name]} | more

    def titled(records: Any, *, is_committed: bool) -> None:
        leaves, seal = records[0]["leaves"], records[0]["seal"]
        name = work if is_committed else str(uuid4())
        if is_committed:
            commit(leaves, seal, name)
        leaves[name] = ["a title that nobody recorded"]

    def acted(chain: Any) -> None:
        number, link = chain[0]["first"], chain[0]["links"][0]
        for name in link["leaves"]:
            commit(link["leaves"], link["seal"], name, receipt="R")
        gone = {"leaves": {str(number): list(link["leaves"])}}
        link["leaves"] |= {"action": "forget", "object": "withdrawal:R", "details": gone}

    for path, change, said in (
        (RECORDS, partial(titled, is_committed=True), f"says of {work!r} what entry"),
        (RECORDS, partial(titled, is_committed=False), "did not record"),
        (CHAIN, acted, "is gone without an entry on that"),
    ):
        forged = json.loads(files[path])
        change(forged)
        again = signed_again({**files, path: rfc8785.dumps(forged)}, made.home, tmp_path)
        assert said in faults(written(tmp_path / "pack.zip", again), made.key)


def test_an_archive_whose_files_overlap_is_refused_at_once(tmp_path: Path) -> None:
    """A few megabytes that are said to be many files of all of them would take hours to read."""
    names, data, entries, header = 2_000, bytes(1 << 20), b"", 35
    heads, size = b"", names * header + len(data)
    for number in range(names):
        name, at, size = f"{number:05d}".encode(), number * header, size - header
        said = struct.pack("<HHHHHLLLHH", 20, 0, 0, 0, 33, 0, size, size, 5, 0)
        heads += b"PK\3\4" + said + name
        entries += b"PK\1\2" + b"\x14\3" + said + struct.pack("<HHHLL", 0, 0, 0, 0, at) + name
    end = struct.pack("<HHHHLLH", 0, 0, names, names, len(entries), len(heads + data), 0)
    path = tmp_path / "pack.zip"
    path.write_bytes(heads + data + entries + b"PK\5\6" + end)

    assert "overlap" in faults(path)


def test_no_answer_is_passed_over_and_none_is_checked_twice(made: Made, tmp_path: Path) -> None:
    """A signer leaves one out of the list, or says it again and again."""
    files, path = files_of(made.pack), tmp_path / "pack.zip"

    def listing(*lookups: UUID) -> Path:
        listed = json.loads(files[MANIFEST]) | {"attributions": [str(one) for one in lookups]}
        again = {**files, MANIFEST: rfc8785.dumps(listed)}
        return written(path, signed_again(again, made.home, tmp_path))

    first, second = made.lookups
    assert f"lookups/{second} is of no answer" in faults(listing(first))
    often = verify(listing(*[first, second] * 1_000))
    assert often.is_intact
    assert len([one for one in often.findings if one.about == "answer"]) == 2


@pytest.mark.parametrize("path", [MANIFEST, CHAIN, RECORDS])
def test_a_file_that_would_fill_the_memory_is_not_parsed(
    made: Made, tmp_path: Path, path: str
) -> None:
    """JSON of nothing but empty lists takes thirty times its size; text can be too long as well."""
    files = files_of(made.pack)
    many = b"[" + b"[]," * 1_000_000 + b"[]]"
    long = rfc8785.dumps("a" * LARGEST_JSON)

    for data, said in ((many, "2,000,002 values in 3,000,004 bytes"), (long, "33,554,434 bytes")):
        pack = written(tmp_path / "pack.zip", {**files, path: data})
        assert f"{path}: it has {said}, more than the" in faults(pack)


def test_a_pack_that_nobody_could_verify_is_not_made(tmp_path: Path) -> None:
    """What is too large to be read is said while it is written."""
    with Archive(tmp_path / "pack.zip") as archive, pytest.raises(BadInput, match="fewer lookups"):
        archive.add_json(RECORDS, "a" * LARGEST_JSON, "records")


def test_findings_without_end_are_counted(made: Made, tmp_path: Path) -> None:
    """Answers that are not there are one finding; of others of a kind the first are named."""
    files = files_of(made.pack)
    unknown = [str(UUID(int=number)) for number in range(50_000)]
    listed = json.loads(files[MANIFEST]) | {"attributions": [*map(str, made.lookups), *unknown]}
    extra = {f"{number}.txt": b"" for number in range(1_500)}
    again = signed_again({**files, MANIFEST: rfc8785.dumps(listed)}, made.home, tmp_path)

    found = verify(written(tmp_path / "pack.zip", {**again, **extra}))

    wrong = [one.said for one in found.findings if one.is_wrong]
    assert "answers that manifest.json lists and the pack does not have: 50,000" in wrong
    assert sum(one.startswith("not in the manifest") for one in wrong) == 1_000
    assert "and 500 more of this kind" in wrong
    assert not found.is_intact


def test_what_no_entry_vouches_for_is_the_word_of_the_pack(made: Made, tmp_path: Path) -> None:
    """Whoever signs can leave the entry out, and the verification does not say it as a fact."""
    files = files_of(made.pack)
    records = json.loads(files[RECORDS])
    records[0]["entry"] = None
    again = signed_again({**files, RECORDS: rfc8785.dumps(records)}, made.home, tmp_path)

    said = str(verify(written(tmp_path / "pack.zip", again)).findings)
    about = f"attribution:{made.lookups[0]}"
    assert f"no entry vouches for {about}: recorded before the audit began, as the pack" in said
    assert re.search(rf"{made.lookups[0]}: recorded \S+ UTC, as the pack itself says", said)


def scrambled(at: str, computed: dict[str, Any]) -> None:
    """Change what an answer was computed from: how near something is, or a work's vectors."""
    if at == "workings":
        next(iter(computed["workings"]["neighbours"].values()))[0][2] += 0.1
    else:
        (one, other) = list(computed["vectors"])[:2]
        computed["vectors"][one] = computed["vectors"][other]


def test_answers_are_computed_again(made: Made) -> None:
    """By whoever verifies; what is taken from the record is said."""
    said = [one.said for one in verify(made.pack).findings if one.about == "arithmetic"]

    for one in made.lookups:
        assert any(
            re.fullmatch(rf"{one}: all \d\d+ figures that were computed again .*", line)
            for line in said
        )
    assert any("nothing was searched" in line for line in said)


def test_vectors_of_works_that_may_be_shown_to_nobody_stay_out(made: Made, tmp_path: Path) -> None:
    """The arithmetic takes their similarities from the record."""
    home, path = copy_home(made.home, tmp_path / "home"), tmp_path / "pack.zip"
    name = f"lookups/{made.lookups[0]}/workings.json"
    work = next(iter(json.loads(files_of(made.pack)[name])["vectors"]))
    with open_services(settings(home)) as services:
        with services.sessions.begin() as session:
            row = queries.artwork_by_id(session, UUID(work))
            row.consent_display = row.consent_evidence = False
        write_pack(services, contents_of(services, made.lookups), path)

    assert not faults(path)
    assert work not in json.loads(files_of(path)[name])["vectors"]
    said = "\n".join(one.said for one in verify(path).findings)
    assert re.search(r"similarities of 1 of \d works are taken from the record", said)


def test_an_old_lookup_is_proved_by_a_bounded_part_of_the_audit(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up to the next multiple of SPAN; what others did meanwhile is in it as a digest alone."""
    monkeypatch.setattr(proof, "SPAN", 4)
    home, path = copy_home(made.home, tmp_path / "home"), tmp_path / "pack.zip"
    with open_services(settings(home)) as services:
        for number in range(3):
            ask(services, png(800 + number))
        write_pack(services, contents_of(services, made.lookups[:1]), path)

    assert not faults(path, made.key)
    segments = json.loads(files_of(path)[CHAIN])
    assert len(segments) > 1
    assert all(len(one["links"]) <= 4 for one in segments)
    others = [one for segment in segments for one in segment["links"] if isinstance(one, str)]
    assert all(re.fullmatch("[0-9a-f]{64}", one) for one in others)


def test_what_a_withdrawal_or_an_erasure_took_is_said_with_its_receipt(
    made: Made, tmp_path: Path
) -> None:
    """And not shown: the rest still verifies."""
    home, path = copy_home(made.home, tmp_path / "home"), tmp_path / "pack.zip"
    shown = json.loads(files_of(made.pack)["exhibits.json"])["works"]
    work = next(UUID(one) for one, said in shown.items() if said["file"])
    with open_services(settings(home)) as services:
        receipt = withdraw(services, str(work), reason="asked for")
        with services.sessions.begin() as session:
            actor = session.get_one(AuditEntry, 3).actor
            assert erase(session, actor, "asked for", until=4, limit=100)
        write_pack(services, contents_of(services, made.lookups), path)

    found = verify(path)
    assert found.is_intact, found.findings
    removed = [one.said for one in found.findings if one.about == "removed"]
    assert any(f"was removed by the withdrawal {receipt.id}" in one for one in removed)
    left = json.loads(files_of(path)["exhibits.json"])["works"][str(work)]
    assert (left["file"], left["not_shown"][:9]) == (None, "withdrawn")


def test_receipts_say_what_of_a_pack_was_withdrawn_since(made: Made, tmp_path: Path) -> None:
    """By the terminal, signed or not; whose word it is, and what it is not about."""
    home, signed = copy_home(made.home, tmp_path / "home"), tmp_path / "receipt.jws"
    answer = json.loads(files_of(made.pack)[f"lookups/{made.lookups[1]}/answer.json"])
    work = answer["copy_of"]["id"]
    asked = ["withdraw", work, "--reason", "asked for", "--receipt", str(signed), "--json"]
    said = json.loads(lawful(home, *asked).stdout)
    plainly, foreign, empty = (
        tmp_path / name for name in ("plain.json", "foreign.jws", "empty.json")
    )
    plainly.write_text(json.dumps(said))
    other = statement_signer(Settings(home=tmp_path / "other"))
    foreign.write_text(sign_receipt(said, other))
    outer = {name: said.pop(name) for name in ("id", "requested_at", "completed_at")}
    empty.write_text(json.dumps(outer | {"receipt": said | {"works": [str(uuid4())]}}))

    def printed(*receipts: Path) -> str:
        options = [word for one in receipts for word in ("--receipt", str(one))]
        run = lawful(home, "verify", str(made.pack), "--json", *options)
        found = json.loads(run.stdout)
        assert found["is_intact"]
        return "\n".join(one["said"] for one in found["findings"] if one["about"] == "withdrawn")

    assert printed() == ""
    whole = printed(signed)
    assert f"receipt {outer['id']} (receipt.jws) is signed with the key of the pack" in whole
    about = whole.splitlines()[1]
    assert f"work {work}, after the pack was made: {outer['requested_at'][:10]}" in about
    copied = f"lookups/{made.lookups[1]}"
    names = "subject.png", "overlap.webp", "overlap-of-work.webp", "answer.json"
    shown = about.partition("files of the pack: ")[2].split(", ")
    assert {f"works/{work}.webp", *(f"{copied}/{name}" for name in names)} <= {*shown}
    assert "is not signed: anybody can have written it" in printed(plainly)
    assert "is signed with another key than the pack" in printed(foreign)
    assert f"receipt {outer['id']} is about nothing in the pack" in printed(empty)
    assert printed(signed, plainly).count("after the pack was made") == 2


def test_what_is_no_receipt_is_refused(made: Made, tmp_path: Path) -> None:
    """One that was altered, one of something else, and none at all."""
    path, signer = tmp_path / "receipt.jws", statement_signer(Settings(home=made.home))
    receipt = {"id": str(uuid4()), "requested_at": "2026-11-28T10:00:00+00:00", "works": []}
    head, payload, proof = sign_receipt({**receipt, "completed_at": None}, signer).split(".")
    payload = payload[:-6] + ("A" if payload[-6] != "A" else "B") + payload[-5:]
    for text in (
        f"{head}.{payload}.{proof}",
        sign_statement({SIGNS: "0" * 64}, signer),
        json.dumps(receipt),
        json.dumps(receipt | {"completed_at": None, "works": ["x"]}),
        '{"a":' * 100_000,
        "",
    ):
        path.write_text(text)
        with pytest.raises(BadInput, match="is no receipt of a withdrawal, or it was altered"):
            read_receipt(path)
    with pytest.raises(BadInput, match="cannot be read: No such file"):
        read_receipt(tmp_path / "none")


def test_changes_of_the_works_are_in_it_without_what_they_say_of_others(
    made: Made, tmp_path: Path
) -> None:
    """A merge of artists names all their works; these stay out, and the digest still holds."""
    home, path = copy_home(made.home, tmp_path / "home"), tmp_path / "pack.zip"
    with open_services(settings(home)) as services:
        change = merge(services)
        write_pack(services, contents_of(services, made.lookups), path)

    found = verify(path)
    assert found.is_intact, found.findings
    about = f"change:{change.id}"
    record = next(one for one in json.loads(files_of(path)[RECORDS]) if one["object"] == about)
    assert record["leaves"].keys() <= {"", "reason", "before", "after"}
    left_out = [one.said for one in found.findings if one.about == "left out"]
    assert left_out == ["of 1 record of kind change a part is not in the pack; its commitment is"]


def test_verifying_needs_neither_database_nor_models_nor_a_network(made: Made) -> None:
    """With these blocked, in a process of its own; the last line is always the same."""
    program = (
        "import sys, socket\n"
        "for name in ('sqlalchemy', 'torch', 'qdrant_client', 'qdrant_edge', 'celery', 'cv2'):\n"
        "    sys.modules[name] = None\n"
        "def refuse(*args, **kwargs): raise AssertionError('network')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "from api.cli import main\n"
        f"sys.argv = ['lawful', 'verify', {str(made.pack)!r}, '--key', {made.key!r}]\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-2:] == [
        "intact",
        "This says whether the pack is as it was made. It does not say that what is in it is true.",
    ]


def test_text_of_others_is_text(made: Made, tmp_path: Path) -> None:
    """In HTML and PDF, in any script: no markup of either, and no letter without a shape."""
    home, path = copy_home(made.home, tmp_path / "home"), tmp_path / "pack.zip"
    with open_services(settings(home)) as services:
        contents = contents_of(services, made.lookups, title=ATTACK)
        others = [Part("case/case.json", b"{}", "the case")]
        contents = replace(contents, parts=[*contents.parts, *others])
        write_pack(services, contents, path)

    files = files_of(path)
    assert not faults(path)
    assert b"&lt;b&gt;x&lt;/b&gt;" in files["report.html"]
    assert b"[U+202E]gnp.exe" in files["report.pdf"]
    assert files["case/case.json"] == b"{}"


def test_many_images_get_several_reports(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody reads one about thousands, nor has the memory to make it."""
    monkeypatch.setattr(evidence, "OF_ONE_REPORT", 1)
    pack = tmp_path / "pack.zip"
    with open_services(settings(made.home)) as services:
        write_pack(services, contents_of(services, made.lookups), pack)

    files = files_of(pack)

    assert verify(pack).is_intact
    assert {name for name in files if name.startswith("report")} == {
        f"report-{number}.{kind}" for number in (1, 2) for kind in ("html", "pdf")
    }
    assert b"Evidence pack, part 2 of 2" in files["report-2.html"]


def test_the_pdf_is_tagged_and_for_archives(made: Made) -> None:
    """PDF/A-2a and PDF/UA-1, as its metadata says, with a structure and a language."""
    pdf = files_of(made.pack)["report.pdf"]

    for part in (
        b"<pdfaid:part>2</pdfaid:part><pdfaid:conformance>A</pdfaid:conformance>",
        b"<pdfuaid:part>1</pdfuaid:part>",
        b"/StructTreeRoot",
        b"/Marked true",
        b"/Lang(en)",
    ):
        assert part in pdf, part


def test_a_timestamp_says_when_by_the_word_of_an_authority(made: Made, tmp_path: Path) -> None:
    """Checked by the root in the pack, or by those that the reader trusts; others do not hold."""
    path = tmp_path / "pack.zip"
    home = copy_home(made.home, tmp_path / "home")
    (tmp_path / "other").mkdir()
    with authority(tmp_path) as ours, authority(tmp_path / "other") as other:
        stamped = settings(home, timestamp_url=ours.url, timestamp_roots=ours.root)
        with open_services(stamped) as services:
            write_pack(services, contents_of(services, made.lookups[:1]), path)
    known, foreign = (
        x509.load_pem_x509_certificates(one.root.read_bytes()) for one in (ours, other)
    )

    said = str(verify(path, Trusted(made.key)).findings)
    assert "by the word of CN=Test root; whether to trust it is for you to say" in said
    found = verify(path, Trusted(made.key, known))
    assert found.is_intact
    assert "by the word of an authority that you trust" in str(found.findings)
    wrong = [one.said for one in verify(path, Trusted(made.key, foreign)).findings if one.is_wrong]
    assert [one[:42] for one in wrong] == ["manifest.tsr: the timestamp does not hold:"]
    files = files_of(path)
    for name in ("manifest.tsr", "timestamp-authority.pem"):
        for place in range(40, len(files[name]) - 40, len(files[name]) // 20):
            changed = written(tmp_path / "changed.zip", files | {name: flipped(files[name], place)})
            assert faults(changed) or changed_nothing(files[name], place), (name, place)


def changed_nothing(pem_or_der: bytes, place: int) -> bool:
    """Tell whether a byte is nothing that a timestamp rests on."""
    del pem_or_der, place
    return False


def test_a_pack_whose_timestamp_fails_is_not_made(made: Made, tmp_path: Path) -> None:
    """An error says so; without a timestamp it is made when that is asked for."""
    path = tmp_path / "pack.zip"
    home = copy_home(made.home, tmp_path / "home")
    with authority(tmp_path, says=b"no") as ours:
        chosen = settings(home, timestamp_url=ours.url, timestamp_roots=ours.root)
        with open_services(chosen) as services:
            with pytest.raises(BackendUnavailable, match="gave no timestamp that holds"):
                write_pack(services, contents_of(services, made.lookups[:1]), path)
            assert list(tmp_path.glob("*.zip")) == []
            unstamped = contents_of(services, made.lookups[:1], is_stamped=False)
            write_pack(services, unstamped, path)
    assert verify(path).is_intact
    rootless = pytest.raises(BadInput, match="without LAWFUL_TIMESTAMP_ROOTS")
    with open_services(settings(home, timestamp_url=ours.url)) as services, rootless:
        write_pack(services, contents_of(services, made.lookups[:1]), path)


def test_over_http(made: Made, tmp_path: Path) -> None:
    """Of one and of several; with the scope `review`, and recorded."""
    home, path = copy_home(made.home, tmp_path / "home"), tmp_path / "pack.zip"
    chosen = settings(home)
    reviewer, reader = (
        bearing(make_key(chosen, role).token) for role in (Role.REVIEWER, Role.AUDITOR)
    )
    one, joint = f"/v1/attributions/{made.lookups[0]}/evidence", "/v1/attributions/evidence"
    asked = {"attributions": [str(one) for one in made.lookups]}
    with local_client(create_app(chosen)) as client:
        for got in (
            client.post(one, headers=reviewer),
            client.post(joint, json=asked, headers=reviewer),
        ):
            assert got.status_code == 200, got.text
            assert got.headers["content-type"] == "application/zip"
            path.write_bytes(got.content)
            assert verify(path, Trusted(made.key)).is_intact
        is_problem(client.post(one, headers=reader), 403, "scope-missing")
        unknown = f"/v1/attributions/{uuid4()}/evidence"
        is_problem(client.post(unknown, headers=reviewer), 404, "not-found")
    with open_stores(chosen) as stores, stores.sessions() as session:
        page = queries.list_entries(session, EntriesWanted(action="pack"))
    assert page.items[0].details["attributions"] == asked["attributions"]
    assert not list((home / "temporary").glob("*"))


def test_the_command_line(made: Made, tmp_path: Path) -> None:
    """A pack, its key as printed, and exit code 1 for one that was changed."""
    home, path = copy_home(made.home, tmp_path / "home"), tmp_path / "pack.zip"
    ids = [str(one) for one in made.lookups]

    done = lawful(home, "pack", *ids, "-o", str(path))
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"signed with the key {made.key}\n"
    chain = str(home / "evidence" / "chain.pem")
    for key in (made.key, chain):
        assert lawful(home, "verify", str(path), "--key", key).stdout.splitlines()[-2] == "intact"
    anybody = lawful(home, "verify", str(path)).stdout.splitlines()[-2]
    assert anybody == "intact, signed by somebody: whose key it is was not compared (--key)"
    wrong = lawful(home, "verify", str(path), "--key", "0" * 64, "--json")
    assert (wrong.returncode, json.loads(wrong.stdout)["is_intact"]) == (1, False)
    assert "cannot be read" in lawful(home, "verify", str(tmp_path / "none.zip")).stderr
    assert (home / "evidence" / "key.pem").stat().st_mode & 0o777 == 0o600


def test_a_pack_of_what_is_not_there_or_was_altered_is_not_made(made: Made, tmp_path: Path) -> None:
    """Neither of an unknown id, nor of an answer that says something else than was recorded."""
    home, path = copy_home(made.home, tmp_path / "home"), tmp_path / "pack.zip"
    with open_services(settings(home)) as services:
        with pytest.raises(NotFound):
            write_pack(services, contents_of(services, [uuid4()]), path)
        with closing(sqlite3.connect(home / "lawful.db")) as database, database:
            database.execute("UPDATE attributions SET verdict = 'attributed'")
        with pytest.raises(RecordAltered):
            write_pack(services, contents_of(services, made.lookups), path)
    assert not path.exists()
