"""The command line: what a person types, what a script reads, what bad input gets."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from unittest.mock import Mock
from uuid import UUID

import pytest
from PIL import Image

from api.cli import catalog
from api.cli.common import plain
from api.cli.demo import own_settings
from attribution.config import Settings
from attribution.encoders.weights import check_device
from attribution.errors import BadInput
from tests.commands import lawful
from tests.homes import copy_ingested
from tests.portfolios import picture, portfolio


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Give a folder for a collection."""
    return tmp_path / "home"


@pytest.fixture
def ingested(ingested_once: Path, tmp_path: Path) -> Path:
    """Give a collection of three artists with four works each; they came from `tmp_path / "p"`."""
    return copy_ingested(ingested_once, tmp_path) / "home"


HEAVY = {"torch", "open_clip", "diffusers", "qdrant_client", "qdrant_edge", "scipy", "fastapi"}


@pytest.mark.parametrize(
    ("asked", "heavy"),
    [
        ("--help", {*HEAVY, "alembic", "numpy", "pydantic", "sqlalchemy", "structlog"}),
        ("info", {*HEAVY, "alembic", "structlog"}),
        ("attribute nothing-here.png", {*HEAVY, "alembic", "structlog"}),
    ],
)
def test_what_needs_no_model_loads_none(asked: str, heavy: set[str], home: Path) -> None:
    """`lawful --help` loads neither models nor engines nor the database, `info` that alone.

    Nor does a lookup of what is not there.

    Alembic waits for tables that change, structlog for a line to log.
    """
    lawful(home, "artists")  # makes the tables
    code = (
        "import sys, contextlib\n"
        f"sys.argv = ['lawful', *{asked.split()!r}]\n"
        "from api.cli import main\n"
        "with contextlib.suppress(SystemExit): main()\n"
        f"print('loaded:', sorted({heavy!r} & sys.modules.keys()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"LAWFUL_HOME": str(home)},
    )

    assert done.stdout.splitlines()[-1] == "loaded: []"


@pytest.mark.parametrize(
    "command",
    [
        "ingest",
        "attribute",
        "show",
        "search",
        "serve",
        "info",
        "artists",
        "works",
        "correct",
        "move",
        "merge",
        "split",
        "rename",
        "alias",
        "changes",
        "undo",
        "demo",
        "evaluate",
        "finetune",
        "generate",
        "train-starter",
        "train classifier",
        "export-dataset",
    ],
)
def test_every_command_shows_an_example(home: Path, command: str) -> None:
    """`--help` of a command ends with something to type."""
    done = lawful(home, *command.split(), "--help")

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
    """`--json` gives an object a line and image, and of several one more for all together."""
    work = tmp_path / "p" / "artist-1" / "work-2.png"
    other = tmp_path / "other.png"
    picture(555).save(other)

    done = lawful(ingested, "attribute", str(work), str(other), "--json")

    copy, unknown, together = (json.loads(line) for line in done.stdout.splitlines())
    assert done.returncode == 0
    findings = together["findings"]  # of style nothing: not calibrated
    assert (findings["images"], findings["compared"], findings["style"]) == (2, 0, [])
    assert findings["copies"] == [copy["id"]]
    assert findings["summary"].startswith("1 of 2 images show registered works")
    assert copy["reasons"] == []
    assert "not_calibrated" in unknown["reasons"]
    assert copy["image"] == str(work)
    assert (copy["verdict"], copy["copy_of"]["slug"]) == ("copy", "artist-1")
    assert copy["artists"][0]["works"][0]["similarity"]["clip"] == pytest.approx(1, abs=1e-3)
    assert unknown["copy_of"] is None
    assert unknown["searched"]["works"] == 12
    assert [a["score"] for a in unknown["artists"]] == sorted(
        (a["score"] for a in unknown["artists"]), reverse=True
    )


