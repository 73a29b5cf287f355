"""Which level of folders names the artists. Pure: only paths are looked at.

Normally it is the first. Folders whose names are no artist's, such as `portfolios` or `train`, are
passed over. Where a single folder holds nothing but folders, nobody can tell whether it is an
artist with series or a wrapper around artists: that is asked, never guessed. So is a source whose
folders are all called like series, such as years. A single `2019` among artists names nobody.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import reduce
from operator import or_
from pathlib import PurePath

from attribution.errors import BadInput

WORD = re.compile(r"[^\W\d_]+")

WRAPPERS = frozenset(
    WORD.findall("""
        art artist artists artwork artworks works image images img imgs picture pictures pic pics
        photo photos painting paintings drawing drawings illustration illustrations portfolio
        portfolios gallery galleries collection collections scans media files dataset datasets
        data export exports upload uploads download downloads input output archive backup content
        originals assets delivery unzipped unpacked extracted in out batch batches folder folders
        group groups category categories class classes shard shards chunk disk train training test
        testing val valid validation eval dev split splits kunst kunstler kuenstler werke bilder
        fotos zeichnungen gemalde gemaelde sammlung oeuvre oeuvres artistes tableaux dessins
        artistas obras imagenes pinturas dibujos artisti opere immagini kunstenaars werken
        schilderijen afbeeldingen художники работы картины изображения 作品
        作品集 画像 画家 图片 艺术家 圖片 藝術家 작품 작가
    """)
)
SERIES = frozenset(
    WORD.findall("""
        series serie set sets part vol volume book chapter page pages year day week month season
        january february march april may june july august september october november december
        spring summer autumn fall winter sketch sketches study studies wip finished unfinished
        misc miscellaneous various other others commission commissions print prints poster posters
        detail details cover covers early late portraits landscapes stilllife abstract ink oil
        watercolor watercolour acrylic charcoal pencil digital traditional color colour bw
    """)
)
INDIVIDUAL = frozenset({"artist", "artista", "artiste", "kunstler", "kuenstler", "painter"})
FILLERS = frozenset(
    WORD.findall("""
        a all and by copy de der die do el final for full hires high highres jpeg jpg la las le
        les los low lowres my new of old png raw res the tif tiff untitled v version web webp x
    """)
)
LETTERS = re.compile(r"[A-Za-z](\s*-\s*[A-Za-z])?")  # an index of names: A, B, C or A-F, G-M
SHOWN = 3


class Level(StrEnum):
    """What a person says of the outermost folders."""

    ARTIST = "artist"  # they are the artists
    WRAPPED = "wrapped"  # they hold the folders of the artists


@dataclass(frozen=True)
class Layout:
    """Which folders are passed over on the way to the artists."""

    wrappers: frozenset[PurePath] = frozenset()
    numbers: frozenset[PurePath] = frozenset()  # among artists, and called by a number alone

    def artist(self, path: PurePath) -> str | None:
        """Return the folder that names the artist of a file, or None where none does."""
        folder = self._first(path)
        return folder.name if folder and folder not in self.numbers else None

    def refusal(self, path: PurePath) -> str | None:
        """Say why the folder that a file lies in cannot name its artist."""
        folder = self._first(path)
        if folder not in self.numbers:
            return None
        return (
            f"its folder {_shown(folder)} is called by a number, and those next to it are not: "
            f"rename it, name the artist in a table, or say --layout artist if it is one"
        )

    def _first(self, path: PurePath) -> PurePath | None:
        """Return the outermost folder of a file that is passed over by nothing."""
        folders, at = path.parts[:-1], 0
        while at < len(folders) and PurePath(*folders[: at + 1]) in self.wrappers:
            at += 1
        return PurePath(*folders[: at + 1]) if at < len(folders) else None

    def __or__(self, other: Layout) -> Layout:
        return Layout(self.wrappers | other.wrappers, self.numbers | other.numbers)


@dataclass
class _Folder:
    """A folder with pictures in it or below."""

    path: PurePath
    pictures: int = 0  # in itself
    folders: dict[str, _Folder] = field(default_factory=dict)

    @property
    def holds_folders(self) -> bool:
        """Whether folders are what is in it, but for a cover or a contact sheet."""
        return self.pictures < len(self.folders)


def layout_of(pictures: Iterable[PurePath], *, level: Level | None = None) -> Layout:
    """Return the layout of a source from the paths, below its root, of its pictures.

    Give only pictures whose artist nothing else names: rows and options come first. Raises BadInput
    where a person has to say which level it is.
    """
    if level is Level.ARTIST:
        return Layout()
    root = _tree(pictures)
    if level is Level.WRAPPED:
        return _passing(root.folders.values())
    return _layout(root.folders)


def is_generic(name: str) -> bool:
    """Tell whether a folder of this name is surely no artist: `Portfolios 2024`, `train`."""
    return _is_made_of(name, WRAPPERS, WRAPPERS | FILLERS)


def is_series(name: str) -> bool:
    """Tell whether a folder of this name is surely a series or part: `2019`, `Sketches`."""
    if _is_number(name):
        return True
    return _is_made_of(name, SERIES | WRAPPERS, SERIES | WRAPPERS | FILLERS)


def _is_number(name: str) -> bool:
    return not WORD.search(name) and any(char.isdigit() for char in name)


def _tree(pictures: Iterable[PurePath]) -> _Folder:
    root = _Folder(PurePath())
    for picture in pictures:
        folder = root
        for name in picture.parts[:-1]:
            if name not in folder.folders:
                folder.folders[name] = _Folder(folder.path / name)
            folder = folder.folders[name]
        folder.pictures += 1
    return root


def _passing(wrappers: Collection[_Folder]) -> Layout:
    """Return the layout of what lies in some folders that are passed over."""
    passed = Layout(frozenset(one.path for one in wrappers))
    return reduce(or_, (_layout(one.folders) for one in wrappers), passed)


def _layout(level: Mapping[str, _Folder]) -> Layout:
    """Return the layout of a level of folders, and of what is below."""
    folders = list(level.values())
    if len(folders) > 1 and all(
        LETTERS.fullmatch(name) and one.holds_folders for name, one in level.items()
    ):
        return _passing(folders)
    wrappers = [one for one in folders if is_generic(one.path.name) or _is_index(one)]
    artists = [one for one in folders if one not in wrappers]
    _check(artists, is_alone=len(folders) == 1)
    numbers = frozenset(one.path for one in artists if _is_number(one.path.name))
    return _passing(wrappers) | Layout(numbers=numbers)


def _is_index(folder: _Folder) -> bool:
    """Tell whether a folder is a letter, or several, and those in it begin with it."""
    if not LETTERS.fullmatch(folder.path.name) or not folder.holds_folders:
        return False
    name = folder.path.name.casefold()
    first, last = name[0], name[-1]
    return all(first <= inner[:1].casefold() <= last for inner in folder.folders)


def _check(artists: list[_Folder], *, is_alone: bool) -> None:
    """Raise BadInput unless these folders can be taken for artists."""
    if artists and all(is_series(one.path.name) for one in artists):
        raise BadInput(
            f"{_named(one.path for one in artists)} look like series of pictures and not like "
            f"artists; say whose they are with --artist, --layout artist if they are artists, or "
            f"--layout wrapped if the folders in them are; or rename them"
        )
    if not is_alone or not artists or not artists[0].holds_folders:
        return
    (only,) = artists
    series = [is_series(name) for name in only.folders]
    if 2 * sum(series) >= len(series):
        return
    raise BadInput(
        f"it cannot be told whether {_shown(only.path)} is an artist or holds the folders of "
        f"artists: in it lie the folders {_named(one.path for one in only.folders.values())}. "
        f"If they are the artists, ingest {_shown(only.path)} itself or say --layout wrapped; if "
        f"{_shown(only.path)} is the artist, say --layout artist"
    )


def _named(paths: Iterable[PurePath]) -> str:
    names = [_shown(path) for path in paths]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _shown(path: PurePath) -> str:
    shown = path.as_posix().encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return f"'{shown}'"


def _is_made_of(name: str, one_of: frozenset[str], all_of: frozenset[str]) -> bool:
    words = list(_words(name))
    if INDIVIDUAL & set(words) and any(char.isdigit() for char in name):
        return False  # `artist-07` is an artist whose name was taken out
    return bool(set(words) & one_of) and set(words) <= all_of


def _words(name: str) -> Iterator[str]:
    """Yield the words of a name without case, accents and numbers; `myWorks` are two."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    plain = unicodedata.normalize("NFKD", apart.casefold())
    for word in WORD.findall("".join(one for one in plain if not unicodedata.combining(one))):
        yield word.replace("œ", "oe")
