"""What lies in a folder: what is taken, what is passed over and counted, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.sources.company import Company, company, counted
from ingest.sources.walk import Entry, walk


def put(root: Path, *names: str) -> Path:
    """Write empty files, with their folders."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def works(root: Path) -> list[str]:
    """Return the files that may be works."""
    return [
        one.path.as_posix()
        for one in walk(root)
        if not (one.is_folder or one.company or one.refused)
    ]


def refused(root: Path) -> dict[str, str]:
    """Return what is refused, with reasons."""
    return {one.path.as_posix(): one.refused for one in walk(root) if one.refused}


def test_a_folder_comes_before_its_files_and_names_are_in_order(tmp_path: Path) -> None:
    """The root is first, and a second walk gives the same."""
    put(tmp_path, "b/2.png", "b/1.png", "a.png", "b/a/0.png")

    found = [(one.path.as_posix(), one.is_folder) for one in walk(tmp_path)]

    assert found == [
        (".", True),
        ("a.png", False),
        ("b", True),
        ("b/1.png", False),
        ("b/2.png", False),
        ("b/a", True),
        ("b/a/0.png", False),
    ]


def test_folders_of_storage_servers_and_programs_are_passed_over(tmp_path: Path) -> None:
    """Thumbnails and deleted works do not come back; nothing of them is refused."""
    put(
        tmp_path,
        "Ann/boat.jpg",
        "Ann/@eaDir/boat.jpg/SYNOPHOTO_THUMB_XL.jpg",
        "#recycle/Ann/deleted.png",
        "$RECYCLE.BIN/S-1-5-21/$R1.png",
        "Ann/Catalog Previews.lrdata/0/preview.jpg",
        "Ann/desktop.ini",
        "Ann/boat.xmp",
        "Ann/notes.docx",
        "__MACOSX/Ann/._boat.jpg",
    )

    assert works(tmp_path) == ["Ann/boat.jpg"]
    assert refused(tmp_path) == {}
    assert counted((one.company, one.path) for one in walk(tmp_path) if one.company) == [
        "previews of a program or a storage server: 2 (such as Ann/@eaDir)",
        "recycle bins: 2 (such as #recycle)",
        "files of the operating system: 2 (such as Ann/desktop.ini)",
        "sidecars of picture programs: 1 (such as Ann/boat.xmp)",
        "documents and notes: 1 (such as Ann/notes.docx)",
    ]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("@EADIR", Company.PREVIEWS),
        (".thumbnails", Company.PREVIEWS),
        ("Catalog Smart Previews.lrdata", Company.PREVIEWS),
        ("@Recycle", Company.DELETED),
        (".Trash-1000", Company.DELETED),
        (".Trashes", Company.DELETED),
        ("#snapshot", Company.SNAPSHOTS),
        ("System Volume Information", Company.SYSTEM),
        ("lost+found", Company.SYSTEM),
        (".git", Company.HIDDEN),
        ("Ann", None),
        ("Thumbnails", None),
    ],
)
def test_kinds_of_folders(name: str, kind: Company | None) -> None:
    """Names are compared without their case; an artist's folder is company of none."""
    assert company(name, is_folder=True) is kind


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Thumbs.db", Company.SYSTEM),
        ("._boat.png", Company.SYSTEM),
        (".DS_Store", Company.SYSTEM),
        (".picasa.ini", Company.SIDECARS),
        ("IMG_1.AAE", Company.SIDECARS),
        ("boat.jpg.pp3", Company.SIDECARS),
        ("boat.dop", Company.SIDECARS),
        ("Catalog.lrcat", Company.SIDECARS),
        ("Letter.PDF", Company.DOCUMENTS),
        ("notes.txt", Company.DOCUMENTS),
        (".hidden.png", Company.HIDDEN),
        ("boat.png", None),
        ("LICENSE", None),
        ("metadata.csv", None),
        ("works.xlsx", None),
        ("Metadata (1).txt", None),
        (".metadata.csv", None),
        (".notes.csv", None),
        ("Consent form.pdf", Company.PERMISSIONS),
        ("NO-AI.txt", Company.PERMISSIONS),
        ("~$metadata.xlsx", Company.SYSTEM),
        (".~lock.metadata.csv#", Company.SYSTEM),
        (".metadata_never_index", Company.HIDDEN),
    ],
)
def test_kinds_of_files(name: str, kind: Company | None) -> None:
    """A table, or what is called metadata, is never passed over: it may say no."""
    assert company(name, is_folder=False) is kind


def test_links_stay_inside_and_say_what_would_help(tmp_path: Path) -> None:
    """A link to a file of the source is followed; another is refused with its target."""
    root = put(tmp_path / "p", "Ann/1.png")
    out = put(tmp_path / "elsewhere", "secret.png")
    (root / "Ann/good.png").symlink_to("1.png")
    (root / "Ann/out.png").symlink_to(out / "secret.png")
    (root / "Ann/nowhere.png").symlink_to("gone.png")
    (root / "Ann/round.png").symlink_to("round.png")
    (root / "Bob").symlink_to(out)
    (root / "Friend").symlink_to(root / "Ann")

    reasons = refused(root)

    assert works(root) == ["Ann/1.png", "Ann/good.png"]
    assert f"copy the file to here, or ingest {out}" in reasons["Ann/out.png"]
    assert f"to {out}; copy the folder to here, or ingest {out} itself" in reasons["Bob"]
    assert "leads nowhere" in reasons["Ann/nowhere.png"]
    assert "leads nowhere" in reasons["Ann/round.png"]
    assert "link to a folder" in reasons["Friend"]
    assert str(root / "Ann") in reasons["Friend"]


def test_what_has_to_be_opened_first_is_refused(tmp_path: Path) -> None:
    """An archive within a folder and a program's library say what to do with them."""
    put(tmp_path, "Ann/old.zip", "Ann/Photos.photoslibrary/originals/1.jpg")

    assert works(tmp_path) == []
    assert "unpack it" in refused(tmp_path)["Ann/old.zip"]
    assert "export its pictures" in refused(tmp_path)["Ann/Photos.photoslibrary"]


def test_odd_names_are_walked(tmp_path: Path) -> None:
    """Bytes that are no text are a name like any other, also where they are told."""
    put(tmp_path, "Jos\udce9/1.png")
    (tmp_path / "link").symlink_to("/\udce9")

    assert works(tmp_path) == ["Jos\udce9/1.png"]
    assert r"/\xe9" in refused(tmp_path)["link"]


def test_an_unreadable_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in it may be works: their loss is said."""
    put(tmp_path, "Ann/1.png")
    monkeypatch.setattr(Path, "iterdir", _denied)

    assert list(walk(tmp_path)) == [
        Entry(Path(), is_folder=True, refused="this folder cannot be read: Permission denied")
    ]


def _denied(_: Path) -> None:
    raise PermissionError(13, "Permission denied")