def test_member_says_how_often_it_errs(ingested: Path, tmp_path: Path) -> None:
    """A registered image is found, with counts of wrong findings; another one is not found."""
    work = tmp_path / "p" / "artist-1" / "work-2.png"
    other = tmp_path / "other.png"
    picture(555).save(other)

    done = lawful(ingested, "member", str(work), str(other), "--json")

    there, absent = (json.loads(line) for line in done.stdout.splitlines())
    assert done.returncode == 0
    assert (there["copy_of"]["slug"], there["copy_of"]["kind"]) == ("artist-1", "same_image")
    assert there["wrong"]["asked"] > there["wrong"]["found"]
    assert there["wrong"]["at_most"] > 0
    assert (absent["copy_of"], absent["wrong"]) == (None, None)
    assert "no proof of absence" in lawful(ingested, "member", str(other)).stdout


def test_blank_pictures_are_counted_and_named(home: Path, tmp_path: Path) -> None:
    """In the summary of an ingest, and where somebody asks whether they are registered."""
    page = tmp_path / "p" / "Ann" / "page.png"
    page.parent.mkdir(parents=True)
    Image.new("RGB", (181, 256), "white").save(page)

    done = lawful(home, "ingest", str(tmp_path / "p"))
    member = lawful(home, "member", str(page))

    assert done.returncode == 0
    assert "blank: registered, never found  1" in done.stdout
    assert "page.png: it is blank: registered, and never found" in done.stdout
    assert "blank" in member.stdout.splitlines()[1]
    assert "shows nothing that could be recognised" in member.stdout


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
        (("search", "x", "--by", "style"), "words have no style; give an image"),
        (("search", "x", "--artist", "artist-9"), "no artist 'artist-9'; did you mean"),
        (("search", "x", "--image", "/nowhere.png"), "/nowhere.png does not exist"),
        (("generate", " ", "-o", "out"), "the prompt is empty"),
        (("generate", "x", "-o", "/dev/null"), "--out /dev/null cannot be used"),
        (("generate", "x", "-o", ".", "--model", "/nowhere"), "cannot load a generator from /now"),
    ],
)
def test_bad_input_names_the_value(ingested: Path, words: tuple[str, ...], says: str) -> None:
    """One line on stderr, exit code 1, no traceback."""
    done = lawful(ingested, *words)

    assert done.returncode == 1
    assert says in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["Ann O'Hara", "portfolio"])
def test_a_flat_folder_is_named_by_what_the_error_says(
    home: Path, tmp_path: Path, name: str
) -> None:
    """The option stands there as a shell takes it, with the name of the folder if it is one."""
    (tmp_path / name).mkdir()
    picture(1).save(tmp_path / name / "a.png")

    refused = lawful(home, "ingest", str(tmp_path / name), "--dry-run")
    option = shlex.split(refused.stderr.rpartition("To name one for all files: ")[2])
    done = lawful(home, "ingest", str(tmp_path / name), "--dry-run", "--json", *option)

    assert refused.returncode == 1
    assert option == ["--artist", "NAME" if name == "portfolio" else name]
    assert json.loads(done.stdout)["added"] == 1


def test_one_bad_image_does_not_stop_the_others(ingested: Path, tmp_path: Path) -> None:
    """What can be answered is answered; exit code 3 says that something could not."""
    (tmp_path / "bad.png").write_text("no image")
    good = tmp_path / "p" / "artist-0" / "work-0.png"

    done = lawful(ingested, "attribute", str(tmp_path / "bad.png"), str(good), "--json")

    assert done.returncode == 3
    *_, together = map(json.loads, done.stdout.splitlines())
    assert together["findings"]["unreadable"] == [str(tmp_path / "bad.png")]
    assert "1 more could not be read" in together["findings"]["summary"]
    assert "not an image" in " ".join(done.stderr.split())


