"""Groups of commands, made when they are asked for.

Typer makes every command of every group at each start; most starts are for one of them.
"""

from __future__ import annotations

from collections import UserDict
from collections.abc import Mapping
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_group_from_info
from typer.models import TyperInfo


class _Made(UserDict[str, Any]):
    """Commands by name; in place of one, what it is to be made of."""

    def __init__(self, commands: Mapping[str, Any], options: Mapping[str, Any]) -> None:
        super().__init__(commands)
        self._options = options

    def __getitem__(self, name: str) -> Any:
        one = super().__getitem__(name)
        if isinstance(one, typer.Typer):
            one = get_group_from_info(TyperInfo(one, name=name), **self._options)
            self[name] = one
        return one


def later(groups: Mapping[str, typer.Typer]) -> type[TyperGroup]:
    """Return the class of a group that has these groups, too, by name."""

    class Later(TyperGroup):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self.commands = _Made(
                {**self.commands, **groups},
                {
                    "pretty_exceptions_short": True,
                    "suggest_commands": self.suggest_commands,
                    "rich_markup_mode": self.rich_markup_mode,
                },
            )

    return Later
