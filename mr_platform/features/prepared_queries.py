"""Queries that Polars resolves once and works out over one frame after another.

Here: a query whose data come last, and its use by several threads.
Not here: what a query selects (``column_plan.py``), where it is worked out (frame engine).

Between a lazy frame and its first row Polars resolves every name and type of the query. For the
thousand short columns of a day that costs as much as the columns themselves, and it depends on the
names and types of the data only. So a query is written over a source without data, resolved, and
handed the data of each run through the source.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

import polars as pl
from polars.io.plugins import register_io_source


class _Copy:
    """A resolved query with a place for its data; one thread at a time may use it."""

    def __init__(self, query: Callable[[pl.LazyFrame], pl.LazyFrame], schema: pl.Schema) -> None:
        self.data: pl.DataFrame | None = None
        self.frame = query(register_io_source(self._rows, schema=schema))
        self.frame.collect_schema()  # keeps what it has resolved

    def _rows(
        self,
        with_columns: list[str] | None,
        predicate: pl.Expr | None,
        n_rows: int | None,
        batch_size: int | None,  # a hint; the rows are in memory already
    ) -> Iterator[pl.DataFrame]:
        if self.data is None:
            raise RuntimeError("a prepared query is worked out inside over() only")
        rows = self.data if with_columns is None else self.data.select(with_columns)
        if predicate is not None:
            rows = rows.filter(predicate)
        yield rows if n_rows is None else rows.head(n_rows)


class PreparedQuery:
    """A query over frames of one schema.

    Args:
        query: Makes the query from its source; it must not look at the data.
        schema: Names and types of every frame it will be given.
    """

    def __init__(self, query: Callable[[pl.LazyFrame], pl.LazyFrame], schema: pl.Schema) -> None:
        self._query = query
        self._schema = schema
        self._free: list[_Copy] = []
        self._lock = Lock()

    @contextmanager
    def over(self, data: pl.DataFrame) -> Iterator[pl.LazyFrame]:
        """The query over a frame, to be worked out before the block ends, by one thread.

        Threads that ask at the same time are given copies of their own.

        Args:
            data: Rows with the columns of the schema.
        """
        with self._lock:
            copy = self._free.pop() if self._free else None
        copy = copy or _Copy(self._query, self._schema)
        copy.data = data
        try:
            yield copy.frame
        finally:
            copy.data = None
            with self._lock:
                self._free.append(copy)
