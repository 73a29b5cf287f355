"""Statements about answers to requests with an idempotency key: kept for a day, given again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from attribution.catalogue.columns import now
from attribution.catalogue.insert import insert_new
from attribution.catalogue.models import Reply

KEPT_FOR = timedelta(hours=24)
GIVEN_UP = timedelta(hours=1)  # one that is under way for longer died with its process


@dataclass(frozen=True)
class ReplyKey:
    """Whose key it is: other people's keys are other keys."""

    actor: str
    key: str


def begin_reply(session: Session, key: ReplyKey, route: str) -> Reply | None:
    """Note that a request is under way; returns the earlier one with this key, if there is one."""
    moment = now()
    session.execute(delete(Reply).where(Reply.begun_at < moment - KEPT_FOR))
    dead = Reply.body_sha256.is_(None) & (Reply.begun_at < moment - GIVEN_UP)
    session.execute(delete(Reply).where(dead))
    row = {"actor": key.actor, "key": key.key, "route": route, "begun_at": moment}
    empty = {"status": 0, "headers": {}, "body": b""}
    if insert_new(session, Reply, [row | empty], returning=Reply.key):
        return None
    return session.scalar(select(Reply).where(Reply.actor == key.actor, Reply.key == key.key))


def keep_reply(
    session: Session,
    key: ReplyKey,
    *,
    body_sha256: str,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
) -> None:
    """Keep what was answered; without effect where a withdrawal has forgotten all answers since."""
    session.execute(
        update(Reply)
        .where(Reply.actor == key.actor, Reply.key == key.key)
        .values(body_sha256=body_sha256, status=status, headers=dict(headers), body=body)
    )


def drop_reply(session: Session, key: ReplyKey) -> None:
    """Forget a request that came to nothing: sent again, it is a new one."""
    session.execute(delete(Reply).where(Reply.actor == key.actor, Reply.key == key.key))


def forget_replies(session: Session) -> int:
    """Forget all answers: one may say something of what is withdrawn."""
    return len(session.scalars(delete(Reply).returning(Reply.key)).all())
