"""What was said of works, as crawlers and other programs read it.

- `tdmrep`: `/.well-known/tdmrep.json` of the TDM Reservation Protocol (W3C Community Group report,
  10 May 2024): a list of `location`, `tdm-reservation` and `tdm-policy`.
- `robots`: `Content-Usage` rules of a robots.txt (draft-ietf-aipref-attach), in the words of
  draft-ietf-aipref-vocab: `train-ai`, `search`.
- `aipref`: the same as values of the HTTP field `Content-Usage`, one line for each address.
- `cawg`: the assertion `cawg.training-mining` (CAWG Training and Data Mining Assertion 1.1), one
  line for each work.

A default is nobody's word, so it is not exported: only works of which somebody has said something.

A rule for a path is one for all paths that begin with it, of which the longest counts (RFC 9309).
So a no has no end, for `/1?size=2` too, and a yes ends with `$`: the yes to `/1` is none to `/10`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from attribution.catalogue import queries
from attribution.catalogue.models import Artwork, ArtworkStatus, Consent
from attribution.catalogue.queries import Standing, WorksWanted
from attribution.collection import Stores
from attribution.consents import Answer, ConsentPurpose
from attribution.errors import BadInput

OF_ONE_SITE = ("tdmrep", "robots")
PAGE = 1_000  # works in memory at a time
AIPREF = {ConsentPurpose.TRAIN: "train-ai", ConsentPurpose.INDEX: "search"}
CAWG = {
    ConsentPurpose.TRAIN: ("cawg.data_mining", "cawg.ai_training", "cawg.ai_generative_training"),
    ConsentPurpose.GENERATE: ("cawg.ai_inference",),
}
USES = {Answer.ALLOW: "allowed", Answer.DENY: "notAllowed", Answer.ASK: "constrained"}
# Characters of a path that stand for themselves; `*` and `$` would mean more than one address.
PATH = "/%;:@&=+,!()'~-._"

Spoken = tuple[Artwork, Standing]


class _Rule(NamedTuple):
    """What stands for an address; ask first is a no."""

    is_no: bool
    policy: str | None  # an address


Rules = Mapping[ConsentPurpose, _Rule]


@dataclass(frozen=True)
class Reservations:
    """A form in which consent is published."""

    media_type: str
    file_name: str
    write: Callable[[Stores, WorksWanted, str | None], Iterator[bytes]]


def publish(kind: str, stores: Stores, works: WorksWanted, site: str | None) -> Iterator[bytes]:
    """Write what stands for some works in one of `RESERVATIONS`.

    Raises BadInput for a file about one site without the site, and for what is no site.
    """
    if site is None and kind in OF_ONE_SITE:
        raise BadInput(f"{RESERVATIONS[kind].file_name} is about one site: name it as its address")
    if site is not None and _origin(site) is None:
        raise BadInput(f"{site[:60]!r} is not the address of a site, such as https://ann.example")
    return RESERVATIONS[kind].write(stores, works, site)


def _tdmrep(stores: Stores, works: WorksWanted, site: str | None) -> Iterator[bytes]:
    between = "[\n"
    for path, rules in _by_address(stores, works, site).items():
        if said := rules.get(ConsentPurpose.TRAIN):
            rule = {
                "location": path if said.is_no else f"{path}$",
                "tdm-reservation": int(said.is_no),
            }
            if said.is_no and said.policy:
                rule["tdm-policy"] = said.policy
            yield (between + json.dumps(rule)).encode()
            between = ",\n"
    yield b"[]\n" if between == "[\n" else b"\n]\n"


def _robots(stores: Stores, works: WorksWanted, site: str | None) -> Iterator[bytes]:
    yield b"User-Agent: *\n"
    for path, rules in _by_address(stores, works, site).items():
        noes = {purpose: said for purpose, said in rules.items() if said.is_no}
        if noes:
            yield f"Content-Usage: {path} {_usage(noes)}\n".encode()
        if noes != rules:
            yield f"Content-Usage: {path}$ {_usage(rules)}\n".encode()


def _aipref(stores: Stores, works: WorksWanted, site: str | None) -> Iterator[bytes]:
    for source, rules in _by_address(stores, works, site, is_whole=True).items():
        line = {"source": source, "content-usage": _usage(rules)}
        yield f"{json.dumps(line, ensure_ascii=False)}\n".encode()


def _cawg(stores: Stores, works: WorksWanted, site: str | None) -> Iterator[bytes]:
    for row, stands in _spoken(stores, works):
        if site is not None and _path(row.source or "", site) is None:
            continue
        entries = {
            name: _use(said)
            for purpose, names in CAWG.items()
            if (said := stands[purpose])
            for name in names
        }
        if entries:
            assertion = {"label": "cawg.training-mining", "data": {"entries": entries}}
            line = {"id": str(row.id), "sha256": row.sha256, "assertion": assertion}
            yield f"{json.dumps(line, ensure_ascii=False)}\n".encode()


def _usage(rules: Rules) -> str:
    """Return preferences of AIPREF, such as "train-ai=n, search=y"."""
    return ", ".join(f"{AIPREF[one]}={'n' if said.is_no else 'y'}" for one, said in rules.items())


def _use(said: Consent) -> Mapping[str, Any]:
    use = {"use": USES[said.answer]}
    if said.answer == Answer.ASK:
        use["constraint_info"] = said.document or "ask the artist first"
    return use


def _address(said: Consent) -> str | None:
    """Return the document of a statement where it is an address on the web."""
    is_address = said.document and said.document.startswith(("https://", "http://"))
    return said.document if is_address else None


def _by_address(
    stores: Stores, works: WorksWanted, site: str | None, *, is_whole: bool = False
) -> Mapping[str, Rules]:
    """Return what stands for works by path on a site, or whole address; of several a no counts."""
    found: dict[str, dict[ConsentPurpose, _Rule]] = {}
    for row, stands in _spoken(stores, works):
        source = row.source or ""
        if (path := _path(source, site)) is None:
            continue
        for purpose in AIPREF:
            if said := stands[purpose]:
                rules = found.setdefault(source if is_whole else path, {})
                is_no = said.answer != Answer.ALLOW
                if is_no or purpose not in rules:
                    rules[purpose] = _Rule(is_no, _address(said))
    return found


def _path(source: str, site: str | None) -> str | None:
    """Return the path of an address, quoted; None where it is on no site, or on another."""
    origin = _origin(source)
    if origin is None or (site is not None and origin != _origin(site)):
        return None
    parts = urlsplit(source)
    query = f"?{quote(parts.query, safe=PATH + '?')}" if parts.query else ""
    return (quote(parts.path, safe=PATH) or "/") + query


def _origin(address: str) -> str | None:
    """Return scheme and host of an address on the web; None for other texts."""
    try:
        parts = urlsplit(address.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not host:
        return None
    return f"{parts.scheme}://{host}{f':{port}' if port else ''}"


def _spoken(stores: Stores, works: WorksWanted) -> Iterator[Spoken]:
    """Yield the works that are there, with what stands for each, a page at a time."""
    after = None
    while True:
        with stores.sessions() as session:
            rows = queries.next_artworks(session, works, after=after, limit=PAGE)
            stands = queries.standing_consents(session, rows)
        for row in rows:
            if row.status is not ArtworkStatus.WITHDRAWN and any(stands[row.id].values()):
                yield row, stands[row.id]
        if len(rows) < PAGE:
            return
        after = rows[-1].created_at, rows[-1].id


RESERVATIONS: Mapping[str, Reservations] = {
    "tdmrep": Reservations("application/json", "tdmrep.json", _tdmrep),
    "robots": Reservations("text/plain; charset=utf-8", "robots.txt", _robots),
    "aipref": Reservations("application/jsonl", "content-usage.jsonl", _aipref),
    "cawg": Reservations("application/jsonl", "training-mining.jsonl", _cawg),
}
