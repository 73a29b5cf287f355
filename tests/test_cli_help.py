"""What `--help` prints for every command and group."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from api.cli import _unwrap_help, app


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
