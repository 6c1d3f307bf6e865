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
from mr_platform.errors import PlatformError
from mr_platform.features.column_plan import GROUP, INDEX
from mr_platform.gateways.frame_engine import FrameEngine
from mr_platform.trading_calendar import SESSION_MINUTES, SESSION_OPEN

NEAR = 7
"""``near`` (W of C3) is the strikes of rank -7 .. 7."""

NEAR_NEEDED = 10
"""Strikes that a sum over near needs."""

CHAIN_NEEDED = 15
"""Strikes that a sum over the whole chain needs."""

RANKED = 10
"""Ranks are read up to here; no number of the panel takes one further out."""

CELL = "cell"
RUN = "run"
CONTRACT = "c"
STRIKE_KEY = "key"
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


_MINUTE_KEYS = (*GROUP_KEYS[:2], "ts_minute", GROUP_KEYS[2])
"""What a cell is called in the chain, in the order in which canonical chains are sorted."""

_LABELS = ("call_strike_type", "put_strike_type")
_PLACE = "place"


class ChainOrderError(PlatformError):
    """Rows of an option chain that no order makes canonical."""


@dataclass(frozen=True)
class ChainGrid:
    """The chain of some days, laid out for sums over strikes.

    Attributes:
        cells: One row a cell, ascending: cell, g, j, u (number of the symbol and date), symbol,
            date, expiry_date, dte, dte_bucket, ts_minute, zone_id, zone_name, present, tau
            (years to expiry, floored at 5 minutes).
        minutes: One row a cell with a quote, ascending by run: run, cell, g, j, u, what all rows
            of the minute repeat (``MINUTE_COLUMNS``).
        rows: Chain rows ascending by run and strike: run, cell, g, j, strike, spot,
            ``LEG_COLUMNS``. A *run* is the rows of one cell, which stand together; runs are
            numbered as they come and need not ascend by cell.
        near: Strikes up to rank ``RANKED``, ascending by run and strike: cell, g, strike, k (Int32
            rank).
        contracts: Near contracts on all minutes, ascending by contract and minute: c, cell, g, j,
            strike, k (null where not quoted, or beyond ``RANKED``), ``LEG_COLUMNS``.
        engine: Where sections are worked out.
    """

    cells: pl.DataFrame
    minutes: pl.DataFrame
    rows: pl.DataFrame
    near: pl.DataFrame
    contracts: pl.DataFrame
    engine: FrameEngine


def lay_out(chain: pl.LazyFrame | pl.DataFrame, engine: FrameEngine) -> ChainGrid:
    """Lay a canonical option chain on the grid.

    Args:
        chain: Canonical rows of whole partitions, in any order.
        engine: Where to work it out.

    Returns:
        The frames of the grid; without rows where the chain has none.

    Raises:
        ChainOrderError: A strike stands twice in a minute of an expiry.
    """
    frame = chain.lazy().select(CHAIN_COLUMNS)
    quotes, seen = runs_of(frame, ("dte", *MINUTE_COLUMNS), engine)
    groups = engine.collect(
        seen.lazy()
        .group_by(GROUP_KEYS, maintain_order=True)
        .agg(pl.col("dte").first())
        .sort(GROUP_KEYS)
    ).with_columns(
        pl.int_range(pl.len(), dtype=pl.UInt32).alias(GROUP),
        (pl.struct("symbol", "date").rle_id()).cast(pl.UInt32).alias(DAY),
    )
    # whole minutes of the day by integers: GPU engines know no time of day
    minute = (
        pl.col("ts_minute").cast(pl.Int64) // _MICROSECONDS % _MINUTES_OF_DAY - _OPEN_UTC
    ).cast(pl.Int32)
    minutes = engine.collect(
        seen.lazy()
        .join(groups.lazy().drop("dte"), on=list(GROUP_KEYS), how="left", maintain_order="left")
        .with_columns(minute.alias(INDEX))
        .with_columns(_cell().alias(CELL))
        .select(RUN, CELL, GROUP, INDEX, DAY, *MINUTE_COLUMNS)
    ).with_columns(pl.col(RUN).set_sorted())
    placed = minutes.lazy().select(RUN, CELL, GROUP, INDEX)
    rows = engine.collect(
        quotes.lazy()
        .join(placed, on=RUN, how="left", maintain_order="left")
        .select(RUN, CELL, GROUP, INDEX, "strike", *_LABELS, "spot", *LEG_COLUMNS)
    )
    near = engine.collect(_near(rows))
    cells = _cells(groups, minutes.select(CELL), engine)
    return ChainGrid(
        cells,
        minutes,
        rows.drop(_LABELS).with_columns(pl.col(RUN).set_sorted()),
        near,
        _contracts(rows, near, engine),
        engine,
    )


