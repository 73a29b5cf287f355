"""Words against training and against showing: what is one, what is none, how long it takes."""

from __future__ import annotations

import time

import pytest

from attribution.images import against_training
from ingest.sources.showing import against_all_in, against_showing

AGAINST_TRAINING = """
noai | NoImageAI, sea | no AI | #no-ai | AI training: not allowed | AI use prohibited | AI opt-out
not to be used for AI | shall not be used to train | This may not be trained on
can't be used for training
No part may be used for training artificial intelligence technologies
no generative AI
text and data mining rights reserved | TDM reserved | train-ai=n | bots=n, train-ai=n | ai-train=no
tdm-reservation: 1 | <tdm:reservation>1</tdm:reservation>
<meta name="tdm-reservation" content="1">
KI-Training verboten | Keine KI | Nicht für KI-Training | geen AI | AI-training verboden | ingen AI
ne pas utiliser pour l'IA | pas d’IA | IA interdite | sin IA | prohibido entrenar IA | nessuna IA
não usar para treinar IA | AI学習禁止 | 無断学習禁止 | 禁止AI训练 | 请勿用于AI训练 | AI 학습 금지
запрещено для обучения ИИ | без ИИ | NO MACHINE LEARNING
 ＮＯＡＩ | n\u200boai | do-not-train | AI: none
"""
NOT_AGAINST_TRAINING = """
She was never trained | no training needed | not for training wheels | I never trained as a painter
never to train again | training set | train | AI: yes | ai: no kotoba (Love words) | Hokkaido ai no
Momo no ki | Ohne Titel, Ki | Sans titre, Ia | All rights reserved | not AI-generated | Piano AI ok
data mining in the Ruhr: no mining | No 3, ink. Ai Weiwei | the Noaidi drum | Trained artist
"""
AGAINST_SHOWING = """
do not show | please do not publish this | not for web | no display | may not be displayed online
none of these may be shown | darf nicht gezeigt werden | ne pas publier | no publicar | 非公開
не публиковать | display: no
"""
GONE = """
withdrawn | Opted out | opt-out | Withdrawn by the artist | No consent | the artist has refused
The artist did not agree | Artist doesn't agree | artist said no | The family does not want this
Consent not given | consent pending | Permission denied | Lent 2021; permission refused
The estate has withdrawn its permission | heirs object | famille: refusée | please remove
rights not cleared | internal use only | embargo until 2027 | Freigabe fehlt | kein Einverständnis
Der Künstler hat die Zustimmung verweigert | Künstlerin ist nicht einverstanden | keine Zustimmung
L'artiste a refusé | L'artiste n'a pas donné son accord | pas d'autorisation | sans autorisation
with\u200bdrawn | sin permiso | el autor no da su permiso | L’artista ha rifiutato
geen toestemming
"""
NOT_AGAINST_SHOWING = """
not on display | never shown | withdrawn from sale | a man withdrawn from the world | public domain
Private collection | (not shown) | not for sale | Show: Paris 1990 | unpublished
No publications known | No permission needed | Keine Genehmigung erforderlich | no licence
Do not reproduce without permission | toute reproduction sans autorisation est interdite
All rights reserved, no part may be used without written permission of the artist
by permission of the artist | Permission granted, no attribution required | not for sale
The artist refused to sell it | The artist's family did not agree on a date | Salon des Refusés
The painter declined in old age | The artist is not allowed to leave (novel) | No Man's Land
Not approved by the academy | Intern am Fenster | no agreement among scholars | author unknown
"""
FOLDERS_OF_NO = """
Privat | privé | Private Works | Withdrawn 2023 | No Consent Yet | abgelehnt | not approved | hidden
kein Einverständnis | nopublish | internal | opted_out | Do Not Publish | NO AI | 2023 withdrawn
"""
FOLDERS = """
Private Collection | Salon des Refusés | No Man's Land | Noai Island | Unpublished | Hidden Lake
Secret Garden | Intern Jane | 2019 | Privatus Maximus
"""


def parts(text: str) -> list[str]:
    """Return the phrases of a list."""
    return [one.strip() for one in text.replace("\n", "|").split("|") if one.strip()]


@pytest.mark.parametrize("text", parts(AGAINST_TRAINING))
def test_words_against_training(text: str) -> None:
    """In many languages, as phrases, settings and clauses."""
    assert against_training(text)
    assert against_training(f"(c) Ann 2024. {text}")


@pytest.mark.parametrize("text", parts(NOT_AGAINST_TRAINING))
def test_words_about_something_else(text: str) -> None:
    """People who train, names, and words of other languages."""
    assert against_training(text) is None


@pytest.mark.parametrize("text", parts(AGAINST_SHOWING))
def test_words_against_showing(text: str) -> None:
    """In a cell that says more."""
    assert against_showing(f"Lent 2021; {text}") == ("display",)


@pytest.mark.parametrize("text", parts(GONE))
def test_words_against_having_it(text: str) -> None:
    """As a whole cell."""
    assert against_showing(text) == ("index", "display")


def test_folders_that_are_called_by_a_no() -> None:
    """A word, alone or with a number, or a phrase; a name that merely has one is a name."""
    assert [name for name in parts(FOLDERS_OF_NO) if not against_all_in(name)] == []
    assert [name for name in parts(FOLDERS) if against_all_in(name)] == []


@pytest.mark.parametrize("text", parts(NOT_AGAINST_SHOWING))
def test_words_of_museums_and_sellers(text: str) -> None:
    """They say where a work is."""
    assert against_showing(text) == ()


@pytest.mark.parametrize(
    "piece", ["ai ", "no ", "a", "a.i.", "not be used to ", "do not ", "tdm reservation ", "学習"]
)
def test_long_texts_take_no_longer_than_they_are(piece: str) -> None:
    """A text of four times the length takes no more than some four times as long."""
    took = []
    for length in (1 << 17, 1 << 19):
        text, begins = piece * (length // len(piece)), time.process_time()
        assert against_training(text) is None
        assert against_showing(text) == ()
        took.append(time.process_time() - begins)

    assert took[1] < 12 * took[0] + 0.5
