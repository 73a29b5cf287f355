"""Clauses that say a permission was not given: "Zustimmung verweigert", "the artist did not agree".

A word for permission next to a word that denies it, or a person of the rights who refuses. A notice
of copyright ("not without permission") and "no permission needed" deny nothing. The text comes
in one line, without case and accents.
"""

from __future__ import annotations

import re

PERMISSION = (
    r"(?:consent|permission|approval|authori[sz]ation|agreement of the \w+|einwilligung|zustimmung"
    r"|einverstandnis|erlaubnis|genehmigung|freigabe|autorisation|consentement|accord"
    r"|autorizacion|permiso|consentimiento|autorizacao|permissao|consentimento|autorizzazione"
    r"|permesso|consenso|toestemming|samtykke|tillatelse|samtycke|tillstand|suostumus|zgody?|lupa)"
)
PERSON = (
    r"(?:(?:the |der |die |das |l'|le |la |el |il |o |a |de )?(?:artist|author|photographer|painter"
    r"|estate|family|heirs?|owner|kunstler|kunstlerin|urheber|urheberin|erben|familie|nachlass"
    r"|artiste|auteur|famille|heritiers|artista|autor|autora|autore|familia|famiglia|kunstenaar))"
)
BEFORE = (  # a word that denies, and at most two words up to the permission
    r"(?:no|not give|never gave|did not give|has not given|have not given|not have|refus\w{1,4}"
    r"|den(?:y|ied|ies)|withdr[ae]w\w{0,3}|revok\w{1,3}|declin\w{1,3}|lack(?:s|ing)?|missing|keine?n?"
    r"|fehlende|verweiger\w{1,3}|ne donne pas|pas donne|pas accorde|pas d'|pas de|aucune?|ningun\w?"
    r"|no dio|no da|nega|negou|nao deu|nessun\w?|non da|non ha dato|nega|geen|weiger\w{1,3}"
    r"|ingen|intet|inget|brak)"
)
BEHIND = (
    r"(?:was |is |has been |has |wurde |ist |est |a ete |fue |foi |e stat[oa] |is |werd )?"
    r"(?:not (?:yet )?(?:given|granted|obtained|received|available|there)|denied|refused|withdrawn"
    r"|revoked|declined|missing|lacking|pending|outstanding|verweigert|abgelehnt|widerrufen"
    r"|entzogen|zuruckgezogen|fehlt|steht aus|liegt nicht vor"
    r"|nicht (?:erteilt|gegeben|vorhanden)"
    r"|refusee?|retiree?|revoquee?|non (?:donnee?|accordee?|obtenue?)|manquante?|denegad[oa]"
    r"|negad[oa]|retirad[oa]|revocad[oa]|no (?:dad[oa]|concedid[oa])|recusad[oa]"
    r"|nao (?:dad[oa]|concedid[oa])"
    r"|negat[oa]|rifiutat[oa]|revocat[oa]|non (?:dat[oa]|concess[oa])|geweigerd|ingetrokken"
    r"|niet (?:gegeven|verleend)|nektet|nekad)"
)
REFUSES = (
    r"(?:(?:has |have |had |hat |haben |a |ont |ha |han |heeft )?"
    r"(?:refus\w{1,4}|declin\w{1,3}|withdrawn|withdrew|withdraws|opted out|opts out|objects?"
    r"|objected|said no|says no|abgelehnt|verweigert|widersprochen|widerspricht|lehnt (?:es )?ab"
    r"|s'oppose|rechazado|rechaza|se opone|se niega|recusou|recusa|rifiutato|rifiuta|si oppone"
    r"|geweigerd|weigert)"
    r"|(?:did|does|do|has|have) not (?:\w+ )?(?:agreed?|consent(?:ed)?|approved?|allow(?:ed)?"
    r"|permit(?:ted)?|want)|(?:ist |sind )?(?:damit )?nicht einverstanden|stimmt nicht zu"
    r"|hat nicht zugestimmt|n'est pas d'accord|n'a pas (?:donne|accepte|consenti)|ne veut pas"
    r"|no (?:esta de acuerdo|consiente|acepta|permite)|nao (?:concorda|consente|permite|autoriza)"
    r"|non (?:acconsente|permette|autorizza|e d'accordo)|is niet akkoord)"
)
MATTER = rf"(?:{PERMISSION}|use|publication|publishing|display|training|showing|uploads?)"
SO_FAR = (  # a refusal of something else ("refused to sell it") goes on in another way
    r"(?=\W*$| ?[(\[:]| (?:it|this|that|us|to (?:it|this|that|us|be|have|let|give|publish|show"
    rf"|display|consent|allow|share)|(?:to )?(?:\w+ )?{MATTER}|(?:on|by|since|am|le|el|il) .*\d)"
    r"(?![^\W_]))"
)
DENIED = re.compile(
    rf"(?<![^\W_])(?:{BEFORE} ?(?:\w+[ '])?(?:\w+[ '])?{PERMISSION}(?![^\W_])"
    r"(?!:? (?:is |was |ist )?(?:needed|required|necessary|notig|erforderlich|notwendig|nodig"
    r"|requise?|necessaire|necesari[oa]|necessari[oa]))"
    rf"|{PERMISSION}(?:s|en)? ?(?::|=|-)? ?{BEHIND}(?![^\W_])"
    rf"|{PERSON}(?: (?:\w+ )?|: ?){REFUSES}(?![^\W_]){SO_FAR}"
    rf"|nicht einverstanden(?![^\W_]))"
)
CLAUSES = re.compile(r"[.!?;|]+(?:\s|$)|,\s")
NOTICE = re.compile(  # of copyright, about what others may do
    r"(?<![^\W_])(?:without|ohne|sans|sin|sem|senza|zonder|uten|utan|bez|unless|except)(?![^\W_])"
)


def denies_permission(text: str) -> bool:
    """Tell whether a text says that a permission was not given; case and accents left out."""
    clauses = CLAUSES.split(text.replace("n't ", " not "))
    return any(DENIED.search(clause) and not NOTICE.search(clause) for clause in clauses)
