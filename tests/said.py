"""What the program says to people: its texts, and the words that are in none of them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import typer

from api.cli import app
from api.reports import sentences

# Said of an image and a person, these claim what nobody can know from a likeness.
CLAIMS = re.compile(
    r"infring\w*|\b(?:created|made|is|are) by\b(?! `?lawful)|\btrained on\b|\bis original\b"
    r"|\bsources? of\b|\bguilty\b|\bstolen\b|\bcleared\b",
    re.IGNORECASE,
)
# That a model was trained on works is known, and has to be said. It is never said of an image.
OF_A_MODEL = re.compile(r"model|classifier|clip\b|vae\b|encoder|weights|parameters", re.IGNORECASE)
DENIED = (
    "neither influence nor infringement",  # the README: what resemblance does not show
    "Other sources of data",  # a heading of the Commission's template: of training, not of an image
)
SENTENCES = re.compile(r"(?<=[.!?|])\s|\n\s*\n")


def claims(text: str) -> list[str]:
    """Return the sentences of a text that claim what nobody knows."""
    return [
        sentence
        for sentence in SENTENCES.split(text)
        if any(not _is_allowed(found.group(), sentence) for found in CLAIMS.finditer(sentence))
    ]


def in_help() -> Iterator[str]:
    """Yield the help of every command and group, and of every argument and option."""

    def below(command: Any) -> Iterator[str]:
        yield from (one.help or "" for one in (command, *command.params))
        for one in getattr(command, "commands", {}).values():
            yield from below(one)

    return below(typer.main.get_command(app))


def in_report() -> Iterator[str]:
    """Yield the sentences of the report."""

    def below(values: Any) -> Iterator[str]:
        if isinstance(values, str):
            yield values
            return
        for one in values.values() if isinstance(values, Mapping) else values:
            yield from below(one)

    return below(sentences.SENTENCES)


def in_code(paths: Iterable[Path]) -> Iterator[str]:
    """Yield the texts of modules that are not docstrings, and texts with values as a whole."""
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    for path in paths:
        tree = ast.parse(path.read_text("utf-8"))
        docstrings = {
            ast.get_docstring(node, clean=False)
            for node in ast.walk(tree)
            if isinstance(node, documented)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                yield "".join(_text(part) for part in node.values)
            elif (text := _text(node)) and text not in docstrings:
                yield text


def _text(node: ast.AST) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _is_allowed(word: str, sentence: str) -> bool:
    if word.lower() == "trained on":
        return OF_A_MODEL.search(sentence) is not None
    return any(word in one and one in sentence for one in DENIED)
