"""What `--help` prints for every command and group."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from api import cli
from api.cli import _unwrap_help, app
from attribution.lookup import wording
from tests.said import in_code, in_help, in_report

# What no reader should have to guess; what may not be said of people is in `test_said.py`.
WORDS = {
    r"anew": "again",
    r"beside": "next to, with",
    r"(?<!one-)hand": "artist, style, current",
    r"speaks? for": "supports",
    r"doubles": "duplicates",
    r"goes? on": "resume, continue",
    r"mend": "repair, correct",
    r"whoever": "anyone who",
    r"take[ns]? back": "withdraw, undo",
    r"lets it": "allows it",
    r"as if (it|its|they|these|nothing)": "while … is hidden",
    r"(?<!there )(is|are) (no|none)(?! longer| proof)": "is not a",
    r"not (older|younger) than": "earliest, latest",
    r"what is (not )?to be": "what to",
    r"(a|one) \w+ a (line|work|query|file)": "one … per …",
    r"of (learning|the random numbers|a dataset)": "the noun first: learning rate",
}


def commands(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield what to type for a command or group, and for all below it."""
    yield words
    for name, one in getattr(command, "commands", {}).items():
        yield from commands(one, (*words, name))


COMMANDS = list(commands(typer.main.get_command(app)))


def paragraphs(words: tuple[str, ...], width: int) -> list[list[str]]:
    """Return the lines of each paragraph above the tables of a help text."""
    done = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": str(width)})
    assert done.exit_code == 0
    prose = done.stdout.partition("╭")[0].partition("Usage:")[2]
    found: list[list[str]] = [[]]
    for line in prose.splitlines():
        if text := line.strip():
            found[-1].append(text)
        else:
            found.append([])
    return [lines for lines in found[1:] if lines]


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help_is_wrapped_at_the_width_of_the_terminal(words: tuple[str, ...], width: int) -> None:
    """A line within a paragraph ends only where the next word would not fit."""
    room = width - 2  # a space on either side
    for lines in paragraphs(words, width):
        for line, following in pairwise(lines):
            assert len(f"{line} {following.split()[0]}") > room, line


def test_an_example_keeps_its_lines() -> None:
    """Lines to be typed one by one are not joined; prose around them is."""
    program = typer.Typer()

    @program.command()
    def _two() -> None:
        """Do two things.

        In that
        order.

        Example: first
        second
        """

    _unwrap_help(program)

    assert program.registered_commands[0].help == (
        "Do two things.\n\nIn that order.\n\nExample: first\nsecond"
    )


MESSAGES = (*Path(cli.__file__).parent.glob("*.py"), Path(wording.__file__))


@pytest.mark.parametrize("word", WORDS)
def test_plain_words_are_used(word: str) -> None:
    """Neither help nor messages nor reports have words that only their author understands."""
    pattern = re.compile(rf"\b({word})\b", re.IGNORECASE)
    found = [
        text for text in (*in_help(), *in_code(MESSAGES), *in_report()) if pattern.search(text)
    ]

    assert not found, f"say: {WORDS[word]}"
