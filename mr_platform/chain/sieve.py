"""Good rows stay, bad rows leave with their reason; no row is in both places or in neither.

Here: the bookkeeping of quarantine. Not here: the rules (``chain/quality``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

FILE = "_file"
ROW = "_row"

REJECTED_SCHEMA = {
    FILE: pl.Int64,
    ROW: pl.Int64,
    "reason": pl.String,
    "column": pl.String,
    "detail": pl.String,
}


@dataclass(frozen=True)
class RowRule:
    """One condition under which a row is bad.

    Attributes:
        reason: Name of the rule in the registry.
        bad: True for a bad row; null counts as good.
        column: Column concerned, or None for the row.
        detail: What was found, as text.
    """

    reason: str
    bad: pl.Expr
    column: str | None
    detail: pl.Expr


class Sieve:
    """Rows on their way through the rules.

    Attributes:
        rows: Rows that no rule has taken out so far, with ``_file`` and ``_row``.
    """

    def __init__(self, rows: pl.DataFrame) -> None:
        self.rows = rows
        self._rejected: list[pl.DataFrame] = []

    @property
    def rejected(self) -> pl.DataFrame:
        """``_file``, ``_row``, ``reason``, ``column``, ``detail`` of the rows taken out."""
        return pl.concat(self._rejected) if self._rejected else pl.DataFrame(schema=REJECTED_SCHEMA)

    def apply(self, rules: Sequence[RowRule]) -> None:
        """Take out the rows that break a rule; a row leaves with the first rule it breaks."""
        if not rules or self.rows.is_empty():
            return
        # one pass counts every rule: clean files, the usual case, pay nothing more
        broken = self.rows.select(
            rule.bad.fill_null(value=False).sum().alias(str(place))
            for place, rule in enumerate(rules)
        ).row(0)
        failing = [rule for rule, count in zip(rules, broken, strict=True) if count]
        for rule in failing:
            self._take_out(rule)

    def take_out(self, rows: pl.DataFrame, reason: str, column: str | None, detail: str) -> None:
        """Take out rows named by ``_file`` and ``_row``."""
        marked = rows.select(FILE, ROW).with_columns(
            pl.lit(reason).alias("reason"),
            pl.lit(column, pl.String).alias("column"),
            pl.lit(detail).alias("detail"),
        )
        self._rejected.append(marked.cast(REJECTED_SCHEMA))  # type: ignore[arg-type]
        self.rows = self.rows.join(rows.select(FILE, ROW), on=[FILE, ROW], how="anti")

    def _take_out(self, rule: RowRule) -> None:
        bad = self.rows.select(rule.bad.fill_null(value=False).alias("bad"))["bad"]
        if not bad.any():  # an earlier rule took these rows out
            return
        # Polars 1.44 panics on text formatting over an empty chunk, which filtering leaves behind
        leaving = self.rows.filter(bad).rechunk()
        leaving = leaving.select(
            FILE,
            ROW,
            pl.lit(rule.reason).alias("reason"),
            pl.lit(rule.column, pl.String).alias("column"),
            rule.detail.cast(pl.String).alias("detail"),
        )
        self._rejected.append(leaving.cast(REJECTED_SCHEMA))  # type: ignore[arg-type]
        self.rows = self.rows.filter(~bad)
