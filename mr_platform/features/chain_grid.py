"""The option chain laid on the minute grid: cells, rows with strike ranks, dense near contracts.

Here: the frames from which the sections of the minute panel take their sums over strikes.
Not here: the sums themselves (``price_series.py``, ``greek_series.py``, …).

A *group* is one (symbol, date, expiry_date), a *cell* one minute of a group: cell = 375 g + j,
for all 375 minutes. A *contract* is a strike of a group that is within seven ranks of the money
at some minute; it has all 375 minutes too, so that a lag of w rows is a lag of w minutes. Which
contracts are laid out follows from the whole day, but no number does: a sum at t takes strikes
by their rank at t.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import polars as pl

from mr_platform.chain import sessions
from mr_platform.features.column_plan import GROUP, INDEX
from mr_platform.gateways.frame_engine import FrameEngine
from mr_platform.trading_calendar import SESSION_MINUTES, SESSION_OPEN

NEAR = 7
"""``near`` (W of C3) is the strikes of rank -7 .. 7."""

NEAR_NEEDED = 10
"""Strikes that a sum over near needs."""

CHAIN_NEEDED = 15
"""Strikes that a sum over the whole chain needs."""

CELL = "cell"
CONTRACT = "c"
DAY = "u"

_MICROSECONDS = 60_000_000
_MINUTES_OF_DAY = 1440
_OPEN_UTC = 3 * 60 + 45
"""09:15 IST in minutes of the UTC day."""

_SIDE_COLUMNS = (
    "open", "high", "low", "close", "volume", "oi", "iv", "delta", "gamma", "theta", "vega",
)  # fmt: skip
LEG_COLUMNS: tuple[str, ...] = tuple(
    f"{side}_{name}" for side in ("ce", "pe") for name in _SIDE_COLUMNS
)
"""Columns of both legs that features read."""

MINUTE_COLUMNS: tuple[str, ...] = (
    "spot", "atm_strike", "future_open", "future_high", "future_low", "future_close",
    "future_volume", "future_oi",
)  # fmt: skip
"""Columns of the chain that repeat on every row of a minute."""

GROUP_KEYS = ("symbol", "date", "expiry_date")

CHAIN_COLUMNS: tuple[str, ...] = (
    *GROUP_KEYS, "dte", "ts_minute", "strike", "call_strike_type", "put_strike_type",
    *MINUTE_COLUMNS, *LEG_COLUMNS,
)  # fmt: skip
"""Columns of the option chain that the minute panel is made of."""


@dataclass(frozen=True)
class ChainGrid:
    """The chain of some days, laid out for sums over strikes.

    Attributes:
        cells: One row a cell, ascending: cell, g, j, u (number of the symbol and date), symbol,
            date, expiry_date, dte, dte_bucket, ts_minute, zone_id, zone_name, present, tau
            (years to expiry, floored at 5 minutes).
        rows: Chain rows ascending by cell and strike: cell, g, j, strike, k (Int32 rank),
            ``MINUTE_COLUMNS``, ``LEG_COLUMNS``.
        contracts: Near contracts on all minutes, ascending by contract and minute: c, cell, g, j,
            strike, k (null where not quoted), ``LEG_COLUMNS``.
        engine: Where sections are worked out.
    """

    cells: pl.DataFrame
    rows: pl.DataFrame
    contracts: pl.DataFrame
    engine: FrameEngine


def lay_out(chain: pl.LazyFrame | pl.DataFrame, engine: FrameEngine) -> ChainGrid:
    """Lay a canonical option chain on the grid.

    Args:
        chain: Canonical rows of whole partitions, in any order.
        engine: Where to work it out.

    Returns:
        The frames of the grid; without rows where the chain has none.
    """
    frame = chain.lazy().select(CHAIN_COLUMNS)
    groups = engine.collect(frame.group_by(GROUP_KEYS).agg(pl.col("dte").first()).sort(GROUP_KEYS))
    groups = groups.with_columns(
        pl.int_range(pl.len(), dtype=pl.UInt32).alias(GROUP),
        (pl.struct("symbol", "date").rle_id()).cast(pl.UInt32).alias(DAY),
    )
    # whole minutes of the day by integers: GPU engines know no time of day
    minute = (
        pl.col("ts_minute").cast(pl.Int64) // _MICROSECONDS % _MINUTES_OF_DAY - _OPEN_UTC
    ).cast(pl.Int32)
    rows = engine.collect(
        frame.join(groups.lazy().select(*GROUP_KEYS, GROUP), on=list(GROUP_KEYS))
        .with_columns(minute.alias(INDEX), _rank().alias("k"))
        .with_columns(_cell().alias(CELL))
        .select(CELL, GROUP, INDEX, "strike", "k", *MINUTE_COLUMNS, *LEG_COLUMNS)
        .sort(CELL, "strike")
    ).with_columns(pl.col(CELL).set_sorted())
    cells = _cells(groups, rows.select(pl.col(CELL).unique()), engine)
    return ChainGrid(cells, rows, _contracts(rows, engine), engine)


def per_cell(
    frame: pl.LazyFrame | pl.DataFrame, sums: Sequence[pl.Expr], *, in_order: bool = False
) -> pl.LazyFrame:
    """Aggregate rows of strikes to one row a cell, adding in order of strike.

    Args:
        frame: Rows with the columns cell and strike.
        sums: Aggregations.
        in_order: True when the rows ascend by cell and strike already.
    """
    lazy = frame.lazy()
    if not in_order:
        lazy = lazy.sort(CELL, "strike")
    lazy = lazy.with_columns(pl.col(CELL).set_sorted())
    return lazy.group_by(CELL, maintain_order=True).agg(sums)


def _cell() -> pl.Expr:
    return pl.col(GROUP) * SESSION_MINUTES + pl.col(INDEX).cast(pl.UInt32)


def _rank() -> pl.Expr:
    """Signed rank of the strike from the call's label: ATM 0, OTMn n, ITMn -n."""
    label = pl.col("call_strike_type")
    number = label.str.slice(3).cast(pl.Int32, strict=False)
    # the straddle's row carries both labels; one alone is no ATM row
    atm = (label == "ATM") & (pl.col("put_strike_type") == "ATM")
    return (
        pl.when(atm).then(0)
        .when(label.str.starts_with("OTM")).then(number)
        .when(label.str.starts_with("ITM")).then(-number)
        .cast(pl.Int32)
    )  # fmt: skip


