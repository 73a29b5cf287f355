"""What people decided about an image, beside what a computer finds today."""

from __future__ import annotations

from api.reports.sentences import say
from attribution.catalogue.queries.pairs import decisions_about
from attribution.collection import Stores

NEWEST = 5


def decided_about(stores: Stores, sha256: str) -> list[str]:
    """Return a sentence for each decision that holds about an image, the NEWEST ones."""
    with stores.sessions() as session:
        return [
            say(
                "decisions",
                "earlier",
                number=case.number,
                day=one.at.date(),
                says=say("decisions", one.outcome),
            )
            for case, one in decisions_about(session, sha256, NEWEST)
        ]
