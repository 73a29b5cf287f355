"""Evidence packs: what is known of some lookups, in one file that a stranger can verify.

Whoever makes one brings the files that people look at, such as pictures and reports; a case adds
its own. What machines check is added here: answers as recorded, the audit, the signed manifest.
`verification` reads it, and `archive` says how it is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from cryptography import x509
from sqlalchemy.orm import Session

from attribution import tenants
from attribution.actors import who
from attribution.answers import Attribution, read_answer
from attribution.catalogue import queries
from attribution.catalogue.archive import whole
from attribution.catalogue.chain import note
from attribution.catalogue.columns import now
from attribution.catalogue.queries import desk
from attribution.collection import Stores
from attribution.desk.archive import (
    AUTHORITY,
    CASE,
    CHAIN,
    RECORDS,
    SIGNATURE,
    SIGNS,
    TIMESTAMP,
    Archive,
    answer_path,
    workings_path,
)
from attribution.desk.casefile import CaseFile
from attribution.desk.proof import extract, head_path, sign_head
from attribution.lookup.workings import kept
from attribution.provenance.keys import Signer
from attribution.provenance.own_key import statement_signer
from attribution.provenance.statements import key_id, sign_statement
from attribution.provenance.timestamps import fetch_timestamp, load_authority
from attribution.whole import written_whole


@dataclass(frozen=True)
class Part:
    """A file of a pack; its path is of our making and never a text of others."""

    path: str
    data: bytes
    what: str  # in a few words, for people


@dataclass(frozen=True)
class Contents:
    """What a pack is about."""

    title: str
    lookups: Sequence[UUID]  # ids of answers
    parts: Iterable[Part]  # taken one at a time
    case: CaseFile | None = None
    is_stamped: bool = True  # by the timestamp authority of the settings, if there is one


@dataclass(frozen=True)
class Packed:
    """A pack that was made."""

    id: UUID
    manifest: str  # SHA-256
    key: str  # SHA-256 of the public key that signed it
    size: int  # bytes


def write_pack(stores: Stores, contents: Contents, path: Path) -> Packed:
    """Write a pack, whole or not at all, and have the audit say so.

    Raises NotFound for an answer that is not there, RecordAltered, BackendUnavailable where no
    timestamp is to be had.
    """
    signer = statement_signer(stores.settings)
    authority = load_authority(stores.settings) if contents.is_stamped else None
    pack_id, key = uuid4(), key_id(_certificate(signer))
    with written_whole(path) as new, Archive(new) as archive:
        for part in contents.parts:
            archive.add(part.path, part.data, part.what)
        _add_records(stores, archive, contents, signer)
        if authority:
            pem = authority.pem.encode("ascii")
            archive.add(AUTHORITY, pem, "whom the maker trusts to say the time")
        manifest = archive.add_manifest(
            {
                "id": str(pack_id),
                "title": contents.title,
                "program": f"Lawful Diffusion {version('lawful-diffusion')}",
                "tenant": tenants.current(),
                "made_at": now().isoformat(),
                "made_by": who().name,
                "key": key,
                "attributions": [str(one) for one in contents.lookups],
                **({"case": contents.case.named} if contents.case else {}),
            }
        )
        signed = sign_statement({SIGNS: manifest}, signer).encode("ascii")
        archive.add_about_manifest(SIGNATURE, signed)
        if authority:
            archive.add_about_manifest(TIMESTAMP, fetch_timestamp(signed, authority))
        with stores.sessions.begin() as session:
            about = [str(one) for one in contents.lookups]
            note(session, "pack", f"pack:{pack_id}", manifest=manifest, attributions=about)
            if contents.case:
                note(session, "pack-case", f"{desk.CASE}:{contents.case.id}", pack=str(pack_id))
    return Packed(pack_id, manifest, key, path.stat().st_size)


def _add_records(stores: Stores, archive: Archive, contents: Contents, signer: Signer) -> None:
    """Add the answers as recorded, and what the audit says of them."""
    with stores.sessions() as session:
        rows = queries.attributions_by_id(session, contents.lookups)
        for row in rows:
            said = whole(session, row)
            archive.add_json(answer_path(str(row.id)), said, "the answer as recorded")
            if made_of := _workings(session, read_answer(said)):
                what = "what the answer was computed from"
                archive.add_json(workings_path(str(row.id)), made_of, what)
        if contents.case:
            archive.add_json(CASE, contents.case.said, "the case, with what people decided")
        found = extract(session, rows, contents.case.records if contents.case else ())
    archive.add_json(RECORDS, found.records, "what the audit vouches for, with its salts")
    archive.add_json(CHAIN, found.segments, "entries of the audit, and links to the signed heads")
    for sequence, digest in found.heads.items():
        head = sign_head(sequence, digest, signer).encode("ascii")
        archive.add(head_path(sequence), head, "a signed head of the audit")


def _workings(session: Session, answer: Attribution) -> Mapping[str, Any] | None:
    """Return what an answer was computed from, with vectors of works that may be shown alone."""
    made_of = kept(session, answer)
    if made_of is None:
        return None
    rows = queries.artworks_by_id(session, [UUID(work) for work in made_of["vectors"]])
    may = {str(work) for work, row in rows.items() if row.consent_display or row.consent_evidence}
    vectors = {work: said for work, said in made_of["vectors"].items() if work in may}
    return made_of | {"vectors": vectors}


def _certificate(signer: Signer) -> x509.Certificate:
    return x509.load_pem_x509_certificate(signer.chain.encode("ascii"))