def _cells(groups: pl.DataFrame, seen: pl.DataFrame, engine: FrameEngine) -> pl.DataFrame:
    # a group a row: the opening minute by the CPU, since GPU engines know no time of day
    opening = sessions.ts_minute("date", pl.lit(SESSION_OPEN)).cast(pl.Int64).alias("opening")
    left = pl.col("dte") * 1440 + (SESSION_MINUTES - 1 - pl.col(INDEX))
    moment = pl.col("opening") + pl.col(INDEX).cast(pl.Int64) * _MICROSECONDS
    grid = (
        groups.with_columns(opening)
        .lazy()
        .join(_session_minutes().lazy(), how="cross")
        .sort(GROUP, INDEX)
        .with_columns(_cell().alias(CELL), moment.cast(sessions.UTC_MINUTE).alias("ts_minute"))
        .with_columns(
            dte_bucket=dte_bucket(pl.col("dte")),
            tau=pl.max_horizontal(left, sessions.MINIMUM_MINUTES_TO_EXPIRY)
            / sessions.MINUTES_PER_YEAR,
        )
        .join(seen.lazy().with_columns(present=True), on=CELL, how="left", maintain_order="left")
        .with_columns(pl.col("present").fill_null(False))
        .select(
            CELL, GROUP, INDEX, DAY, *GROUP_KEYS, "dte", "dte_bucket", "ts_minute", "zone_id",
            "zone_name", "present", "tau",
        )
    )  # fmt: skip
    return engine.collect(grid).with_columns(pl.col(CELL, GROUP).set_sorted())


@lru_cache(maxsize=1)
def _session_minutes() -> pl.DataFrame:
    """The minutes of any session: j, zone_id, zone_name."""
    number = pl.int_range(SESSION_MINUTES, dtype=pl.Int32, eager=True).alias(INDEX)
    minute = SESSION_OPEN.hour * 60 + SESSION_OPEN.minute + pl.col(INDEX)
    clock = pl.time(minute // 60, minute % 60)
    return number.to_frame().with_columns(
        zone_id=sessions.zone_id(clock), zone_name=sessions.zone_name(clock)
    )


def dte_bucket(dte: pl.Expr) -> pl.Expr:
    """``near`` 0-7, ``mid`` 8-30, ``far`` 31 and more calendar days."""
    return (
        pl.when(dte <= 7).then(pl.lit("near"))
        .when(dte <= 30).then(pl.lit("mid"))
        .otherwise(pl.lit("far"))
    )  # fmt: skip


def _contracts(rows: pl.DataFrame, engine: FrameEngine) -> pl.DataFrame:
    listed = engine.collect(
        rows.lazy()
        .filter(pl.col("k").abs() <= NEAR)
        .group_by(GROUP, "strike")
        .agg()
        .sort(GROUP, "strike")
    ).with_columns(pl.int_range(pl.len(), dtype=pl.UInt32).alias(CONTRACT))
    minutes = pl.DataFrame({INDEX: range(SESSION_MINUTES)}, schema={INDEX: pl.Int32})
    grid = (
        listed.lazy()
        .join(minutes.lazy(), how="cross")
        .sort(CONTRACT, INDEX)
        .with_columns(_cell().alias(CELL))
    )
    values = rows.lazy().select(CELL, "strike", "k", *LEG_COLUMNS)
    dense = grid.join(values, on=[CELL, "strike"], how="left", maintain_order="left")
    return engine.collect(
        dense.select(CONTRACT, CELL, GROUP, INDEX, "strike", "k", *LEG_COLUMNS)
    ).with_columns(pl.col(CONTRACT).set_sorted())