def per_run(rows: pl.LazyFrame | pl.DataFrame, sums: Sequence[pl.Expr]) -> pl.LazyFrame:
    """Aggregate rows of the chain to one row a cell, adding in order of strike.

    Args:
        rows: Rows ascending by run and strike, with the columns run and cell.
        sums: Aggregations.

    Returns:
        cell and the aggregates, ascending by run.
    """
    lazy = rows.lazy().with_columns(pl.col(RUN).set_sorted())
    return lazy.group_by(RUN, maintain_order=True).agg(pl.col(CELL).first(), *sums).drop(RUN)


def per_cell(rows: pl.LazyFrame | pl.DataFrame, sums: Sequence[pl.Expr]) -> pl.LazyFrame:
    """Aggregate rows of contracts to one row a cell, adding in order of strike.

    The rows of a cell lie apart and stay where they are: a group keeps the order of its rows, and
    sums of a few rows cost a fifth of what they cost on runs.

    Args:
        rows: Rows in which the strikes of a cell ascend, with the column cell.
        sums: Aggregations.

    Returns:
        cell and the aggregates, in order of first appearance.
    """
    return rows.lazy().group_by(CELL, maintain_order=True).agg(sums)


def at_rank(contracts: pl.LazyFrame, rank: int) -> pl.LazyFrame:
    """The rows of contracts that carry a rank, one a cell; with two of them a cell has none."""
    return contracts.filter(pl.col("k") == rank).filter(pl.col(CELL).is_unique())


# -- rows, cell by cell ---------------------------------------------------------------------------


