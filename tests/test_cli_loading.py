"""What the command line says while models are loaded, and what it refuses before."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from attribution.config import Settings
from attribution.encoders.profiles import known_profiles, models_of
from tests.commands import RUN, lawful
from tests.portfolios import picture, portfolio

LINE = "loading models: stub"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Give a folder for a collection, with a portfolio and an image next to it."""
    portfolio(tmp_path / "p", artists=1, works=2)
    picture(555).save(tmp_path / "image.png")
    return tmp_path / "home"


def at_terminal(home: Path, *words: str) -> str:
    """Run one command whose stderr is a terminal, and return what that shows."""
    terminal, stderr = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", RUN, *words],
        env={"LAWFUL_HOME": str(home), "LAWFUL_PROFILE": "stub", "TERM": "xterm"},
        stdout=subprocess.DEVNULL,
        stderr=stderr,
    ):
        os.close(stderr)
        shown = b""
        try:
            while some := os.read(terminal, 4096):
                shown += some
        except OSError:  # Linux: the command has ended
            pass
        finally:
            os.close(terminal)
    return shown.decode()


@pytest.mark.parametrize(("command", "source"), [("ingest", "p"), ("attribute", "image.png")])
def test_loading_is_told_at_a_terminal(home: Path, command: str, source: str) -> None:
    """With the names of the models, and for people only."""
    path = str(home.parent / source)

    assert LINE in at_terminal(home, command, path)
    assert LINE not in at_terminal(home, command, path, "--json")


def test_loading_is_not_told_to_a_file(home: Path) -> None:
    """What a script keeps of stderr are errors and remarks."""
    assert lawful(home, "attribute", str(home.parent / "image.png")).stderr == ""


def test_models_have_names_before_they_are_loaded() -> None:
    """Of every profile; a path within the package is no name."""
    settings = Settings()
    names = [
        name
        for profile in known_profiles(settings)
        for name in models_of(settings.model_copy(update={"profile": profile}))
    ]

    assert names[:2] == ["starter/clip", "starter/vae"]
    assert not any(name.startswith("local-dir:") or Path(name).is_absolute() for name in names)


@pytest.mark.parametrize(
    ("code", "says", "words"),
    [
        (1, "/nowhere does not exist", ("ingest", "/nowhere")),
        (1, "/nowhere.png does not exist", ("add", "/nowhere.png", "--artist", "Ann")),
        (3, "/nowhere.png does not exist", ("attribute", "/nowhere.png")),
        (3, "/nowhere.png does not exist", ("member", "/nowhere.png")),
        (1, "/nowhere.png does not exist", ("search", "x", "--image", "/nowhere.png")),
        (1, "nothing to search for", ("search", " ")),
        (1, "there is no such folder", ("generate", "x", "-o", ".", "--model", "/nowhere")),
    ],
)
def test_arguments_are_checked_before_models_are_loaded(
    home: Path, code: int, says: str, words: tuple[str, ...]
) -> None:
    """A profile that nobody knows would be the error of whatever opens its models."""
    done = lawful(home, *words, profile="unknown")

    assert (done.returncode, says in " ".join(done.stderr.split())) == (code, True)
    assert "unknown" not in done.stderr
    assert not home.exists()