def test_info_and_artists(ingested: Path) -> None:
    """Both count what is there, without opening the index."""
    info = json.loads(lawful(ingested, "info", "--json").stdout)
    artists = json.loads(lawful(ingested, "artists", "--json").stdout)["artists"]

    assert info["catalogue"]["works"] == 12
    assert [artist["works"] for artist in artists] == [4, 4, 4]


def test_an_answer_can_be_shown_again(ingested: Path, tmp_path: Path) -> None:
    """As it was given, by its id, without a model; in a terminal and for scripts."""
    work = tmp_path / "p" / "artist-0" / "work-0.png"
    given = json.loads(lawful(ingested, "attribute", str(work), "--json").stdout)

    again = lawful(ingested, "show", given["id"], "--json", profile="not even known")
    for_people = lawful(ingested, "show", given["id"])

    assert json.loads(again.stdout) == {key: given[key] for key in given if key != "image"}
    assert given["id"] in for_people.stdout
    assert "the same image as “work-0” by artist-0" in for_people.stdout
    assert "no attribution" in lawful(ingested, "show", str(UUID(int=0))).stderr


def test_odd_file_names_are_shown_and_kept(ingested: Path, tmp_path: Path) -> None:
    """Bytes that are no text and escape codes reach no terminal; scripts get the name whole."""
    odd = tmp_path / os.fsdecode(b"caf\xe9\x1b[31m[b].png")
    picture(555).save(odd)
    report = tmp_path / "[x] report.html"

    people = lawful(ingested, "attribute", str(odd), "--report", str(report))
    script = lawful(ingested, "attribute", str(odd), "--json")

    assert people.returncode == 0
    assert "caf\\xe9\\x1b[31m[b].png" in people.stdout.replace("\n", "")
    assert "caf\\xe9\\x1b[31m[b].png" in report.read_text()
    assert json.loads(script.stdout)["image"] == str(odd)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Ana Ní", "Ana Ní"),
        ("a\x1b[31m\nb", "a\\x1b[31m\\nb"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        (os.fsdecode(b"\xff.png"), "\\xff.png"),
        ("\ud800", "\\ud800"),
        (Path("a/b"), "a/b"),
    ],
)
def test_plain_text_controls_nothing(text: object, shown: str) -> None:
    """What would control a terminal is spelt out, everything else is left alone."""
    assert plain(text) == shown


def test_a_report_needs_no_thumbnails(ingested: Path, tmp_path: Path) -> None:
    """Where none was kept the tile says so."""
    shutil.rmtree(ingested / "thumbnails")
    report = tmp_path / "report.html"

    work = tmp_path / "p" / "artist-0" / "work-0.png"
    done = lawful(ingested, "attribute", str(work), "--report", str(report))

    assert done.returncode == 0
    assert "no picture kept" in report.read_text()


@pytest.mark.parametrize(
    ("report", "says"), [("gone/r.html", "there is no folder"), ("", "is a folder; name a file")]
)
def test_a_report_is_refused_before_the_work(
    home: Path, tmp_path: Path, report: str, says: str
) -> None:
    """A place that cannot be written is named at once, not after all images."""
    done = lawful(home, "attribute", "a.png", "--report", str(tmp_path / report))

    assert done.returncode == 1
    assert says in done.stderr
    assert not home.exists()


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("port", "high", "LAWFUL_PORT='high'"),
        ("allowed_hosts", "art.example.org", "LAWFUL_ALLOWED_HOSTS='[\"art.example.org\"]'"),
        ("oidc_roles", '{"curators": "king"}', "LAWFUL_OIDC_ROLES['curators']='king'"),
        ("oidc_roles", "curators", 'LAWFUL_OIDC_ROLES=\'{"curators": "reviewer"}\''),
        ("storage_url", "~nobody-of-this-name", "LAWFUL_STORAGE_URL='~nobody-of-this-name'"),
    ],
)
def test_wrong_setting_is_named(home: Path, name: str, value: str, says: str) -> None:
    """A setting that cannot be used names its variable."""
    done = lawful(home, "info", **{name: value})

    assert done.returncode == 1
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_damaged_database_is_named(home: Path) -> None:
    """It is no outage: waiting would not help, a backup would."""
    home.mkdir()
    (home / "lawful.db").write_bytes(b"no database" * 1000)

    done = lawful(home, "info")

    assert done.returncode == 1
    assert "is damaged, or no database" in done.stderr
    assert "backup" in done.stderr


