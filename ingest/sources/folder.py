"""A folder as a source: its pictures, what tables in it say about them, and whose they are.

**The rule.** Where a table has a row or a column that could not be understood, or a row whose
picture is not there, it may have said no to any picture that it does not plainly speak of. Such a
picture is refused until the table can be read; nothing of it rests on the consent by default.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath, PurePosixPath

from attribution.consents import ConsentSource
from attribution.errors import BadInput
from ingest.sources import cells
from ingest.sources.columns import CARRY_OVER, CONSENTS, words_of
from ingest.sources.concerning import concerning
from ingest.sources.item import SourceItem
from ingest.sources.layout import Level, layout_of
from ingest.sources.making import LEADS_OUT, artist_of, make_item
from ingest.sources.others import by_others
from ingest.sources.pictures import NAMES_PICTURE, is_picture
from ingest.sources.raw import Raw, Unreadable, Unrelated
from ingest.sources.rows import contradictions, joined, of_one_table
from ingest.sources.shards import NO_ARTIST, SHARD_FILE, shard_rows
from ingest.sources.showing import against_all_in
from ingest.sources.sidecars import sidecar_row, sidecars_of
from ingest.sources.tables import (
    METADATA,
    Row,
    Table,
    is_called_ours,
    is_table,
    read_table,
    table_of,
)
from ingest.sources.ties import Files, Pictures, below
from ingest.sources.unforeseen import unforeseen
from ingest.sources.walk import Entry

WAITS = "its table says something that could not be read"
NAMED = 3  # examples in a sentence
LISTED = 20  # columns in a sentence
SEVERAL = re.compile(r"[*?]|/$|\\$|[,;]\s*\S+\.\w+$|%[0-9A-Fa-f]{2}|^[A-Za-z]:")
ENDING = re.compile(r"\.[^\W_]{1,5}$")  # of a file
NO_NAMES = {*CONSENTS, "artist", "title", "text", "licence", "year", "dated"}  # never of files


@dataclass
class _Said:
    """What the table of one folder says, and what of it could not be used."""

    folder: str
    shown: str
    table: Table | None = None
    unreadable: str | None = None
    rows: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))  # by picture
    loose: list[str] = field(default_factory=list)  # rows that are tied to no picture
    misread: list[str] = field(default_factory=list)  # rows that are tied, and not understood
    absent: list[Row] = field(default_factory=list)  # rows whose picture is not there
    denies: str | None = None  # a row that is tied to no picture, and says no
    is_blamed: bool = False  # some picture waits for it, and says so

    def doubt(self, picture: str, *, has_row: bool, by_itself: bool) -> str | None:
        """Return what of it may be about a picture although it does not say so.

        `has_row`: a manifest has a row of it. `by_itself`: some row says everything of it, and
        nothing rests on the default.
        """
        if self.unreadable or by_itself:
            return self.unreadable
        if self.denies or has_row or picture in self.rows:
            return self.denies
        if self.loose or self.misread:
            return (self.loose or self.misread)[0]
        if not self.absent:
            return None
        row = self.absent[0]
        return (
            f"{row.where} names {row.name!r}, which is not there, and this picture has no row: "
            f"correct the name, or give it a row"
        )


class FolderTables:
    """The tables of a folder, tied to its pictures."""

    def __init__(
        self,
        root: Path,
        files: Sequence[Entry],
        pictures: Pictures | Files,
        passed: Sequence[Path],
        manifest: Table | None = None,
    ) -> None:
        """Read the tables among `files`, and sidecars, all below `root`, about `pictures`.

        `passed` is what lies there and is no table and no picture; `manifest` is the table that has
        a row of each of them.
        """
        self._root = root
        self._pictures = pictures
        self._said: list[_Said] = []
        self._alone: dict[str, list[Row]] = defaultdict(list)
        self._stems = {words_of(PurePath(one).stem) for one in pictures.paths}
        self._by_name: dict[str, list[str]] = defaultdict(list)  # of a picture, or of its folders
        for one in pictures.paths:
            path = PurePath(one)
            for name in {words_of(part) for part in (path.stem, *path.parts[:-1])}:
                self._by_name[name].append(one)
        self.withheld: dict[str, str] = {}  # pictures, and the folder that says it
        for one in pictures.paths:
            self._heed_folders(one)
        self.remarks: list[str] = []
        self._sidecars = sidecars_of([*(entry.path for entry in files), *passed], pictures.paths)
        refused = {entry.path: entry.refused for entry in files if entry.refused}
        for path, described in self._sidecars.items():
            for picture in described:
                if row := _of_sidecar(root, path, picture, refused.get(path)):
                    self._alone[picture].append(row)
        self._manifest = _Said("", manifest.shown, manifest) if manifest else None
        if self._manifest and manifest:
            self._tie(self._manifest, manifest)
        self._take_shards()
        self._take_all(files)
        self._by_folder = defaultdict[str, list[_Said]](list)
        with_pictures = {
            parent.as_posix() for one in pictures.paths for parent in PurePosixPath(one).parents
        }
        for said in self._said:
            self._by_folder[_nearest(said.folder, with_pictures)].append(said)

    def row(self, picture: str, granted: Sequence[str]) -> Row:
        """Return what is said about a picture, every no of all.

        First counts the manifest, then what is about this picture alone, then the nearest table.
        """
        first = [self._manifest] if self._manifest else []
        about = list(self._about(picture))
        nearest, rows = (
            [of_one_table(said.rows[picture]) for said in some if picture in said.rows]
            for some in (first, about)
        )
        alone = (of_one_table([one]) for one in self._alone.get(picture, ()))
        row = joined([*nearest, *alone, *rows])
        if row.refused is None:
            by_itself = _stands(row.values, granted)
            for said in (*first, *about):
                doubt = said.doubt(picture, has_row=bool(nearest), by_itself=by_itself)
                if doubt is None:
                    continue
                said.is_blamed = True
                return Row(row.where, row.values, row.name, f"{WAITS}: {doubt}")
        return row

    def refusals(self) -> Iterator[tuple[str, str]]:
        """Yield tables and rows that could not be used: the path that people see, and why."""
        for said in self._said:
            if said.unreadable:
                if not said.is_blamed:
                    yield said.shown, said.unreadable
            elif said.loose:
                others = len(said.loose) - 1
                more = f"; {others} more like it" if others else ""
                yield said.shown, said.loose[0] + more
            for picture, rows in said.rows.items():
                for reason in contradictions(rows):
                    yield picture, reason

    def _heed_folders(self, picture: str) -> None:
        """Refuse a picture in a folder that is called by a no, and hear that no."""
        for folder in PurePath(picture).parts[:-1]:
            if purposes := against_all_in(folder):
                denied = {f"consent_{purpose}": False for purpose in purposes}
                reason = (
                    f"its folder {folder!r} says that it may not be used: take it out of the "
                    f"source, or rename the folder"
                )
                row = Row(picture, denied, picture, reason, source=ConsentSource.FOLDER)
                self._alone[picture].append(row)
                self.withheld[picture] = folder

    def _take_all(self, files: Sequence[Entry]) -> None:
        """Read every table, the outermost first; say which files are about something else."""
        fetched = {PurePath(one).parts[0] for one in self.by_img2dataset}
        passed: dict[str, list[str]] = defaultdict(list)
        for entry in sorted(files, key=lambda one: (len(one.path.parts), one.path)):
            path = entry.path
            if path in self._sidecars:
                continue
            if SHARD_FILE.fullmatch(path.name) and path.name.split(".")[0].split("_")[0] in fetched:
                continue  # `shards` has read it
            if because := self._take(entry):
                passed[because].append(path.as_posix())
        for because, names in passed.items():
            more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
            self.remarks.append(f"not read, as {because}: {', '.join(names[:NAMED])}{more}")

    def _take_shards(self) -> None:
        """Read what img2dataset has written about the pictures that it fetched."""
        said = _Said("", "img2dataset")
        try:
            told = list(shard_rows(self._root))
            raws = [Raw(row.where, list(row.values.items()), row.refused) for row in told]
            headers = list(dict.fromkeys(name for row in told for name in row.values))
            said.table = table_of(said.shown, headers, raws)
        except BadInput as error:
            said.unreadable = str(error)
        else:
            self._tie(said, said.table)
            self.remarks += _remarks(said, said.table)
        self.by_img2dataset = frozenset(said.rows)
        if said.rows or said.unreadable:
            self._said.append(said)

    def _take(self, entry: Entry) -> str | None:
        """Read one table; returns why one that is about something else is passed over."""
        path, folder = entry.path.as_posix(), entry.path.parent.as_posix()
        said = _Said("" if folder == "." else folder, path)
        try:
            because = self._read(said, entry)
        except Exception as error:  # noqa: BLE001  whatever it is, it is about this table
            said.unreadable, because = unforeseen(path, error), None
        if because is None:
            self._said.append(said)
        return because

    def _read(self, said: _Said, entry: Entry) -> str | None:
        """Read one table into what it says; returns why it is passed over."""
        path, is_ours = said.shown, is_called_ours(entry.path)
        try:
            _check_called(entry)
            said.table = read_table(self._root / path, path)
        except Unrelated as error:
            spoken = concerning(error.texts, self._stems)
            if not is_ours and spoken is None:
                return "no column is known"
            more = f"; it speaks about pictures or permission ({spoken[:60]!r})" if spoken else ""
            said.unreadable = f"{error}{more}: mend it, or {CARRY_OVER}" if more else str(error)
        except Unreadable as error:
            said.unreadable = str(error)
        else:
            self._tie(said, said.table)
            if is_ours:
                self.remarks += _remarks(said, said.table)
            elif not _is_about_pictures(said):
                return "it names none of the pictures"
            else:
                said.unreadable = (
                    f"{path} speaks about these pictures: call it metadata{entry.path.suffix}, or "
                    f"ingest it as a manifest, or {CARRY_OVER}"
                )
        return None

    def _tie(self, said: _Said, table: Table) -> None:
        for row in table.rows:
            self._tie_elsewhere(said, row)
            if not row.name:
                self._lose(said, row, str(row.refused))
            elif (picture := self._pictures.find(said.folder, row.name)) is not None:
                said.rows[picture].append(row)
                if row.refused:  # what was meant may be another picture
                    said.misread.append(f"{row.where}: {row.refused}")
            elif below(said.folder, row.name.replace("\\", "/")) is None:
                self._lose(said, row, f"{row.name!r} {LEADS_OUT}")
            elif SEVERAL.search(row.name) or len(NAMES_PICTURE.findall(row.name)) > 1:
                self._lose(said, row, f"{row.name!r} is not the name of one file")
            elif _is_denying(row) and not ENDING.search(row.name) and not self._alike(row.name):
                self._lose(said, row, f"it cannot be told what {row.name!r} is")
            else:
                said.absent.append(row)
                self._doubt_alike(row)

    def _lose(self, said: _Said, row: Row, reason: str) -> None:
        said.loose.append(f"{row.where}: {reason}")
        self._doubt_alike(row)
        if _is_denying(row):
            said.denies = said.denies or f"{row.where}: {reason}, and it says no"

    def _doubt_alike(self, row: Row) -> None:
        """Have pictures wait, wherever they lie, that a row of a no may mean by another name."""
        if not (row.refused or _is_denying(row)):
            return
        says = f"is not understood ({row.refused})" if row.refused else "says no"
        reason = f"names {row.name!r}, which is no file here, and {says}: is this picture meant?"
        for picture in self._alike(row.name):
            self._alone[picture].append(Row(row.where, {}, row.name, f"{WAITS}: it {reason}"))

    def _alike(self, name: str) -> set[str]:
        """Return the pictures that a name may mean: by its words, without endings, or a folder."""
        path = PurePath(re.sub(r"[\\:|]", "/", name))
        bare = path
        while bare.suffix and is_picture(bare):
            bare = bare.with_suffix("")
        names = {words_of(one) for one in (path.name, path.stem, bare.name)}
        return {picture for one in names for picture in self._by_name.get(one, ())}

    def _tie_elsewhere(self, said: _Said, row: Row) -> None:
        """Have the pictures wait that a row names where no name belongs: its cells have moved."""
        where_no_name_belongs = (
            value
            for column, value in row.values.items()
            if column in NO_NAMES and isinstance(value, str) and "." in value
        )
        own = self._pictures.find(said.folder, row.name) if row.name else None
        for value in {*where_no_name_belongs, *row.spare} - {row.name}:
            picture = self._pictures.find(said.folder, value)
            if picture is not None and picture != own:
                reason = row.refused or "a picture is named in another column than file_name"
                said.rows[picture].append(Row(row.where, {}, row.name, reason))

    def _about(self, picture: str) -> Iterator[_Said]:
        """Yield the tables of a picture's folders, the nearest first."""
        folder = picture
        while folder:
            folder = folder.rpartition("/")[0]
            yield from self._by_folder.get(folder, ())