def runs_of(
    chain: pl.LazyFrame, repeated: Sequence[str], engine: FrameEngine
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Number the runs of a chain.

    Canonical chains come cell by cell, their strikes ascend and so do the minutes of a group;
    sorting is for those that do not.

    Args:
        chain: Canonical rows in any order, with symbol, date, expiry_date, ts_minute, strike.
        repeated: Columns that are equal on all rows of a cell.
        engine: Where to work it out.

    Returns:
        The rows with the column run, and one row a run: run, symbol, date, ts_minute,
        expiry_date and the repeated columns.

    Raises:
        ChainOrderError: A strike stands twice in a minute of an expiry.
    """
    rows, runs, ordered = _numbered(chain, repeated, engine)
    if not ordered:
        rows, runs, ordered = _numbered(chain.sort(*_MINUTE_KEYS, "strike"), repeated, engine)
    if not ordered:
        raise ChainOrderError(
            "a strike stands twice in a minute of an expiry, and sums would count it twice",
            place="option_chain",
            next_step="Ingest the day again: the door sets repeated rows apart",
        )
    return rows, runs


def _numbered(
    chain: pl.LazyFrame, repeated: Sequence[str], engine: FrameEngine
) -> tuple[pl.DataFrame, pl.DataFrame, bool]:
    """Rows and runs as they come, and whether they are in order."""
    starts = pl.any_horizontal(
        [(pl.col(key) != pl.col(key).shift(1)).fill_null(True) for key in _MINUTE_KEYS]
    )
    ascends = (pl.col("strike") > pl.col("strike").shift(1)).fill_null(True)
    rows = engine.collect(
        chain.with_columns(starts.alias("_starts"), ascends.alias("_ascends")).with_columns(
            pl.col("_starts").cast(pl.UInt32).cum_sum().alias(RUN)
        )
    ).with_columns(pl.col(RUN).set_sorted())
    runs = engine.collect(
        rows.lazy().group_by(RUN, maintain_order=True).agg(pl.col(*_MINUTE_KEYS, *repeated).first())
    )
    strikes = engine.collect(rows.lazy().select((pl.col("_starts") | pl.col("_ascends")).all()))
    before = pl.col("ts_minute").shift(1).over(GROUP_KEYS)
    # later than the minute before, so no minute stands in two places
    minutes = engine.collect(
        runs.lazy()
        .with_columns(before=before)
        .select((pl.col("before").is_null() | (pl.col("ts_minute") > pl.col("before"))).all())
    )
    return rows.drop("_starts", "_ascends"), runs, strikes.item() and minutes.item()


def strike_key(number: str) -> pl.Expr:
    """A number and a strike as one whole number: joins and groups by two columns cost twice."""
    return paired_key(number, hundredths("strike")).alias(STRIKE_KEY)


def paired_key(number: str, whole: pl.Expr) -> pl.Expr:
    """A number and another whole one below 2**32 as one."""
    return pl.col(number).cast(pl.Int64) * 2**32 + whole


def hundredths(price: str) -> pl.Expr:
    """A price in hundredths of an index point, whole."""
    return (pl.col(price) * 100).round().cast(pl.Int64)


def _cell() -> pl.Expr:
    return pl.col(GROUP) * SESSION_MINUTES + pl.col(INDEX).cast(pl.UInt32)


def _near(rows: pl.DataFrame) -> pl.LazyFrame:
    """Strikes up to rank ``RANKED``: most lie further out, and labels are dear to look up."""
    label = pl.col("call_strike_type")
    known = _ranks()["call_strike_type"].to_list()
    # all labels of one digit are ranked; of longer ones only those of the furthest ranks
    longest = max(map(len, known))
    furthest = [label == name for name in known if len(name) == longest]
    ranked = _with_rank(
        rows.lazy()
        .select(CELL, GROUP, "strike", *_LABELS)
        .filter(pl.any_horizontal(label.str.len_bytes() < longest, *furthest))
    )
    return ranked.filter(pl.col("k").is_not_null()).drop(_LABELS)


@lru_cache(maxsize=1)
def _ranks() -> pl.DataFrame:
    """Signed ranks by the call's label: ATM 0, OTMn n, ITMn -n; up to ``RANKED``."""
    signs = {"OTM": 1, "ITM": -1}
    ranks = {f"{side}{n}": sign * n for side, sign in signs.items() for n in range(1, RANKED + 1)}
    labels = {"ATM": 0, **ranks}
    return pl.DataFrame(
        {"call_strike_type": labels.keys(), "k": labels.values()},
        schema={"call_strike_type": pl.String, "k": pl.Int32},
    )


def _with_rank(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Add the strike's signed rank, k; null where it has none up to ``RANKED``."""
    # the straddle's row carries both labels; one alone is no ATM row
    half = (pl.col("k") == 0) & (pl.col("put_strike_type") != "ATM").fill_null(True)
    return rows.join(
        _ranks().lazy(), on="call_strike_type", how="left", maintain_order="left"
    ).with_columns(pl.when(~half.fill_null(False)).then(pl.col("k")).alias("k"))


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


def _contracts(rows: pl.DataFrame, near: pl.DataFrame, engine: FrameEngine) -> pl.DataFrame:
    listed = engine.collect(
        near.lazy()
        .filter(pl.col("k").abs() <= NEAR)
        .select(GROUP, "strike")
        .unique()
        .sort(GROUP, "strike")
        .with_columns(strike_key(GROUP))
    ).with_columns(pl.int_range(pl.len(), dtype=pl.UInt32).alias(CONTRACT))
    numbers = listed.lazy().select(STRIKE_KEY, CONTRACT)
    minutes = pl.DataFrame({INDEX: range(SESSION_MINUTES)}, schema={INDEX: pl.Int32})
    place = (pl.col(CONTRACT) * SESSION_MINUTES + pl.col(INDEX).cast(pl.UInt32)).alias(_PLACE)
    grid = (
        listed.lazy()
        .join(minutes.lazy(), how="cross")
        .sort(CONTRACT, INDEX)
        .select(CONTRACT, GROUP, INDEX, "strike", _cell().alias(CELL), place)
    )
    values = _with_rank(
        rows.lazy()
        .select(INDEX, *_LABELS, *LEG_COLUMNS, strike_key(GROUP))
        .join(numbers, on=STRIKE_KEY, how="inner", maintain_order="left")
    ).select(place, "k", *LEG_COLUMNS)
    dense = grid.join(values, on=_PLACE, how="left", maintain_order="left")
    return engine.collect(
        dense.select(CONTRACT, CELL, GROUP, INDEX, "strike", "k", *LEG_COLUMNS)
    ).with_columns(pl.col(CONTRACT).set_sorted())