def test_a_home_has_to_be_a_folder(tmp_path: Path) -> None:
    """A file cannot hold a collection."""
    (tmp_path / "file").touch()

    done = lawful(tmp_path / "file", "info")

    assert done.returncode == 1
    assert f"LAWFUL_HOME={tmp_path}/file cannot be used" in done.stderr


def test_a_home_may_look_like_markup(tmp_path: Path) -> None:
    """Paths are shown as they are, and whole."""
    done = lawful(tmp_path / "a[" / "b]", "info")

    assert done.returncode == 0
    assert str(tmp_path / "a[" / "b]") in done.stdout


def test_a_setting_may_be_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As secrets are given to containers; the environment wins."""
    (tmp_path / "LAWFUL_DATABASE_URL").write_text("postgresql://u:p@h/of-the-file\n")
    (tmp_path / "of-somebody-else").write_text("?")
    by_file = {"_secrets_dir": tmp_path}  # in place of SECRETS

    assert Settings(**by_file).database_url == "postgresql://u:p@h/of-the-file"  # type: ignore[arg-type]
    monkeypatch.setenv("LAWFUL_DATABASE_URL", "postgresql://u:p@h/said")
    assert Settings(**by_file).database_url == "postgresql://u:p@h/said"  # type: ignore[arg-type]


def test_a_secret_that_lies_elsewhere_is_an_error(tmp_path: Path) -> None:
    """A setting that is there is never taken for one that is not."""
    (tmp_path / "elsewhere").write_text("a key")
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "LAWFUL_QDRANT_API_KEY").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(BadInput, match=r"LAWFUL_QDRANT_API_KEY.*resolves outside"):
        Settings(_secrets_dir=secrets)  # type: ignore[call-arg]


def test_a_secret_of_somebody_else_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Docker leaves its owner as outside, and makes a folder where there is no file."""
    secret = tmp_path / "LAWFUL_QDRANT_API_KEY"
    secret.mkdir()
    with pytest.raises(BadInput, match=r"LAWFUL_QDRANT_API_KEY.*a directory instead"):
        Settings(_secrets_dir=tmp_path)  # type: ignore[call-arg]
    secret.rmdir()
    secret.touch()
    refused = PermissionError(13, "Permission denied", str(secret))

    with monkeypatch.context() as changed:
        changed.setattr(Path, "read_text", Mock(side_effect=refused))
        with pytest.raises(BadInput, match=r"denied: '.*LAWFUL_QDRANT_API_KEY' .*readable"):
            Settings(_secrets_dir=tmp_path)  # type: ignore[call-arg]


def test_empty_settings_count_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """As shells and Compose files leave them; `~` is the user's own folder."""
    monkeypatch.setenv("LAWFUL_HOME", "")
    monkeypatch.setenv("LAWFUL_PORT", "")
    assert Settings().home.name == "lawful"
    assert Settings().port == 8000
    monkeypatch.setenv("LAWFUL_HOME", "~/art")
    monkeypatch.setenv("LAWFUL_STORAGE_URL", "~/files")
    assert Settings().home == Path.home() / "art"
    assert Settings().storage_url == str(Path.home() / "files")


