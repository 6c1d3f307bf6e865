"""The minute panel: the option chain reduced once to one row a (symbol, expiry, minute).

Here: putting the sections together, the panel's columns, and numbering a stored panel again.
Not here: the sections (``price_series.py``, ``greek_series.py``, ``oi_series.py``,
``smile_series.py``), features.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from mr_platform.features.chain_grid import CELL, DAY, GROUP_KEYS, lay_out
from mr_platform.features.column_plan import GROUP, INDEX
from mr_platform.features.greek_series import greek_series
from mr_platform.features.oi_series import oi_series
from mr_platform.features.price_series import price_series
from mr_platform.features.smile_series import smile_series
from mr_platform.features.table_schemas import MINUTE_PANEL, table_schema
from mr_platform.gateways.frame_engine import FrameEngine
from mr_platform.trading_calendar import SESSION_MINUTES

PANEL_KEYS: tuple[str, ...] = (
    "symbol", "date", "expiry_date", "dte", "dte_bucket", "ts_minute", INDEX, "zone_id",
    "zone_name", "present", "tau",
)  # fmt: skip
"""Columns that say which row it is; all others are series."""

NUMBERS: tuple[str, ...] = (CELL, GROUP, DAY)
"""Numbers that hold in one frame only and are never stored."""


def minute_panel(
    chain: pl.LazyFrame | pl.DataFrame,
    engine: FrameEngine,
    previous_close: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Reduce whole partitions of the option chain to their minute panel.

    Args:
        chain: Canonical rows of any number of (symbol, date) partitions.
        engine: Where to work it out.
        previous_close: Closing open interest of the trading day before: symbol, date (the day
            that reads it), expiry_date, strike, ce_oi, pe_oi; None where there is none.

    Returns:
        ``NUMBERS``, ``PANEL_KEYS`` and the series of all sections: every minute of every expiry
        that has a row in the day, ascending by cell.
    """
    grid = lay_out(chain, engine)
    base = price_series(grid)
    sections = (
        greek_series(grid, base),
        oi_series(grid, previous_close),
        smile_series(grid, base),
    )
    frame = base.lazy()
    for section in sections:
        frame = frame.join(section.lazy(), on=CELL, how="left", maintain_order="left")
    panel = engine.collect(frame)
    # in declared order; what is not declared stays visible at the end
    declared = [*NUMBERS, *table_schema(MINUTE_PANEL).names()]
    undeclared = [name for name in panel.columns if name not in declared]
    return panel.select(*declared, *undeclared)


def stored(panel: pl.DataFrame) -> pl.DataFrame:
    """The panel as its table holds it: without the numbers of this frame."""
    return panel.drop(NUMBERS)


def numbered(panel: pl.DataFrame) -> pl.DataFrame:
    """A stored panel ready for features: ascending, with ``NUMBERS``.

    Args:
        panel: Rows of whole partitions of the table, in any order.
    """
    keys = (*GROUP_KEYS, INDEX)
    # in one piece: a sum over a group adds piece by piece, and its last bit would tell the batch
    ordered = panel.rechunk() if _ascends(panel, keys) else panel.sort(keys)
    place = pl.int_range(pl.len(), dtype=pl.UInt32)
    return ordered.select(
        place.alias(CELL),
        (place // SESSION_MINUTES).alias(GROUP),
        pl.struct("symbol", "date").rle_id().cast(pl.UInt32).alias(DAY),
        pl.all(),
    ).with_columns(pl.col(CELL, GROUP, DAY).set_sorted())


def _ascends(frame: pl.DataFrame, keys: Sequence[str]) -> bool:
    """Whether the rows ascend by the keys already: asking costs a hundredth of sorting."""
    after = pl.lit(False)
    for key in reversed(keys):
        value, before = pl.col(key), pl.col(key).shift(1)
        after = (value > before) | ((value == before) & after)
    return bool(frame.select(after.slice(1).all()).item())