def _of_sidecar(root: Path, path: Path, picture: str, refused: str | None) -> Row | None:
    try:
        return sidecar_row(root, path, picture, refused)
    except Exception as error:  # noqa: BLE001  whatever it is, it is about this file
        return Row(path.as_posix(), {}, picture, unforeseen(path.as_posix(), error))


def _nearest(folder: str, with_pictures: Container[str]) -> str:
    """Return the folder that a table is about: its own, or the next one above with pictures."""
    while folder and folder not in with_pictures:
        folder = folder.rpartition("/")[0]
    return folder


def _check_called(entry: Entry) -> None:
    """Raise Unreadable for a table that is not followed, or that may be meant and is not read."""
    if entry.refused:
        raise Unreadable(f"{entry.path.as_posix()}: {entry.refused}")
    is_read = entry.path.stem.casefold() == METADATA and is_table(entry.path)
    if is_called_ours(entry.path) and not is_read:
        raise Unreadable(
            f"{entry.path.as_posix()} may be the table of this folder: call it metadata.csv (or "
            f".tsv, .jsonl, .json, .parquet, .xlsx, .ods), or {CARRY_OVER}"
        )


def _remarks(said: _Said, table: Table) -> Iterator[str]:
    """Say what of a table was passed over, in a sentence each."""
    if said.absent:
        names = ", ".join(repr(row.name) for row in said.absent[:NAMED])
        rows = "row has" if len(said.absent) == 1 else "rows have"
        yield f"{said.shown}: {len(said.absent):,} {rows} no picture here, such as {names}"
    if table.unused:
        more = f" and {len(table.unused) - LISTED} more" if len(table.unused) > LISTED else ""
        yield f"{said.shown}: not used: {', '.join(table.unused[:LISTED])}{more}"
    for purpose, doing in (("train", "training"), ("display", "showing")):
        if number := table.words.get(purpose, 0):
            rows = "row has" if number == 1 else "rows have"
            yield f"{said.shown}: {number:,} {rows} words against {doing}, which are followed"