def test_the_demo_leaves_other_collections_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the user's database, index, files and workers are."""
    for name in ("DATABASE_URL", "QDRANT_URL", "STORAGE_URL", "BROKER_URL"):
        monkeypatch.setenv(f"LAWFUL_{name}", "postgresql://elsewhere")
    settings = own_settings(tmp_path)

    assert settings.database_url == f"sqlite:///{tmp_path}/lawful.db"
    assert settings.qdrant_url == str(tmp_path / "index")
    assert settings.storage_url == str(tmp_path)
    assert settings.broker_url == ""


def failing_with(error: str) -> str:
    """Return a program whose command line fails in a way that nobody foresaw."""
    return (
        "import api.cli\n"
        "from api.cli import catalog\n"
        f"def fail(*_): raise {error}\n"
        "catalog._facts = fail\n"
        "api.cli.main()"
    )


def test_a_defect_is_one_line(home: Path) -> None:
    """With its own exit code, and the way to its traceback."""
    run = failing_with("ZeroDivisionError('by [/x]\\x1b')")

    done, debugged = lawful(home, "info", run=run), lawful(home, "info", run=run, debug="1")

    assert done.returncode == 70
    assert done.stderr == (
        "unexpected error: ZeroDivisionError: by [/x]\\x1b; set LAWFUL_DEBUG=1 for the traceback\n"
    )
    assert "Traceback" in debugged.stderr


def test_an_interruption_is_one_line(home: Path) -> None:
    """Ctrl-C ends with the exit code that shells know."""
    done = lawful(home, "info", run=failing_with("KeyboardInterrupt"))

    assert (done.returncode, done.stderr) == (
        130,
        "interrupted; run the same command again to resume\n",
    )


def test_version_and_extras_are_shown(home: Path) -> None:
    """What to quote in a report, and what to type: brackets are no markup."""
    assert lawful(home, "--version").stdout == f"lawful {version('lawful-diffusion')}\n"
    assert "lawful-diffusion[train]" in lawful(home, "train-starter", "--help").stdout


def test_sizes_are_those_on_the_disk(tmp_path: Path) -> None:
    """Holes in the files of an index cost nothing; the database has companions."""
    (tmp_path / "index").mkdir()
    with (tmp_path / "index" / "sparse").open("wb") as file:
        file.truncate(2**30)
    (tmp_path / "lawful.db").write_bytes(bytes(2**20))
    (tmp_path / "lawful.db-wal").write_bytes(bytes(2**20))

    assert catalog._size(tmp_path, "index") == "0.0 MiB"
    assert catalog._size(tmp_path, "lawful.db") == "2.0 MiB"


def test_a_missing_device_is_named() -> None:
    """With the way out, before anything is loaded."""
    with pytest.raises(
        BadInput, match=r"LAWFUL_DEVICE=cuda:99 is not available here .* set it to cpu"
    ):
        check_device("cuda:99")


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


def test_generate_answers_people_and_scripts(ingested: Path, tmp_path: Path) -> None:
    """Pictures are written whole under names of their own; both outputs say whom they resemble."""
    out, report = tmp_path / "new" / "out", tmp_path / "report.html"
    words = ("generate", "a red boat", "-o", str(out), "-n", "2", "--seed", "7")
    read = lawful(ingested, *words, "--json", generator="stub")
    seen = lawful(ingested, *words, "--report", str(report), generator="stub")

    answer = json.loads(read.stdout)
    files = sorted(path.name for path in out.iterdir())
    assert [Path(one["file"]).name for one in answer["images"]] == files
    assert [name.split("-")[0] for name in files] == ["7", "8"]
    assert answer["generator"]["model"] == "stub"
    for one in answer["images"]:
        assert one["attribution"]["artists"][0]["slug"] == one["references"][0]["slug"]
        assert (one["withheld"], one["references"][0]["consent"]) == (None, "unasked")
        assert "do not credit them" in one["warnings"][0]
    assert seen.returncode == 0
    assert "generator: stub" in seen.stdout
    assert report.read_text().count("<article id=") == 2
    assert report.read_text().count("do not credit them") == 2
