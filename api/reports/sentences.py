"""The sentences of the report, read from `sentences.toml`, where they are translated."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

SENTENCES: Mapping[str, Mapping[str, Any]] = tomllib.loads(
    (files(__package__) / "sentences.toml").read_text("utf-8")
)

_LEFTWARDS = "\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc"  # Hebrew, Arabic and their neighbours
_TURNS = re.compile("[\u202a-\u202e\u2066-\u2069]")  # the direction of what follows
_LEFTWARDS_RUN = re.compile(f"[{_LEFTWARDS}](?:[^()“”:;A-Za-z]*[{_LEFTWARDS}])?")


def say(table: str, name: str, /, **values: object) -> str:
    """Return a sentence of a table with its names filled in; raises KeyError without one."""
    return str(SENTENCES[table][name]).format(**values)


def isolated(text: str) -> str:
    """Return a text in which what is written from right to left moves nothing around it.

    Characters that would turn the direction of what follows are spelt out.
    """
    spelt = _TURNS.sub(lambda one: f"[U+{ord(one[0]):04X}]", text)
    return _LEFTWARDS_RUN.sub("\u2068\\g<0>\u2069", spelt)
