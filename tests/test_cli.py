"""The command line: what a person types, what a script reads, what bad input gets."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from attribution.config import Settings
from tests.portfolios import picture, portfolio

RUN = "from api.cli import main; main()"


def lawful(home: Path, *words: str, profile: str = "stub") -> subprocess.CompletedProcess[str]:
    """Run one command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", RUN, *words],
        env={"LAWFUL_HOME": str(home), "LAWFUL_PROFILE": profile, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Give a folder for a collection."""
    return tmp_path / "home"


@pytest.fixture
def ingested(home: Path, tmp_path: Path) -> Path:
    """Give a collection of three artists with four works each."""
    assert lawful(home, "ingest", str(portfolio(tmp_path / "p"))).returncode == 0
    return home


def test_help_is_light() -> None:
    """`lawful --help` loads neither models nor engines nor the database."""
    code = (
        "import sys, contextlib\n"
        "sys.argv = ['lawful', '--help']\n"
        "from api.cli import main\n"
        "with contextlib.suppress(SystemExit): main()\n"
        "heavy = {'torch', 'open_clip', 'diffusers', 'qdrant_client', 'sqlalchemy', 'fastapi'}\n"
        "print('loaded:', sorted(heavy & sys.modules.keys()))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "loaded: []"


@pytest.mark.parametrize(
    "command",
    ["ingest", "attribute", "search", "serve", "info", "artists", "demo", "train-starter"],
)
def test_every_command_shows_an_example(home: Path, command: str) -> None:
    """`--help` of a command ends with something to type."""
    done = lawful(home, command, "--help")

    assert done.returncode == 0
    assert f"lawful {command}" in done.stdout


def test_ingest_answers_scripts(home: Path, tmp_path: Path) -> None:
    """`--json` gives one object with an outcome a file; exit code 3 says that some were refused."""
    source = portfolio(tmp_path / "p", artists=1, works=2)
    (source / "artist-0" / "bad.png").write_text("no image")

    done = lawful(home, "ingest", str(source), "--json")

    answer = json.loads(done.stdout)
    assert done.returncode == 3
    assert (answer["added"], answer["known"], answer["refused"], answer["artists"]) == (2, 0, 1, 1)
    assert {item["outcome"] for item in answer["items"]} == {"added", "refused"}


def test_attribute_answers_scripts(ingested: Path, tmp_path: Path) -> None:
    """`--json` gives one object a line and image: verdict, copy, artists, what was searched."""
    work = tmp_path / "p" / "artist-1" / "work-2.png"
    other = tmp_path / "other.png"
    picture(555).save(other)

    done = lawful(ingested, "attribute", str(work), str(other), "--json")

    copy, unknown = (json.loads(line) for line in done.stdout.splitlines())
    assert done.returncode == 0
    assert copy["image"] == str(work)
    assert (copy["verdict"], copy["copy_of"]["slug"]) == ("copy", "artist-1")
    assert copy["artists"][0]["works"][0]["similarity"]["clip"] == pytest.approx(1, abs=1e-3)
    assert unknown["copy_of"] is None
    assert unknown["searched"]["works"] == 12
    assert [a["score"] for a in unknown["artists"]] == sorted(
        (a["score"] for a in unknown["artists"]), reverse=True
    )


def test_attribute_writes_a_report(ingested: Path, tmp_path: Path) -> None:
    """The report holds its pictures itself and loads nothing."""
    report = tmp_path / "report.html"

    work = tmp_path / "p" / "artist-0" / "work-0.png"
    done = lawful(ingested, "attribute", str(work), "--report", str(report))

    html = report.read_text()
    assert done.returncode == 0
    assert html.count("data:image/webp;base64,") >= 4
    assert "http" not in html.replace("http-equiv", "")


def test_search_by_words(ingested: Path) -> None:
    """Words find titles; each hit says what every leg gave."""
    done = lawful(ingested, "search", "work 2", "--artist", "artist-1", "--json")

    hits = json.loads(done.stdout)["hits"]
    assert [h["title"] for h in hits if h["legs"]["text"]["rank"] == 1] == ["work-2"]
    assert {hit["slug"] for hit in hits} == {"artist-1"}
    assert set(hits[0]["legs"]) == {"text", "clip_text"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("ingest", "/nowhere"), "/nowhere does not exist"),
        (("search", ""), "nothing to search for"),
        (("search", "x", "--artist", "artist-9"), "no artist 'artist-9'; did you mean"),
        (("search", "x", "--image", "/nowhere.png"), "/nowhere.png does not exist"),
    ],
)
def test_bad_input_names_the_value(ingested: Path, words: tuple[str, ...], says: str) -> None:
    """One line on stderr, exit code 1, no traceback."""
    done = lawful(ingested, *words)

    assert done.returncode == 1
    assert says in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_one_bad_image_does_not_stop_the_others(ingested: Path, tmp_path: Path) -> None:
    """What can be answered is answered; exit code 3 says that something could not."""
    (tmp_path / "bad.png").write_text("no image")
    good = tmp_path / "p" / "artist-0" / "work-0.png"

    done = lawful(ingested, "attribute", str(tmp_path / "bad.png"), str(good), "--json")

    assert done.returncode == 3
    assert len(done.stdout.splitlines()) == 2
    assert "not an image" in " ".join(done.stderr.split())


def test_info_and_artists(ingested: Path) -> None:
    """Both count what is there, without opening the index."""
    info = json.loads(lawful(ingested, "info", "--json").stdout)
    artists = json.loads(lawful(ingested, "artists", "--json").stdout)["artists"]

    assert info["catalogue"]["works"] == 12
    assert [artist["works"] for artist in artists] == [4, 4, 4]


def test_wrong_setting_is_named(home: Path) -> None:
    """A setting that cannot be read names its variable."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, "info"],
        env={"LAWFUL_HOME": str(home), "LAWFUL_PORT": "high", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "LAWFUL_PORT='high'" in done.stderr


def test_unknown_profile_lists_the_known(home: Path) -> None:
    """A misspelt profile says which there are."""
    done = lawful(home, "search", "x", profile="starte")

    assert done.returncode == 1
    assert "no profile 'starte'" in done.stderr
    assert "starter, standard, large, flux" in " ".join(done.stderr.split())


def test_settings_live_under_home(tmp_path: Path) -> None:
    """One folder holds everything embedded."""
    settings = Settings(home=tmp_path)

    assert settings.database_url == f"sqlite:///{tmp_path}/lawful.db"
    assert settings.qdrant_url == str(tmp_path / "index")
