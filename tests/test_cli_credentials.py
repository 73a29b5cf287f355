"""`lawful credentials`: a development chain, and what a file says of itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.cli.credentials import app
from attribution.errors import BadInput, Conflict
from tests.signing import NO_TRAINING, development, image_bytes, manifest_image, signed

RUNNER = CliRunner()


def lawful(*words: str | Path) -> str:
    """Run one command in this process; returns its stdout."""
    return RUNNER.invoke(app, [str(word) for word in words], catch_exceptions=False).stdout


@pytest.fixture(autouse=True)
def trusting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Trust the root of our signer."""
    (tmp_path / "root.pem").write_text(development()[1])
    monkeypatch.setenv("LAWFUL_TRUST_ANCHORS", str(tmp_path / "root.pem"))
    monkeypatch.setenv("LAWFUL_HOME", str(tmp_path / "home"))


@pytest.mark.parametrize("command", ["init", "show", "verify"])
def test_each_shows_an_example(command: str) -> None:
    """`--help` ends with something to type."""
    assert f"lawful credentials {command}" in lawful(command, "--help")


def test_init_prints_settings_that_work(tmp_path: Path) -> None:
    """What it prints goes into .env as it stands; a second run overwrites nothing."""
    out = lawful("init", "--out", tmp_path / "own")
    settings = dict(line.split("=", 1) for line in out.splitlines() if line.startswith("LAWFUL_"))

    assert set(settings) == {"LAWFUL_SIGN_CERT", "LAWFUL_SIGN_KEY", "LAWFUL_TRUST_ANCHORS"}
    assert all(Path(value).is_file() for value in settings.values())
    with pytest.raises(Conflict, match="not overwritten"):
        lawful("init", "--out", tmp_path / "own")
    made = json.loads(lawful("init", "--json"))
    assert made["development"] is True
    assert Path(made["settings"]["LAWFUL_SIGN_KEY"]).parent == tmp_path / "home" / "credentials"


def test_show_says_what_a_file_says(tmp_path: Path) -> None:
    """As a table for people, with the whole manifest for scripts."""
    file = tmp_path / "a.png"
    file.write_bytes(signed())

    table = lawful("show", file)
    assert "valid" in table
    assert "trainedAlgorithmicMedia" in table
    assert "toy" in table
    found = json.loads(lawful("show", file, "--json"))
    assert (found["file"], found["state"]) == (str(file), "valid")
    assert "org.lawful-diffusion.generation" in str(found["manifest"]["assertions"])


def test_show_of_files_without_and_with_broken_credentials(tmp_path: Path) -> None:
    """Nothing is absent; a changed file is invalid, although no picture can be made of it."""
    plain, changed = tmp_path / "plain.png", tmp_path / "changed.png"
    plain.write_bytes(image_bytes())
    data = bytearray(signed())
    data[-30] ^= 1
    changed.write_bytes(data)

    assert json.loads(lawful("show", plain, "--json")) == {
        "file": str(plain),
        "state": "absent",
        "ingredients": [],
        "manifest": None,
    }
    assert json.loads(lawful("show", changed, "--json"))["state"] == "invalid"
    with pytest.raises(BadInput, match="does not exist"):
        lawful("show", tmp_path / "nowhere.png")


def test_show_survives_what_strangers_write(tmp_path: Path) -> None:
    """Our own labels with other contents, and text that would paint the terminal."""
    file = tmp_path / "a.png"
    paint = {"\x1b[31m[red]model": "\x1b]0;owned\x07"}
    file.write_bytes(
        manifest_image(
            ("org.lawful-diffusion.generation", paint),
            ("org.lawful-diffusion.attribution", {"artists": [1, {"name": ["x"]}, {}]}),
            ("cawg.training-mining", NO_TRAINING),
        )
    )

    table = lawful("show", file)

    assert "\x1b]0" not in table
    assert "[red]model" in table
    assert table.count("resembles") == 3
