"""The wheel, installed where there is no checkout, is the whole program."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("api", "attribution", "ingest", "migrations")
EXAMPLES = ROOT / "examples"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    _run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)], cwd=ROOT)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an environment of the wheel and, borrowed from this one, its dependencies."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    install = ["install", "--quiet", "--no-deps", "--no-index", str(wheel)]
    _run([sys.executable, "-m", "pip", "--python", str(python), *install])
    site = _run([str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"])
    # A path that a .pth file adds is not searched for further .pth files, so the checkout, which
    # is installed as one, stays invisible.
    Path(site.strip(), "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


def test_everything_travels(wheel: Path) -> None:
    """Every file of the packages is in the wheel: code, templates, migrations, models."""
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    files = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    assert files - inside == set()
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in inside)


def test_every_command_runs(environment: Path, tmp_path: Path) -> None:
    """Demo, ingest, attribute, search and info work outside the checkout, without a network."""
    home = tmp_path / "demo"

    def lawful(*arguments: str) -> str:
        return _run([str(environment / "bin" / "lawful"), *arguments], cwd=tmp_path, home=home)

    assert "attribute" in lawful("--help")
    assert "report.html" in lawful("demo", "--home", str(home))
    assert _imported_from(environment, tmp_path).is_relative_to(environment)

    query = next(path for path in sorted((EXAMPLES / "queries").glob("*.png")))
    added = tmp_path / "works" / "Somebody Else" / query.name
    added.parent.mkdir(parents=True)
    shutil.copyfile(query, added)
    done = json.loads(lawful("ingest", str(added.parent.parent), "--json"))
    answer = json.loads(lawful("attribute", str(added), "--json"))
    found = json.loads(lawful("search", "bird", "--json"))
    facts = json.loads(lawful("info", "--json"))

    assert (done["added"], done["refused"]) == (1, 0)
    assert answer["verdict"] == "copy"
    assert found["hits"]
    assert facts["catalogue"]["works"] > 100


def _imported_from(environment: Path, folder: Path) -> Path:
    python = str(environment / "bin" / "python")
    return Path(_run([python, "-c", "import attribution; print(attribution.__file__)"], cwd=folder))


def _run(command: list[str], *, cwd: Path | None = None, home: Path | None = None) -> str:
    """Return what a command prints; fail with everything it said when it fails."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("LAWFUL_", "PYTHON"))}
    offline = {"HF_HUB_OFFLINE": "1", "LAWFUL_HOME": str(home)} if home else {}
    done = subprocess.run(
        command, cwd=cwd, env=clean | offline, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout
