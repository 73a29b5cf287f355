"""What an error says next: the way out in the words of the door that was used."""

from __future__ import annotations

from attribution.errors import LawfulError, Way

TERMINAL = {
    Way.INGEST: "begin with `lawful ingest FOLDER`",
    Way.ADD: "a single image is added with `lawful add`",
    Way.LIST_ARTISTS: "`lawful artists` lists them",
    Way.LIST_WORKS: "`lawful search` shows ids",
    Way.LIST_WORKS_OF: "`lawful works --artist {0}` lists them",
    Way.LIST_JOBS: "`lawful jobs list` lists them",
    Way.LIST_ANSWERS: "`lawful answers` shows ids",
    Way.LIST_LOOKUP_BATCHES: "`lawful lookups list` lists them",
    Way.LIST_CHANGES: "`lawful changes` shows ids",
    Way.LIST_CHANGES_OF_ARTIST: "`lawful changes --artist {0}` lists them",
    Way.LIST_CHANGES_OF_WORK: "`lawful changes --work {0}` lists them",
    Way.LIST_NON_COPIES: "`lawful non-copies list` shows ids",
    Way.LIST_CONSENTS: "`lawful consents list` shows ids",
    Way.LIST_SUBJECTS: "`lawful subjects list` shows ids",
    Way.LIST_CASES: "`lawful cases list` lists them",
    Way.LIST_WATCHES: "`lawful watches list` shows ids",
    Way.UNDO_FOR_WORKS: "`lawful changes --artist {0}`, then `lawful undo CHANGE`, with "
    "`--work ID` for some works only",
    Way.GIVE_WORKS: "`lawful move` and `lawful split` give works to an artist",
    Way.MERGE: "`lawful merge {0} {1}` merges all of them",
    Way.CONFIRM_MERGE: "say `--yes` if they are one artist",
    Way.WITHDRAW: "`lawful withdraw {0} --reason …`",
    Way.REINSTATE: "ingest it with --reinstate to take it in again",
    Way.DECLARE_NON_COPY: "`lawful non-copies declare IMAGE WORK --by NAME --reason WHY`",
    Way.REVOKE_NON_COPY: "`lawful non-copies revoke {0} --by NAME --reason WHY`",
}
HTTP = {
    Way.INGEST: "begin with POST /v1/ingest-jobs",
    Way.ADD: "a single image is added with POST /v1/artworks",
    Way.LIST_ARTISTS: "GET /v1/artists lists them",
    Way.LIST_WORKS: "GET /v1/artworks shows ids",
    Way.LIST_WORKS_OF: "GET /v1/artworks?artist={0} lists them",
    Way.LIST_JOBS: "GET /v1/ingest-jobs lists them",
    Way.LIST_ANSWERS: "GET /v1/attributions shows ids",
    Way.LIST_LOOKUP_BATCHES: "GET /v1/lookup-batches lists them",
    Way.LIST_CHANGES: "GET /v1/changes shows ids",
    Way.LIST_CHANGES_OF_ARTIST: "GET /v1/changes?artist={0} lists them",
    Way.LIST_CHANGES_OF_WORK: "GET /v1/changes?work={0} lists them",
    Way.LIST_NON_COPIES: "GET /v1/non-copies shows ids",
    Way.LIST_CONSENTS: "GET /v1/consents shows ids",
    Way.LIST_SUBJECTS: "GET /v1/subjects shows ids",
    Way.LIST_CASES: "GET /v1/cases lists them",
    Way.LIST_WATCHES: "GET /v1/watches shows ids",
    Way.UNDO_FOR_WORKS: "GET /v1/changes?artist={0}, then POST /v1/changes/ID/undo, with "
    "`works` for some works only",
    Way.GIVE_WORKS: "POST /v1/artworks/ID/move and POST /v1/artists/SLUG/split give works to an "
    "artist",
    Way.MERGE: "POST /v1/artists/{0}/merge into {1} merges all of them",
    Way.CONFIRM_MERGE: 'send `"confirm": true` if they are one artist',
    Way.WITHDRAW: "POST /v1/withdrawals with {0}",
    Way.REINSTATE: "send `reinstate=true` to take it in again",
    Way.DECLARE_NON_COPY: "POST /v1/non-copies",
    Way.REVOKE_NON_COPY: "POST /v1/non-copies/{0}/revoke",
}


def in_terminal(error: LawfulError) -> str:
    """Return what an error says, with the command that helps."""
    return _said(error, TERMINAL)


def over_http(error: LawfulError) -> str:
    """Return what an error says, with the route that helps."""
    return _said(error, HTTP)


def _said(error: LawfulError, words: dict[Way, str]) -> str:
    if error.hint is None:
        return str(error)
    return f"{error}; {words[error.hint.way].format(*error.hint.about)}"
