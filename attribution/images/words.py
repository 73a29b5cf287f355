"""The words against AI training that people write into tables and into metadata of pictures.

Three forms: fixed phrases ("noai", "do not train"); a setting (`ai-train=no`,
`tdm-reservation: 1`); and, within a clause, a topic of machines next to a word against it. Each is
found in one pass over the text. A "no" that is found wrongly forbids training; one that is missed
grants it.
"""

from __future__ import annotations

import re
import unicodedata

SEPARATORS = re.compile(r"[ \t_\-\u2010-\u2015\u00a0]+")
UNSEEN = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")
CLAUSE = 60  # characters between a topic and the word against it

LEARN = r"(?:train(?:ing)?|machine learning|deep learning|data mining|tdm)"
NOT = (
    r"(?:(?:do|does|must|may|shall|should|can|could|will) ?not|don'?t|can'?t|not|never|mustn'?t"
    r"|(?:no part )?may not)"
)
MEANS_PEOPLE = r"(?! (?:again|needed|required|necessary|wheels?|sets?|courses?|sessions?|as)\b)"
PHRASES = re.compile(
    r"(?<![^\W_])(?:"
    r"no ?(?:image ?)?(?:ai|ml)|noai ?art|anti ?ai"
    rf"|no (?:use (?:for|in|by) )?{LEARN}{MEANS_PEOPLE}|notrain|no (?:model )?training"
    rf"{MEANS_PEOPLE}|do ?not ?train|dont ?train"
    rf"|{NOT} (?:to )?(?:be )?(?:used? )?(?:for |to |in )?{LEARN}{MEANS_PEOPLE}"
    r"|(?:do|must|may|shall|should|can) ?not (?:be )?trained(?: on)?"
    r"|training (?:is |are )?(?:strictly )?"
    r"(?:prohibited|forbidden|not allowed|not permitted|denied|disallowed)"
    r"|dmi prohibited|pas d ?'? ?ia|keine? (?:ki|training)|ohne ki|(?:sin|sem|sans|senza) ia"
    r")(?![^\W\d_])"
)
NO_VALUE = (
    r"(?:no|n|none|never|false|0|off|nein|non|nee|den(?:y|ied)|disallow(?:ed)?|forbidden|prohibited"
    r"|not ?allowed)"
)
SETTINGS = re.compile(
    r"(?<![^\W_])(?:"
    r"(?:(?:gen ?)?(?:ai|ki|ia)(?: ?train(?:ing)?)?|train(?:ing)?(?: ?(?:ai|genai))?|tdm)"
    r"[\"']? ?[:=]"
    rf" ?[\"']?{NO_VALUE} ?(?=[\"',;.)\]}}<&\n]|$)"
    r"|tdm[ :]?reservation[\"']?(?: ?[:=>]| ?content ?=) ?[\"']?(?:1|true|yes)(?![^\W_])"
    r")"
)
HINT = re.compile(  # most texts have none of these, and are not searched further
    r"train|noai|imageai|(?<![a-z])(?:gen|anti|no)?(?:a\.?i|ki|ia|ml)(?![a-z])|aiml|tdm|mining"
    r"|learning|intel|scraping|dmi|学習|训练|訓練|学习|學習|人工|학습|인공|ии|интеллект"
    r"|нейросет"
)
KINDS = {  # of words, of which that is tried first which comes first here
    "end": r"[.!?](?=\s|$)|[\n\r;。！？]|[\0-\x08\x0e-\x1f\x7f-\x9f]",
    "other": r"(?<![a-z])(?:not |kein )?a\.?i\.? (?:generated|made|assisted)(?![a-z])",
    "topic": (
        r"(?<![a-z])(?:(?:gen)?a\.?i\.?(?:/ml)?|genai|aiml|artificial intelligence"
        r"|machine learning|deep learning|(?:text and )?data ?mining|tdm|scraping"
        r"|intelligence artificielle|inteligencia artificial|intelligenza artificiale"
        r"|kunstliche[rn]? intelligenz|kunstmatige intelligentie)(?![a-z])"
        r"|人工知能|人工智能|人工智慧|机器学习|機器學習|機械学習|ai学習|ai训练|ai訓練"
        r"|인공지능|ai ?학습"
        r"|无断学习|無断学習|(?<![а-я])ии(?![а-я])|искусственн\w{1,4} интеллект\w{0,3}"
        r"|нейросет\w{0,4}"
    ),
    # German and Romance names of it are words elsewhere: only next to words of their own
    "de": r"(?<![a-z])ki(?![a-z])",
    "ro": r"(?<![a-z])ia(?![a-z])",
    "learn": r"学習|训练|訓練|학습",
    "no": (  # before or behind the topic
        r"(?<![a-z])(?:prohibit(?:s|ed|ion)?|forbid(?:s|den)?|disallow(?:ed)?|den(?:y|ied)"
        r"|not ?(?:be )?"
        r"(?:allowed|permitted|authori[sz]ed|licen[sc]ed|available|consented)"
        r"|opt(?:ed|ing)? ?out|reserved|reserves?|excluded?|refused?|verbot(?:en)?|untersagt"
        r"|vorbehalt(?:en)?|nutzungsvorbehalt|interdit(?:e|es|s)?|interdiction|prohibid[oa]"
        r"|proibid[oa]|proibito|vietat[oa]|verboden|zakaz|forbudt|forbjudet|kielletty)(?![a-z])"
        r"|запрещен\w{0,2}|запрет\w{0,2}"
        r"|禁止|不可|厳禁|お断り|请勿|請勿|不得|不允许|不許可|금지"
    ),
    "before": (
        r"(?<![a-z])(?:no|not|never|without|don'?t|can'?t|cannot|exclude from)(?![a-z])"
        r"|(?<![а-я])(?:не|без|нет)(?![а-я])"
    ),
    "de_no": r"(?<![a-z])(?:kein(?:e|er|en|em|erlei)?|nicht|niemals|gegen)(?![a-z])",
    "ro_no": r"(?<![a-z])(?:ne pas|pas|non|nao|nessun\w?|aucune?)(?![a-z])",
    "nl_no": r"(?<![a-z])(?:geen|niet|zonder|ingen|inte|ikke|nie|ei|bez)(?![a-z])",
}
WORDS = re.compile("|".join(f"(?P<{kind}>{pattern})" for kind, pattern in KINDS.items()))
OF_TOPIC = {  # which words speak against which names of it
    "topic": {"no", "before", "de_no", "ro_no", "nl_no"},
    "de": {"no", "de_no"},
    "ro": {"no", "before", "ro_no"},
    "learn": {"no"},
}
BEHIND = {"no"}  # these count behind the topic too


