"""What the commands share: consoles, settings, the progress bar, the exit codes."""

from __future__ import annotations

import json
import os
import signal
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
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

from api.dates import end_of
from attribution.errors import BadInput

if TYPE_CHECKING:
    from attribution.config import Settings

FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]
WRITTEN = ("2027-12-31", "2027-12-31T18:00")
SOME_REFUSED = 3  # exit code: the work was done, but not for every input
UNEXPECTED = 70  # exit code: a defect of this program (EX_SOFTWARE of sysexits.h)
INTERRUPTED = 130  # exit code: by Ctrl-C, as shells count it


def settings_from_environment() -> Settings:
    """Read the `LAWFUL_` variables; raises BadInput naming the one that is wrong."""
    from pydantic import ValidationError
    from pydantic_settings import SettingsError

    from attribution.config import Settings

    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name, *inside = first["loc"]
        where = f"LAWFUL_{name}".upper() + "".join(f"[{part!r}]" for part in inside)
        raise BadInput(f"{where}={first['input']!r}: {first['msg']}") from None
    except SettingsError as error:
        raise BadInput(
            f"{error}: lists and tables are written as JSON, such as "
            f"LAWFUL_ALLOWED_HOSTS='[\"art.example.org\"]' or "
            f'LAWFUL_OIDC_ROLES=\'{{"curators": "reviewer"}}\''
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"the file .env of this folder cannot be read: {error}") from None


def moment(help_: str) -> Any:
    """Return an option for a time in UTC; `in_utc` reads what it gives."""
    return typer.Option(formats=FORMATS, help=help_)


def ending(help_: str) -> Any:
    """Return an option for the end of something, in UTC: a date means to the end of that day."""
    return typer.Option(parser=_end, metavar=" | ".join(WRITTEN), help=help_)


def _end(text: str) -> datetime:
    found = end_of(text)
    if isinstance(found, datetime):
        return found
    for one in FORMATS[1:]:
        with suppress(ValueError):
            return datetime.strptime(text, one).replace(tzinfo=UTC)
    raise typer.BadParameter(f"{text!r} is neither {' nor '.join(WRITTEN)}")


def in_utc(given: datetime | None) -> datetime | None:
    """Return what an option for a time gives, with its zone."""
    return given and given.replace(tzinfo=UTC)


def end_on_sigterm() -> None:
    """Have SIGTERM end a command as Ctrl-C does: a job that it runs gives back what is in hand."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def print_json(value: object) -> None:
    """Print one JSON object on one line of stdout, in UTF-8 whatever is in it.

    Odd bytes in the name of a file come out as escapes of JSON, from which Python makes them again.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    print(text.encode("utf-8", "backslashreplace").decode("utf-8"))  # noqa: T201  scripts read it


def plain(text: object) -> str:
    """Return text from outside as it may be printed: what would control a terminal is spelt out.

    For printing without markup; in a table, `escape` it as well.
    """
    return "".join(one if one.isprintable() else _spelt(one) for one in str(text))


def _spelt(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # a byte of a file's name that is no text
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


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


def check_writable(path: Path, option: str) -> None:
    """Raise BadInput unless a file can be written here; `option` is what asked for it."""
    try:
        if path.is_dir():
            raise BadInput(f"{option} {path} is a folder; name a file in it")
        if not path.parent.is_dir():
            raise BadInput(f"{option} {path}: there is no folder {path.parent}; make it first")
        is_writable = os.access(path if path.exists() else path.parent, os.W_OK)
    except OSError as error:
        raise BadInput(f"{option} {path}: {error.strerror}") from None
    if not is_writable:
        raise BadInput(f"{option} {path} is not writable; check its permissions")


def existing_file(path: Path) -> Path:
    """Return `path` if it is a file; raises BadInput."""
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise BadInput(f"{path} {what}; give the path of an image file")
    return path
