"""Statements compiled once for all databases of an engine.

SQLAlchemy keeps what it has compiled for each open database; a test opens a new one, and spent a
quarter of its time on compiling again what the tests before it had asked. Nothing but that is
shared: values, results and connections are each database's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from sqlalchemy import create_engine
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from attribution.catalogue import database


@contextmanager
def compiled_once() -> Iterator[None]:
    """Have the databases that are opened meanwhile share what they compile."""
    compiled: dict[Any, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        for dialect in (PGDialect_psycopg, SQLiteDialect_pysqlite):  # a part of each key
            patch.setattr(dialect, "__eq__", lambda one, other: type(one) is type(other))
            patch.setattr(dialect, "__hash__", lambda one: hash(type(one)))
        options = {"compiled_cache": compiled}
        sharing = partial(create_engine, execution_options=options)
        patch.setattr(database, "create_engine", sharing)
        yield
