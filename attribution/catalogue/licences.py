"""Which licence a text names: an SPDX identifier, or the code of a RightsStatements.org statement.

The text itself is kept as it was written; the identifier stands next to it, for filters. Nothing is
guessed: every word of a text has to be understood, and a version that is not said is not added.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache

LONGEST = 300  # characters: more is prose about a licence, not the name of one

STATEMENTS = {  # https://rightsstatements.org/page/1.0/: code -> label
    "InC": "In Copyright",
    "InC-OW-EU": "In Copyright - EU Orphan Work",
    "InC-EDU": "In Copyright - Educational Use Permitted",
    "InC-NC": "In Copyright - Non-Commercial Use Permitted",
    "InC-RUU": "In Copyright - Rights-holder(s) Unlocatable or Unidentifiable",
    "NoC-CR": "No Copyright - Contractual Restrictions",
    "NoC-NC": "No Copyright - Non-Commercial Use Only",
    "NoC-OKLR": "No Copyright - Other Known Legal Restrictions",
    "NoC-US": "No Copyright - United States",
    "CNE": "Copyright Not Evaluated",
    "UND": "Copyright Undetermined",
    "NKC": "No Known Copyright",
}
ALIASES = {  # each says exactly one thing, in no version or in the only one there is
    "all rights reserved": "InC",
    "alle rechte vorbehalten": "InC",
    "tous droits réservés": "InC",
    "todos los derechos reservados": "InC",
    "tutti i diritti riservati": "InC",
    "public domain": "CC-PDM-1.0",
    "gemeinfrei": "CC-PDM-1.0",
    "public domain mark": "CC-PDM-1.0",
    "public domain mark 1.0": "CC-PDM-1.0",
    "creative commons public domain mark": "CC-PDM-1.0",
    "creative commons public domain mark 1.0": "CC-PDM-1.0",
    "pdm": "CC-PDM-1.0",
    "pdm 1.0": "CC-PDM-1.0",
    "cc pdm": "CC-PDM-1.0",
    "cc0": "CC0-1.0",
    "cc 0": "CC0-1.0",
    "cc zero": "CC0-1.0",
    "creative commons zero": "CC0-1.0",
}
MARKS = {"zero": "CC0-1.0", "mark": "CC-PDM-1.0"}  # as addresses at Creative Commons call them
WORDS = {  # of the names of Creative Commons licences -> the part that they stand for
    "cc": "cc",
    "cc0": "cc0",
    "by": "by",
    "attribution": "by",
    "namensnennung": "by",
    "nc": "nc",
    "noncommercial": "nc",
    "nd": "nd",
    "noderivatives": "nd",
    "noderivs": "nd",
    "sa": "sa",
    "sharealike": "sa",
}
# Words of these names that add nothing.
FILLERS = {"license", "licence", "international", "unported", "generic", "deed", "version"}
CC0_FILLERS = FILLERS | {"universal", "public", "domain", "dedication"}
PORTS = {  # national versions that SPDX lists, by the words that name them
    "germany": "DE",
    "austria": "AT",
    "australia": "AU",
    "netherlands": "NL",
    "france": "FR",
    "japan": "JP",
    "england and wales": "UK",
    "united kingdom": "UK",
    "united states": "US",
    "intergovernmental organisations": "IGO",
    "intergovernmental organizations": "IGO",
} | {code.lower(): code for code in ("DE", "AT", "AU", "NL", "FR", "JP", "UK", "US", "IGO")}
PHRASES = {
    "creative commons": "cc",
    "non commercial": "nc",
    "no derivatives": "nd",
    "no derivs": "nd",
    "share alike": "sa",
}
CC_ADDRESS = re.compile(
    r"creativecommons\.org/(?:licenses|publicdomain)/(?P<kind>[a-z-]+)/(?P<version>\d\.\d)"
    r"(?:/(?P<port>[a-z]{2,3}))?(?:/(?:deed|legalcode)(?:\.[a-z_-]+)?)?/?"
)
STATEMENT_ADDRESS = re.compile(
    r"rightsstatements\.org/(?:vocab|page|data)/(?P<code>[a-z-]+)/1\.0(?:/[a-z_-]*)?"
)
SPDX_ADDRESS = re.compile(r"spdx\.org/licenses/(?P<id>[a-z0-9.+-]+?)(?:\.html|\.json)?/?")
VERSION = re.compile(r"v?(\d\.\d)")


@lru_cache(maxsize=4_096)
def identify(text: str | None) -> str | None:
    """Return the identifier of the licence or rights statement that a text names, if it is one.

    "CC BY 4.0" is CC-BY-4.0, "http://rightsstatements.org/vocab/InC/1.0/" is InC; "CC BY", which
    says no version, is None, as is everything that is not understood to its last word.
    """
    if text is None or len(text) > LONGEST:
        return None
    line = " ".join(unicodedata.normalize("NFKC", text).split()).strip(" .;,")
    if found := _exactly(line) or _address(line.lower()):
        return found
    # © adds nothing to what is reserved; hyphens of all kinds separate words.
    words = re.sub(r"[\s_‐‑‒–—-]+", " ", line.lower().replace("©", " ")).strip()
    return ALIASES.get(words) or _statement(words) or _creative_commons(words) or _loosely(line)


@cache
def _spdx() -> dict[str, str]:
    """Return the identifiers of the SPDX list by their lower-case spelling."""
    from license_expression import get_spdx_licensing

    symbols = get_spdx_licensing().known_symbols.items()
    return {
        name.lower(): name
        for name, one in symbols
        if not one.is_exception and not name.startswith("LicenseRef-")
    }


@cache
def _labels() -> dict[str, str]:
    """Return the codes of the statements by their labels, in words."""
    return {" ".join(re.findall(r"\w+", label.lower())): code for code, label in STATEMENTS.items()}


def _exactly(line: str) -> str | None:
    if line in STATEMENTS or _spdx().get(line.lower()) == line:
        return line
    return None


def _loosely(line: str) -> str | None:
    """Return the identifier that a text spells with other case or spaces.

    Only one with a number in it: "fair" and "mit" are words, `Fair` and `MIT` are licences.
    """
    found = _spdx().get(re.sub(r"[\s_]+", "-", line.lower()))
    return found if found and any(one.isdigit() for one in found) else None


def _statement(words: str) -> str | None:
    return _labels().get(" ".join(re.findall(r"\w+", words)))


def _address(line: str) -> str | None:
    """Return what an address of Creative Commons, RightsStatements.org or SPDX stands for."""
    bare = re.sub(r"^<?(?:https?://)?(?:www\.)?|[?#].*$|>$", "", line)
    if found := CC_ADDRESS.fullmatch(bare):
        if found["kind"] in MARKS:
            return MARKS[found["kind"]] if found["version"] == "1.0" else None
        parts = {"cc", *found["kind"].split("-")}
        return _composed(parts, found["version"], (found["port"] or "").upper())
    if found := STATEMENT_ADDRESS.fullmatch(bare):
        codes = {code.lower(): code for code in STATEMENTS}
        return codes.get(found["code"])
    if found := SPDX_ADDRESS.fullmatch(bare):
        return _spdx().get(found["id"])
    return None


def _creative_commons(words: str) -> str | None:
    """Read the name of a Creative Commons licence, said once or again in brackets."""
    for phrase, short in (PHRASES | PORTS).items():
        if " " in phrase:
            words = words.replace(phrase, short.lower())
    fillers = CC0_FILLERS if words.startswith("cc0") else FILLERS
    said = [
        _named([word for word in part.split() if word not in fillers])
        for part in re.split(r"[()]", words)
        if not fillers.issuperset(part.split())
    ]
    return said[0] if len(set(said)) == 1 else None


def _named(words: list[str]) -> str | None:
    """Return the identifier of a licence by the words of its name, in any order, each once."""
    versions = [found[1] for word in words if (found := VERSION.fullmatch(word))]
    ports = [PORTS[word] for word in words if word in PORTS]
    parts = [WORDS[word] for word in words if word in WORDS]
    if len(versions) + len(ports) + len(parts) != len(words):
        return None
    if parts == ["cc0"]:
        return "CC0-1.0" if versions in ([], ["1.0"]) and not ports else None
    if len(versions) != 1 or len(ports) > 1 or len(set(parts)) != len(parts):
        return None
    return _composed(set(parts), versions[0], "".join(ports))


def _composed(parts: set[str], version: str, port: str) -> str | None:
    """Return the identifier of a Creative Commons licence of these parts, if there is one."""
    if not {"cc", "by"} <= parts and parts != {"cc", "sa"}:
        return None
    order = [one for one in ("cc", "by", "nc", "nd", "sa") if one in parts]
    if len(order) != len(parts):
        return None
    return _spdx().get("-".join([*order, version, *filter(None, [port])]).lower())
