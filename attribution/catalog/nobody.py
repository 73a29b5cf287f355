"""Names that mean nobody: works under them are by many hands, not by one artist.

Whole names are compared, folded, and the forms of museums ("Unknown (French, 18th century)"). A
real name that contains such a word ("Anonymous Bob") is somebody.

In the catalogue all of these names are one row, `NOBODY`: its works are found as copies and by
search, and it is never ranked.
"""

from __future__ import annotations

import re
from uuid import NAMESPACE_URL, uuid5

from attribution.catalog.names import fold

NOBODY = uuid5(NAMESPACE_URL, "https://lawful-diffusion.org/artists/nobody")
"""Id of the row that stands for nobody: the same in every catalogue, so no lookup asks for it."""
NOBODYS_NAME = "Unknown artist"  # what that row is called

NAMES = frozenset(
    fold(name.strip())
    for name in re.findall(
        r"[^|\n]+",
        """
        unknown | unknown artist | unknown artists | artist unknown | unknown author
        unknown painter | unknown photographer | unknown maker | unknown master | unidentified
        unidentified artist | not known | anonymous | anonymous artist | anon | anon. | various
        various artists | several artists | multiple artists | n/a | na | none | nan | null
        nil | no artist | nobody | undefined | unattributed | unsigned | - | -- | ? | ?? | ???
        unbekannt | künstler unbekannt | unbekannter künstler | unbekannter meister | anonym
        verschiedene | diverse | verschiedene künstler | anonyme | inconnu | artiste inconnu
        auteur inconnu | divers | artistes divers | desconocido | artista desconocido
        autor desconocido | anónimo | varios artistas | desconhecido | artista desconhecido
        autor desconhecido | anônimo | anonimo | ignoto | artista ignoto | autore ignoto
        sconosciuto | artista sconosciuto | artisti vari | onbekend | onbekende kunstenaar
        kunstenaar onbekend | anoniem | okänd | okänd konstnär | ukendt | ukjent | tuntematon
        nieznany | artysta nieznany | neznámý | neznámý autor | ismeretlen | bilinmiyor
        неизвестен | неизвестный | неизвестный художник | аноним | невідомий художник | άγνωστος
        ανώνυμος | 作者不詳 | 作者不明 | 佚名 | 無名 | 无名 | 無名氏 | 无名氏 | 不明 | 不詳
        未知 | 作者未詳 | 작자 미상 | 작자미상 | 미상 | مجهول | غير معروف | لا يعرف
    """,
    )
    if name.strip()
)
ORIGIN = r"[\w\s.,'’–—/-]*"  # where and when: "French, 18th century"
MUSEUM = re.compile(
    rf"(unknown|unidentified|anonymous|anonyme|anoniem|anonym|unbekannt)"
    rf"(\s+(artist|maker|painter|master|photographer))?"
    rf"(\s*[(\[]{ORIGIN}[)\]]|\s*,\s*{ORIGIN})",
    re.IGNORECASE,
)


def is_nobody(name: str) -> bool:
    """Tell whether a name means no one person."""
    return not name.strip() or fold(name) in NAMES or MUSEUM.fullmatch(name.strip()) is not None
