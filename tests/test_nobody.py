"""Names that mean nobody, and names of people that only look so."""

from __future__ import annotations

import pytest

from attribution.catalog.nobody import is_nobody


@pytest.mark.parametrize(
    "name",
    [
        "unknown artist",
        "Unknown",
        "ANONYMOUS",
        "anon.",
        "Various Artists",
        "n/a",
        "N/A",
        "None",
        "nan",
        "NULL",
        "?",
        "-",
        "",
        "Unbekannt",
        "Künstler unbekannt",
        "anonyme",
        "inconnu",
        "desconocido",
        "anónimo",
        "Anonimo",
        "ignoto",
        "onbekend",
        "неизвестный художник",
        "作者不詳",
        "佚名",
        "無名",
        "不明",
        "작자 미상",
        "unidentified artist",
        "unknown-artist",
        "Unknown (French, 18th century)",
        "Anonymous, Italian",
        "Unknown artist [Japan]",
        "Anonymous (Italian, active ca. 1500–1520)",
    ],
)
def test_nobody(name: str) -> None:
    """Case, punctuation and a museum's note of where and when do not make a person."""
    assert is_nobody(name)


@pytest.mark.parametrize(
    "name",
    [
        "Anonymous Bob",
        "Nobody Inc",
        "Nan Goldin",
        "Anon Ymous",
        "The Unknown",
        "Nanna",
        "🎨",
        "!!!",
    ],
)
def test_somebody(name: str) -> None:
    """A word of such a name within another one is a person's own."""
    assert not is_nobody(name)
