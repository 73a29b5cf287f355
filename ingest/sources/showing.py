"""The words against showing a work, and against having it at all, that people write into cells.

"Not on display", "never shown" and "withdrawn from sale" are words of museums and of sellers about
other things, and no title is a reason: a single word counts only where it is the whole cell.
"""

from __future__ import annotations

import re

from attribution.catalogue.models import PURPOSES
from attribution.images import against_training, plain_text
from ingest.sources.permission import PERMISSION, denies_permission

SHOW = r"(?:show|display|publish|exhibit online|post|upload|put online|use online|publici[sz]e)"
SHOWN = r"(?:shown|displayed|published|posted|uploaded|put online|used online)"
WEB = r"(?:(?:the )?(?:web|website|internet|online|display|public(?:ation)?)\b(?! domain))"
SHOWING = re.compile(
    r"(?<![^\W_])(?:"
    rf"(?:do not|don'?t|please never|must not|may not|shall not|not to) (?:please )?{SHOW}\b"
    rf"|(?:must|may|shall|should|can|could|is) ?not (?:to )?be {SHOWN}\b"
    rf"|none (?:of \w+ )?(?:may|must|shall|should|can|is to|are to) be {SHOWN}\b"
    rf"|not (?:to be )?(?:used )?(?:for|on) (?:use )?(?:on )?(?:the )?(?:web|website|internet)\b"
    rf"|not for {WEB}|no (?:display|publication|web use|online use|showing)\b"
    rf"|(?:display|show|publish|publication|web|online) ?[:=] ?(?:no|false|0|off|nein|non)\b"
    r"|nicht (?:mehr )?(?:zeigen|anzeigen|veroffentlichen|ausstellen|publizieren|online)"
    r"|(?:darf|durfen) nicht (?:\w+ )?(?:gezeigt|veroffentlicht|angezeigt)"
    r"|nicht (?:furs|fur das|fur die|fur) (?:web|internet|veroffentlichung|webs[ei]ite|webseite)"
    r"|ne pas (?:montrer|afficher|publier|diffuser|exposer)|non publiable"
    r"|no (?:se (?:puede|debe) )?(?:mostrar|publicar|exhibir|difundir)"
    r"|nao (?:mostrar|publicar|exibir|divulgar)|non (?:mostrare|pubblicare|esporre)"
    r"|niet (?:tonen|publiceren|weergeven|voor (?:web|internet|publicatie))"
    r")"
    r"|非公開|公開不可|公開禁止|掲載不可|掲載禁止|表示不可|不公开|不得公开|禁止公开|请勿公开|不得展示|请勿展示"
    r"|비공개|공개 ?금지|не показывать|не публиковать|не для публикации"
)
GONE = re.compile(  # the whole cell
    r"\W*(?:please )?(?:(?:withdrawn|opt(?:ed)? ?out|not consented|consent: ?no|do not use|refused"
    r"|declined|revoked|withheld|embargo(?:ed)?|take ?down|taken down|remove|zuruckgezogen|gesperrt"
    r"|abgelehnt|retiree?|retirad[oa]|ritirat[oa]|ingetrokken|отозван[оа]?"
    rf"|(?:without|ohne|sans|sin|sem|senza|zonder) {PERMISSION})"
    r"(?: (?:by|on|since|until|am|seit|bis|le|depuis|jusqu'|il|el|desde|hasta) ?.*)?"
    r"|(?:rights )?not (?:yet )?(?:clear(?:ed)|approved|released)"
    r"|(?:for )?internal(?: use)?(?: only)?"
    r"|(?:nur )?intern(?:er gebrauch)?|nicht freigegeben)\W*"
)
PRIVATE = re.compile(
    r"(?:private?|privee?|privad[oa]s?|privat[oa]|privater?|confidential|vertraulich|confidentiel"
    r"|secret|geheim|hidden|no ?index|no ?publish|excluded?|not for use)"
    r"(?: (?:works?|pictures?|images?|photos?|files?|only|use(?: only)?|bilder|fotos|werke|arbeiten"
    r"|dateien|oeuvres|obras|opere))?"
)
LONGEST = 400  # characters of a cell that as a whole says something


def against_showing(text: str) -> tuple[str, ...]:
    """Return the purposes that the words of a text forbid: none, showing, or finding as well."""
    text = _in_one_line(text)
    if len(text) <= LONGEST and (GONE.fullmatch(text) or denies_permission(text)):
        return ("index", "display")
    return ("display",) if SHOWING.search(text) else ()


def against_all_in(folder: str) -> tuple[str, ...]:
    """Return the purposes that the name of a folder forbids for all that lies in it.

    A single word is the whole name but for numbers: "Noai Island" is an artist.
    """
    name = _in_one_line(re.sub(r"[\W\d_]+", " ", folder))
    if PRIVATE.fullmatch(name) or "index" in against_showing(name):
        return PURPOSES
    showing = against_showing(name)
    words = against_training(name)
    is_said = words is not None and (" " in words or len(words) == len(name))
    return (*showing, *(("train", "generate") if is_said else ()))


def _in_one_line(text: str) -> str:
    return " ".join(plain_text(text).split())