def _is_denying(row: Row) -> bool:
    return any(cells.strictness(row.values.get(column)) for column in CONSENTS)


def _is_about_pictures(said: _Said) -> bool:
    if said.table is None:
        return False
    is_consent = any(name.startswith("consent_") for name in said.table.columns)
    return bool(said.rows or said.table.words) or is_consent


def _stands(values: cells.Values, granted: Sequence[str]) -> bool:
    """Tell whether a row itself says everything that would be granted by default."""
    try:
        return all(cells.says(values.get(f"consent_{purpose}")) is not None for purpose in granted)
    except ValueError:
        return False


def folder_items(
    root: Path,
    pictures: Sequence[Entry],
    tables: FolderTables,
    artist: str | None,
    granted: Sequence[str],
    level: Level | None,
) -> tuple[Iterator[SourceItem], list[str]]:
    """Return the pictures of a folder with what is said of them, then what could not be used.

    `pictures` lie below the root; folders that cannot be entered are among them. The second value
    says which folders were taken for no artist, and which pictures are by another artist than their
    folder says. Raises BadInput where nobody can tell.
    """
    rows = {entry.path: tables.row(entry.path.as_posix(), granted) for entry in pictures}
    named = {path for path, row in rows.items() if artist or not _names_nobody(row)}
    withheld = {Path(one): folder for one, folder in tables.withheld.items()}
    fetched = {entry.path for entry in pictures if entry.path.as_posix() in tables.by_img2dataset}
    apart = fetched | withheld.keys()
    files = [one for one in pictures if not one.is_folder and one.path not in apart]
    layout = layout_of((one.path for one in files if one.path not in named), level=level)

    def items() -> Iterator[SourceItem]:
        for entry in pictures:
            row = rows[entry.path]
            if entry.path in fetched - named:
                row = replace(row, refused=row.refused or NO_ARTIST)
            elif entry.path not in named and (because := layout.refusal(entry.path)):
                row = replace(row, refused=row.refused or because)
            within = entry.path / "any" if entry.is_folder else entry.path
            folder = None if entry.path in fetched else layout.artist(within)
            if folder == withheld.get(entry.path):
                folder = None
            yield make_item(root / entry.path, row, artist, folder, entry.refused, granted)
        for shown, reason in tables.refusals():
            yield make_item(
                root / shown, Row(shown, {}, shown, reason), artist, None, None, granted
            )

    names = sorted(path.as_posix() for path in layout.wrappers)
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    unwrapped = [f"treated as a wrapper, not an artist: {', '.join(names[:NAMED])}{more}"]
    remarks = unwrapped if names else []
    if not artist:
        by_rows = {
            one.path: name
            for one in files
            if not (one.refused or rows[one.path].refused)
            and (name := artist_of(rows[one.path], None, None))
        }
        remarks += by_others((one.path for one in files), by_rows, level)
    return items(), remarks


def _names_nobody(row: Row) -> bool:
    return cells.is_empty(row.values.get("artist"))
