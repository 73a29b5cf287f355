"""One module writes the life of a work: its state, its artist, and what is counted along."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WRITERS = {"lifecycle.py", "sums.py"}  # sums.py writes the statistics, for lifecycle.py alone
COLUMNS = {"Artwork": {"status", "artist_id"}, "Artist": {"works"}}
TABLES = {"ClassifierAddition", "ClassifierArtist", "ClassifierShard"}
STATEMENTS = {"update", "insert", "delete", "insert_new"}
CALLED = {
    "add_works",
    "change_statistics",
    "count_vectors",
    "join_statistics",
    "move_vectors",
}
OTHERS = {"change.works", "found.works", "self.works", "shown.works"}  # of no artist


def writers(source: str) -> Iterator[str]:
    """Yield what in a module writes a work's state or artist, a count of works, or the sums."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            yield from _written_by_statement(node)
        elif isinstance(node, ast.ImportFrom) and node.module == "attribution.catalogue.sums":
            yield from (f"import {one.name}" for one in node.names if one.name in CALLED)
        elif isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in (one for each in targets for one in ast.walk(each)):
                if isinstance(target, ast.Attribute) and _is_of_a_work(target, node.value):
                    yield ast.unparse(node)


def _written_by_statement(call: ast.Call) -> Iterator[str]:
    """Yield columns in `update(Table)….values(column=…)` and `Table(column=…)`, tables of sums."""
    called = ast.unparse(call.func)
    first = ast.unparse(call.args[0]) if call.args else ""
    second = ast.unparse(call.args[1]) if len(call.args) > 1 else ""
    if called in STATEMENTS and {first, second} & TABLES:
        yield ast.unparse(call)
    if called.startswith("sums.") and called.removeprefix("sums.") in CALLED:
        yield called
    named = {keyword.arg for keyword in call.keywords}
    named |= {ast.literal_eval(key) for key in ast.walk(call) if _is_text(key)}
    for table, columns in COLUMNS.items():
        is_update = called.endswith(".values") and f"update({table})" in called
        if named & columns and is_update:
            yield ast.unparse(call)
    if called in COLUMNS and named & (COLUMNS[called] - {"artist_id"}):
        yield ast.unparse(call)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _is_of_a_work(target: ast.Attribute, value: ast.expr | None) -> bool:
    if target.attr == "status":
        return value is not None and "ArtworkStatus" in ast.unparse(value)
    return target.attr == "works" and ast.unparse(target) not in OTHERS


def test_nobody_else_writes_it() -> None:
    """Whatever changes a state, a count or the sums goes through `catalogue.lifecycle`."""
    modules = [
        path
        for room in ("attribution", "ingest", "api")
        for path in (ROOT / room).rglob("*.py")
        if path.name not in WRITERS
    ]

    found = {
        str(path.relative_to(ROOT)): said
        for path in modules
        if (said := list(writers(path.read_text(encoding="utf-8"))))
    }

    assert found == {}


@pytest.mark.parametrize(
    "source",
    [
        "session.execute(update(Artwork).where(Artwork.id == work).values(status=INDEXED))",
        "update(Artwork).values({'status': INDEXED})",
        "update(Artwork).where(x).values(title=None, artist_id=ann)",
        "update(Artist).where(Artist.id == ann).values(works=Artist.works + 1)",
        "work.status = ArtworkStatus.FAILED",
        "work.status, work.reason = ArtworkStatus.FAILED, 'gone'",
        "artist.works += 1",
        "Artist(name='Ann', works=3)",
        "Artwork(status=ArtworkStatus.INDEXED)",
        "session.execute(delete(ClassifierShard).where(x))",
        "insert_new(session, ClassifierArtist, rows)",
        "from attribution.catalogue.sums import count_vectors",
        "sums.change_statistics(session, encoders, delta, by=1)",
    ],
)
def test_another_writer_is_seen(source: str) -> None:
    """The search finds every way in which it was ever done."""
    assert list(writers(source))


def test_both_writers_are_there() -> None:
    """A module that was renamed is no longer left out by its old name."""
    for name in WRITERS:
        source = (ROOT / "attribution" / "catalogue" / name).read_text(encoding="utf-8")
        assert list(writers(source))
