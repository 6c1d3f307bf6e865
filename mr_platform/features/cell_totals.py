"""Totals over the strikes of a minute: columns of rows of strikes, and what a cell takes of each.

Here: naming terms, taking each once, and their sums, counts and extremes by cell.
Not here: which terms (``greek_series.py``, ``oi_flows.py``), how rows are grouped
(``chain_grid.py``).
"""

from __future__ import annotations

import polars as pl

from mr_platform.features.chain_grid import CELL, RUN, per_cell, per_run
from mr_platform.features.column_plan import ColumnPlan


class CellTotals:
    """Terms of strikes and their totals by cell.

    A term that is summed and counted is worked out and carried once. Built once, totals serve any
    number of frames.

    Args:
        key: What tells the rows of a cell: ``RUN`` for rows of the chain, ``CELL`` for rows of
            contracts.

    Attributes:
        plan: Where terms are worked out; a window over it is one over the cell's rows.
        columns: The terms, by the name of their column.
        aggregates: The totals.
    """

    def __init__(self, key: str = CELL) -> None:
        self.plan = ColumnPlan(group=key)
        self.columns: dict[str, pl.Expr] = {}
        self.aggregates: list[pl.Expr] = []

    def let(self, expression: pl.Expr) -> pl.Expr:
        """The expression as a column of the plan."""
        return self.plan.let(expression)

    def sum(self, name: str, term: pl.Expr) -> None:
        """Sum over the strikes that have the term, 0 where none has."""
        self.aggregates.append(self._column(term).sum().alias(name))

    def count(self, name: str, term: pl.Expr) -> None:
        """Number of strikes that have the term."""
        self.aggregates.append(self._column(term).count().alias(name))

    def largest(self, name: str, term: pl.Expr) -> None:
        """Greatest of the strikes' terms."""
        self.aggregates.append(self._column(term).max().alias(name))

    def least(self, name: str, term: pl.Expr) -> None:
        """Smallest of the strikes' terms."""
        self.aggregates.append(self._column(term).min().alias(name))

    def per_cell(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """Cell and the totals of rows in which the strikes of a cell ascend."""
        return self.of_columns(self.plan.run(rows, self.columns, keep=self.keys))

    def of_columns(self, ready: pl.LazyFrame | pl.DataFrame) -> pl.LazyFrame:
        """Cell and the totals of rows that hold ``keys`` and the terms already."""
        grouped = per_run if self.plan.group == RUN else per_cell
        return grouped(ready, self.aggregates)

    @property
    def keys(self) -> list[str]:
        """Columns that say which cell a row belongs to."""
        return list(dict.fromkeys((self.plan.group, CELL)))

    def _column(self, term: pl.Expr) -> pl.Expr:
        column = self.let(term)
        self.columns[column.meta.output_name()] = column
        return column