def against_training(text: str) -> str | None:
    """Return the words of a text that forbid training; None where it has none."""
    text = plain_text(text)
    if not HINT.search(text):
        return None
    found = PHRASES.search(text) or SETTINGS.search(text)
    return found[0] if found else _next_to_each_other(text)


def _next_to_each_other(text: str) -> str | None:
    """Return the first part of a clause in which a topic and a word against it are close."""
    topics: dict[str, re.Match[str]] = {}  # the last of each kind in this clause
    against: dict[str, re.Match[str]] = {}
    for word in WORDS.finditer(text):
        kind = str(word.lastgroup)
        if kind in {"end", "other"}:
            topics.clear()
            against.clear()
        elif kind in OF_TOPIC:
            topics[kind] = word
            for other in OF_TOPIC[kind] & against.keys():
                if word.start() - against[other].end() <= CLAUSE:
                    return text[against[other].start() : word.end()]
        else:
            against[kind] = word
            for topic in topics.values():
                if kind in BEHIND and word.start() - topic.end() <= CLAUSE:
                    return text[topic.start() : word.end()]
    return None


def plain_text(text: str) -> str:
    """Return a text without case, accents and kinds of hyphens and spaces."""
    if not text.isascii():
        text = unicodedata.normalize("NFKD", UNSEEN.sub("", text))
        text = "".join(char for char in text if not unicodedata.combining(char))
        text = unicodedata.normalize("NFC", text).replace("\u2019", "'")
    return SEPARATORS.sub(" ", text.casefold())
