"""What a component is computed from, and the way between expiries and their underlying.

Here: the inputs of a component as plain frames.
Not here: how they are loaded (``orchestration/``), how a panel is made (``minute_panel.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from mr_platform.features.chain_grid import DAY
from mr_platform.features.column_plan import GROUP, INDEX
from mr_platform.features.table_schemas import empty_table
from mr_platform.gateways.frame_engine import CpuEngine, FrameEngine

ROW_KEYS: tuple[str, ...] = ("symbol", "ts_minute", "dte")
"""A row of a component's table."""

ZONE_KEYS: tuple[str, ...] = ("symbol", "date", "dte_bucket", "zone_name")
"""A row of a history table that keeps one value for each zone of a day."""


@dataclass(frozen=True)
class FeatureInputs:
    """Inputs of one component for any number of partitions.

    Attributes:
        panel: The minute panel of the target partitions on the full grid, ascending by cell;
            ``g`` numbers its groups and ``u`` its (symbol, date) from 0.
        history: History tables by name, rows of earlier dates; a table that is absent counts as
            empty.
        days: Previous trading days of the target dates: date, back (1 = the day before), hist_date.
        engine: Where to work it out.
        components: Tables of earlier components by name (``c1`` …), present rows only.
        partner: Panels of both symbols for the target dates, numbered in itself; None where none
            is needed.
    """

    panel: pl.DataFrame
    history: Mapping[str, pl.LazyFrame]
    days: pl.LazyFrame
    engine: FrameEngine = field(default_factory=CpuEngine)
    components: Mapping[str, pl.LazyFrame] = field(default_factory=dict)
    partner: pl.DataFrame | None = None

    def past_table(self, name: str) -> pl.LazyFrame:
        """A history table by name, without rows where none was loaded."""
        table = self.history.get(name)
        return empty_table(name) if table is None else table


def groups(panel: pl.DataFrame, columns: Sequence[str]) -> pl.LazyFrame:
    """What does not change inside a group: g and the columns, one row a group, ascending by g.

    Args:
        panel: A minute panel.
        columns: Columns that are equal in all rows of a group.
    """
    return panel.lazy().filter(pl.col(INDEX) == 0).select(GROUP, *columns)


def symbol_days(panel: pl.DataFrame) -> pl.LazyFrame:
    """The (symbol, date) of a panel: u, symbol, date, one row each, ascending by u."""
    return underlying(panel, []).filter(pl.col(INDEX) == 0).select(DAY, "symbol", "date")


def underlying(panel: pl.DataFrame, columns: Sequence[str]) -> pl.LazyFrame:
    """Series that all expiries share, once a minute: u, j, symbol, date and the columns.

    Args:
        panel: A minute panel.
        columns: Columns that are equal in all rows of a minute.

    Returns:
        375 rows for each (symbol, date), ascending by u and j.
    """
    # the first group of a (symbol, date) holds every minute, and u ascends with g
    first = pl.col(GROUP) == pl.col(GROUP).min().over(DAY)
    return panel.lazy().filter(first).select(DAY, INDEX, "symbol", "date", *columns)


def spread(day_frame: pl.LazyFrame, panel: pl.DataFrame) -> pl.LazyFrame:
    """Rows of (symbol, date) minutes repeated for every expiry, in the panel's row order.

    Args:
        day_frame: Columns u, j and others, one row a minute.
        panel: The panel whose rows are wanted.

    Returns:
        The other columns of ``day_frame`` (without symbol and date), one row a panel row.
    """
    return (
        panel.lazy()
        .select(DAY, INDEX)
        .join(day_frame, on=[DAY, INDEX], how="left", maintain_order="left")
        .drop(DAY, INDEX, "symbol", "date", strict=False)
    )


def written_out(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with every column written out row by row.

    A column joined from a frame of one row stays one repeated value, and Polars divides by such a
    value with its reciprocal: a day alone would differ from the same day in a batch in the last
    bit.
    """
    return pl.DataFrame(frame.get_columns())
