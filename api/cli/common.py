"""What the commands share: consoles, settings, the progress bar, the exit codes."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from attribution.config import Settings
from attribution.errors import BadInput

SOME_REFUSED = 3  # exit code: the work was done, but not for every input


def settings_from_environment() -> Settings:
    """Read the `LAWFUL_` variables; raises BadInput naming the one that is wrong."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = "LAWFUL_" + "_".join(str(part) for part in first["loc"]).upper()
        raise BadInput(f"{name}={first['input']!r}: {first['msg']}") from None


def print_json(value: object) -> None:
    """Print one JSON object on one line of stdout."""
    print(json.dumps(value, ensure_ascii=False))  # noqa: T201  a script reads stdout


def status_console() -> Console:
    """Return the console for progress and remarks: stderr, so that stdout stays data."""
    return Console(stderr=True)


class RateColumn(ProgressColumn):
    """Works per second since the start."""

    def render(self, task: Task) -> Text:
        """Return the rate as rich shows it."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.1f}/s" if speed else "-/s", style="progress.data.speed")


def progress_bar(console: Console) -> Progress:
    """Return a bar with count, rate, elapsed and remaining time."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        RateColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
    )


def existing_file(path: Path) -> Path:
    """Return `path` if it is a file; raises BadInput."""
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise BadInput(f"{path} {what}; give the path of an image file")
    return path
