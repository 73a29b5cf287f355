"""Names that mean nobody: works under them are by many hands, not by one artist.

Whole names are compared, folded, and the forms of museums ("Unknown (French, 18th century)"). A
real name that contains such a word ("Anonymous Bob") is somebody.

In the catalogue all of these names are one row of each tenant, `nobody()`: its works are found as
copies and by search, and it is never ranked.
"""

from __future__ import annotations

import re
from functools import lru_cache
from unicodedata import category
from uuid import NAMESPACE_URL, UUID, uuid5

from attribution import tenants
from attribution.catalogue.names import REMEMBERED, fold

NOBODYS_URL = "https://lawful-diffusion.org/artists/nobody"
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
        未知 | 未知作者 | 作者未详 | 無名作家 | 名無し | 匿名 | 불명 | 익명 | sn | tbd | tba | tbc
        misc | misc. | miscellaneous | unsorted | untitled | sonstige | sonstiges | others
        нет данных | 作者未詳 | 작자 미상 | 작자미상 | 미상 | مجهول | غير معروف | لا يعرف
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


UNKNOWN = frozenset(  # folded, in the languages of museums; alone or with a word for a role
    fold(word)
    for word in """
        unknown unidentified anonymous anon anonymus unattributed unsigned unspecified unrecorded
        unnamed untraced uncredited various unbekannt unbekannte unbekannter unbekanntes anonym
        anonyme anonymer verschiedene diverse unbek inconnu inconnue inconnus anonymes divers
        desconocido desconocida desconocidos anonimo anonima anonimi varios desconhecido
        desconhecida anonimos ignoto ignota ignoti sconosciuto sconosciuta sconosciuti vari onbekend
        onbekende anoniem anonieme okänd okända anonymt ukendt ukjent tuntematon nimetön nieznany
        nieznana anonimowy neznámý neznámá neznámy ismeretlen névtelen necunoscut nepoznat neznan
        teadmata nezināms nežinomas óþekktur bilinmeyen bilinmiyor anonim неизвестен неизвестный
        неизвестная неизвестно невідомий невідома аноним анонимный анонім άγνωστος ανώνυμος
        nn unk noname
    """.split()  # noqa: SIM905  prose
)
ROLES = frozenset(
    fold(word)
    for word in """
        artist artists author authors painter photographer maker master creator sculptor engraver
        designer illustrator printmaker draughtsman draftsman architect potter hand hands person
        name künstler künstlerin maler malerin meister fotograf fotografin autor autorin zeichner
        urheber bildhauer artiste artistes auteur auteurs peintre maître photographe sculpteur
        graveur artista artistas artisti autora autore autori pintor pintora fotógrafo fotógrafa
        pittore maestro fotografo scultore kunstenaar kunstenaars schilder fotografe maker konstnär
        fotografen kunstner maler taiteilija valokuvaaja tekijä artysta malarz fotografia umělec
        malíř szerző művész umetnik umjetnik sanatçı художник автор мастер фотограф митець
        καλλιτέχνης ζωγράφος
    """.split()  # noqa: SIM905  prose
)
NEGATED = frozenset(  # folds of what says the same with "no" and "not"
    f"{fold(' '.join((no, *words.split())))}"
    for no, *rest in (
        ("not", "known", "identified", "recorded", "specified", "available", "applicable", "named"),
        ("no", "author", "artist", "name", "painter", "identificado", "identificada"),
        ("sin", "autor", "identificar", "nombre"),
        ("sem", "autor", "nome", "identificação"),
        ("não", "identificado", "identificada"),
        ("ohne", "autor", "namen", "künstler"),
        ("sans", "auteur", "nom"),
        ("senza", "autore", "nome"),
        ("без", "автора", "имени"),
        ("sine", "nomine"),
        ("nomen", "nescio"),
    )
    for words in rest
)
GENDERED = re.compile(r"(?<=\w)(?:[/*:_]-?in(?:nen)?|\(s\)|\(in\))(?!\w)", re.IGNORECASE)


def nobody() -> UUID:
    """Return the id of the tenant's row that stands for nobody; none has to be looked up."""
    return nobody_of(tenants.current())


def nobody_of(tenant: str) -> UUID:
    """Return the id of a tenant's row that stands for nobody."""
    mark = "" if tenant == tenants.DEFAULT else f"/{tenant}"
    return uuid5(NAMESPACE_URL, NOBODYS_URL + mark)


@lru_cache(maxsize=REMEMBERED)
def is_nobody(name: str) -> bool:
    """Tell whether a name means no one person."""
    bare = GENDERED.sub("", name.strip())
    if not any(char.isalpha() or char in "123456789" or category(char) == "So" for char in bare):
        return True  # punctuation, nothing, or zero; other numbers may stand for people
    if fold(bare) in NAMES or MUSEUM.fullmatch(bare) is not None or _is_unknown(bare):
        return True
    parts = bare.split("/")
    return len(parts) > 1 and all(map(is_nobody, filter(str.strip, parts)))


def _is_unknown(name: str) -> bool:
    """Tell whether a name is made of words for unknown and for roles; numbers do not count."""
    words = [word for word in fold(name.strip("()[]<>\"' ")).split() if not word.isdecimal()]
    if " ".join(words) in NEGATED | NAMES:
        return True
    of_roles = [word for word in words if word in ROLES]
    others = [word for word in words if word not in ROLES]
    is_unknown = bool(others) and all(word in UNKNOWN for word in others)
    return is_unknown or (bool(of_roles) and " ".join(others) in NEGATED)
