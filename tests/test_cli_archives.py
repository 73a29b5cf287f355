"""Archives from the command line: read like folders, through the door of uploads."""

from __future__ import annotations

import zipfile
from pathlib import Path

from tests.commands import lawful
from tests.portfolios import portfolio


def test_an_archive_is_ingested(tmp_path: Path) -> None:
    """A dry run writes nothing; an encoding of names is only of archives."""
    source, archive, home = tmp_path / "p", tmp_path / "all.zip", tmp_path / "home"
    portfolio(source, artists=2, works=1)
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(source.rglob("*.png")):
            file.write(path, path.relative_to(source))

    dry = lawful(home, "ingest", str(archive), "--dry-run")
    done = lawful(home, "ingest", str(archive))
    wrong = lawful(home, "ingest", str(source), "--names-encoding", "cp932")

    assert "would be added  2" in dry.stdout
    assert done.returncode == 0, done.stderr
    assert "added          2" in done.stdout
    assert "--names-encoding applies to archives only" in " ".join(wrong.stderr.split())
