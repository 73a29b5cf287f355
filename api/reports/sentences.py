"""The sentences of the report, read from `sentences.toml`, where they are translated."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

SENTENCES: Mapping[str, Mapping[str, Any]] = tomllib.loads(
    (files(__package__) / "sentences.toml").read_text("utf-8")
)


def say(table: str, name: str, /, **values: object) -> str:
    """Return a sentence of a table with its names filled in; raises KeyError without one."""
    return str(SENTENCES[table][name]).format(**values)
