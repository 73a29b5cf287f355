"""Licences: the identifier that a text names, and nothing that it does not say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from license_expression import get_spdx_licensing

from attribution.catalogue.licences import LONGEST, STATEMENTS, identify

NAMED = {
    "CC-BY-4.0": "CC-BY-4.0",
    "CC BY 4.0": "CC-BY-4.0",
    "cc-by-4.0": "CC-BY-4.0",
    "cc_by_4.0": "CC-BY-4.0",
    " CC BY  4.0. ": "CC-BY-4.0",
    "CC‑BY‑4.0": "CC-BY-4.0",  # non-breaking hyphens
    "CC BY v4.0": "CC-BY-4.0",
    "Creative Commons Attribution 4.0": "CC-BY-4.0",
    "Creative Commons Attribution 4.0 International (CC BY 4.0)": "CC-BY-4.0",
    "Creative Commons Attribution 4.0 International License": "CC-BY-4.0",
    "https://creativecommons.org/licenses/by/4.0/": "CC-BY-4.0",
    "http://www.creativecommons.org/licenses/by/4.0": "CC-BY-4.0",
    "https://creativecommons.org/licenses/by/4.0/deed.de": "CC-BY-4.0",
    "https://creativecommons.org/licenses/by/4.0/legalcode.zh-hans": "CC-BY-4.0",
    "https://creativecommons.org/licenses/by/4.0/?ref=chooser-v1": "CC-BY-4.0",
    "https://spdx.org/licenses/CC-BY-4.0.html": "CC-BY-4.0",
    "CC BY-NC-SA 4.0": "CC-BY-NC-SA-4.0",
    "CC BY-SA-NC 4.0": "CC-BY-NC-SA-4.0",
    "CC-BY-ND-NC 3.0 Unported": "CC-BY-NC-ND-3.0",
    "Creative Commons Attribution-NonCommercial-NoDerivatives 4.0": "CC-BY-NC-ND-4.0",
    "Creative Commons Attribution-Share Alike 2.5 Generic": "CC-BY-SA-2.5",
    "https://creativecommons.org/licenses/by-sa/3.0/de/": "CC-BY-SA-3.0-DE",
    "https://creativecommons.org/licenses/by-sa/3.0/de/deed.en": "CC-BY-SA-3.0-DE",
    "CC BY-SA 3.0 DE": "CC-BY-SA-3.0-DE",
    "Creative Commons Attribution-ShareAlike 3.0 Germany": "CC-BY-SA-3.0-DE",
    "CC BY 3.0 United States": "CC-BY-3.0-US",
    "CC BY 3.0 IGO": "CC-BY-3.0-IGO",
    "CC0": "CC0-1.0",
    "CC0-1.0": "CC0-1.0",
    "CC0 1.0 Universal (CC0 1.0) Public Domain Dedication": "CC0-1.0",
    "Creative Commons Zero": "CC0-1.0",
    "https://creativecommons.org/publicdomain/zero/1.0/deed.en": "CC0-1.0",
    "public domain": "CC-PDM-1.0",
    "Public Domain Mark 1.0": "CC-PDM-1.0",
    "http://creativecommons.org/publicdomain/mark/1.0/": "CC-PDM-1.0",
    "InC": "InC",
    "http://rightsstatements.org/vocab/InC/1.0/": "InC",
    "https://rightsstatements.org/page/InC-OW-EU/1.0/?language=de": "InC-OW-EU",
    "In Copyright": "InC",
    "No Copyright – United States": "NoC-US",
    "All rights reserved": "InC",
    "© All Rights Reserved.": "InC",
    "MIT": "MIT",
    "Apache 2.0": "Apache-2.0",
    "OFL-1.1": "OFL-1.1",
}
UNNAMED = [
    None,
    "",
    "CC",
    "CC BY",
    "CC BY 4",
    "CC-BY-SA",
    "https://creativecommons.org/licenses/by/",
    "BY 4.0",
    "Attribution 4.0",
    "CC BY-ND-SA 4.0",  # contradicts itself, and does not exist
    "CC BY 9.9",
    "CC NC 4.0",
    "CC BY-SA 3.0 CH",  # exists, but SPDX has no name for it: the unported one is another text
    "https://creativecommons.org/licenses/by-sa/3.0/ch/",
    "CC BY-SA 3.0, 2.5",
    "CC BY 4.0 or 3.0",
    "CC BY 4.0, for schools only",
    "not CC BY 4.0",
    "no CC0",
    "CC0 or all rights reserved",
    "CC BY 4.0 (CC BY-NC 4.0)",
    "CC BY 4.0 CC BY-SA 4.0",
    "CC BY 4.0 public domain",
    "CC BY 4.0 / CC BY-SA 4.0",  # two of them: not the stricter one, not the first
    "https://creativecommons.org.example.com/licenses/by/4.0/",
    "https://example.com/?u=creativecommons.org/licenses/by/4.0/",
    "https://creativecommons.org/publicdomain/zero/2.0/",
    "PD",
    "PD-old-100",
    "public domain in the US",
    "mit",
    "fair",
    "© Ann Example 2020",
    "ask the artist",
    "LicenseRef-scancode-public-domain",
    "Classpath-exception-2.0",
]


@pytest.mark.parametrize(("text", "identifier"), NAMED.items())
def test_a_text_that_names_a_licence_gets_its_identifier(text: str, identifier: str) -> None:
    """Spelling, order, language and address do not matter as long as every word is understood."""
    assert identify(text) == identifier


@pytest.mark.parametrize("text", UNNAMED)
def test_nothing_is_guessed(text: str | None) -> None:
    """Without a version, with a word too many, or with two licences there is no identifier."""
    assert identify(text) is None


def test_identifiers_identify_themselves() -> None:
    """Every identifier of SPDX's Creative Commons licences and every statement stays as it is."""
    known = [name for name in get_spdx_licensing().known_symbols if name.startswith("CC")]

    assert len(known) > 50
    assert [identify(one) for one in known] == known
    assert [identify(one) for one in STATEMENTS] == list(STATEMENTS)
    assert [identify(label) for label in STATEMENTS.values()] == list(STATEMENTS)


@given(st.text(max_size=LONGEST + 10))
def test_any_text_is_taken(text: str) -> None:
    """Whatever is written, the answer is a known identifier or none, and the same again."""
    found = identify(text)

    assert found is None or found in {*STATEMENTS, *get_spdx_licensing().known_symbols}
    assert found is None or identify(found) == found
