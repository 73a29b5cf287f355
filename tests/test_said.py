"""No sentence of the program, or of its pages, claims what nobody can know from a likeness."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from api.http.app import create_app
from attribution.config import Settings
from tests.said import claims, in_code, in_help, in_report

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    path for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*.md"))
)
MODULES = sorted(
    path for top in ("api", "attribution", "ingest") for path in ROOT.glob(f"{top}/**/*.py")
)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_pages(path: Path) -> None:
    """README, changelog, documents, decisions."""
    lines = path.read_text("utf-8").split("\n\n")

    assert [one for text in lines for one in claims(" ".join(text.split()))] == []


def test_messages() -> None:
    """Every text in the code: messages, notes, labels."""
    assert [one for text in in_code(MODULES) for one in claims(text)] == []


def test_help() -> None:
    """Commands, arguments and options."""
    assert [one for text in in_help() for one in claims(text)] == []


def test_reports() -> None:
    """What stands around the answers in them, and the page of an evaluation."""
    texts = [path.read_text("utf-8") for path in ROOT.glob("api/reports/templates/*.html")]

    assert texts
    assert [one for text in (*texts, *in_report()) for one in claims(text)] == []


def test_the_description_of_the_api(tmp_path: Path) -> None:
    """Routes, fields, parameters, examples."""
    document = create_app(Settings(home=tmp_path, profile="stub")).openapi()

    assert claims(json.dumps(document, ensure_ascii=False)) == []


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("The picture was made by Ann.", True),
        ("12 of 23 images are by registered artists.", True),
        ("It infringes a work.", True),
        ("The image was trained on.", True),
        ("This is the source of the image.", True),
        ("The weights were trained on 1,000 works.", False),
        ("Made by `lawful train-starter DATA`.", False),
        ("Shows “Boat” by Ann (ann), with differences.", False),
        ("It shows resemblance, which is neither influence nor infringement.", False),
        ("It is neither influence nor infringement, and this infringes.", True),
    ],
)
def test_what_is_a_claim(text: str, is_one: bool) -> None:  # noqa: FBT001
    """Of an image and a person; a model has been trained on something, and may say so."""
    assert bool(claims(text)) is is_one
