"""Dagster's stores on disk, quickened for tests.

Here: what Dagster 1.13 makes anew for each event and each opened home is made once a process, and
SQLite does not wait for the disk, which no test pulls the plug of. A command costs a third less.
Not here: any change of what is stored; processes that a test starts, which run as they are.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import sqlalchemy
from alembic.config import Config
from alembic.script import ScriptDirectory
from dagster._core.storage.event_log.sqlite import sqlite_event_log
from dagster._core.storage.runs.sqlite import sqlite_run_storage
from dagster._core.storage.schedules.sqlite import sqlite_schedule_storage
from sqlalchemy.pool import NullPool

_STORES = (sqlite_event_log, sqlite_run_storage, sqlite_schedule_storage)
_read_revisions = ScriptDirectory.from_config


# an engine knows the statements it compiled; each run has a file, and so an engine, of its own
@functools.lru_cache(maxsize=64)
def _engine(address: str, timeout: float | None) -> sqlalchemy.Engine:
    given = {} if timeout is None else {"connect_args": {"timeout": timeout}}
    engine = sqlalchemy.create_engine(address, poolclass=NullPool, **given)

    @sqlalchemy.event.listens_for(engine, "connect")
    def never_wait(connection: Any, _: object) -> None:
        connection.execute("PRAGMA synchronous=OFF")

    return engine


def _create_engine(
    address: str, *, poolclass: type[NullPool], connect_args: Mapping[str, float] | None = None
) -> sqlalchemy.Engine:
    """In the place of ``create_engine``: takes what Dagster's SQLite stores give, and no more."""
    assert poolclass is NullPool
    return _engine(address, **(connect_args or {"timeout": None}))


_known: dict[str | None, ScriptDirectory] = {}


def _from_config(config: Config) -> ScriptDirectory:
    """In the place of reading and running every script of the folder again."""
    folder = config.get_main_option("script_location")
    if folder not in _known:
        _known[folder] = _read_revisions(config)
    return _known[folder]


@contextmanager
def quick_stores() -> Iterator[None]:
    """Keep engines and lists of revisions from one use of a store to the next."""
    with ExitStack() as patched:
        for store in _STORES:
            patched.enter_context(patch.object(store, "create_engine", _create_engine))
        patched.enter_context(patch.object(ScriptDirectory, "from_config", _from_config))
        yield
