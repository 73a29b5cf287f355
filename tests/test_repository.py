"""What the repository promises to its readers: documents, Makefile and code agree."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from attribution.config import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text()
DECISIONS = ROOT / "docs" / "decisions"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*.md")])
LARGEST_MB = 20


def files() -> Iterator[Path]:
    """Every file of the project, without what was made or installed beside it."""
    for top in ROOT.iterdir():
        if not top.name.startswith(".") and top.name not in {"build", "dist"}:
            yield from (path for path in (top, *top.rglob("*")) if path.is_file())


@pytest.mark.parametrize("name", Settings.model_fields)
def test_setting_is_documented(name: str) -> None:
    """Every setting has a row in docs/configuration.md, with its default where that is a value."""
    default = Settings.model_fields[name].default
    computed = Settings.model_fields[name].default_factory is not None
    shown = "" if computed else f"`{default}` |" if default not in ("", None) else "none |"
    row = f"| `LAWFUL_{name.upper()}` | {shown}"

    assert row in CONFIGURATION


def test_documented_settings_exist() -> None:
    """No document names a LAWFUL_ variable that nothing reads."""
    named = {name for path in DOCUMENTS for name in re.findall(r"LAWFUL_[A-Z_]+", path.read_text())}
    of_tests = set(
        re.findall(r"LAWFUL_TEST_[A-Z_]+", (ROOT / "tests" / "test_index.py").read_text())
    )
    known = {f"LAWFUL_{name.upper()}" for name in Settings.model_fields} | of_tests

    assert named - {"LAWFUL_"} <= known


def test_make_targets_exist() -> None:
    """Every `make TARGET` in the documents is a target that `make help` describes."""
    targets = set(re.findall(r"^([a-z0-9]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    asked = {
        target
        for path in DOCUMENTS
        for target in re.findall(r"(?:`|^\$ )make ([a-z0-9]+)", path.read_text(), re.MULTILINE)
    }

    assert {"demo", "test"} <= asked
    assert asked <= targets


@pytest.mark.parametrize("record", sorted(DECISIONS.glob("0*.md")), ids=lambda path: path.stem)
def test_decision_is_listed(record: Path) -> None:
    """Every decision is linked from the list of decisions, under its own title."""
    title = record.read_text().splitlines()[0].removeprefix("# ")

    assert f"- [{title}]({record.name})" in (DECISIONS / "README.md").read_text()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    """Relative links and pictures in documents name files that exist."""
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text())

    assert [target for target in targets if not (document.parent / target).exists()] == []


def test_no_huge_file() -> None:
    """A clone stays small: no file is larger than a model has to be."""
    huge = [path for path in files() if path.stat().st_size > LARGEST_MB * 2**20]

    assert huge == []
