"""From good rows of any dialect to the canonical option chain: one shape, derived where absent.

Here: volume differences, call and put side by side, spot, ATM, labels, buckets, dte, zones,
implied volatility and Greeks where the source has none, types and order of the table.
Not here: which rows are good (``chain/quality``), prices and labels themselves
(``chain/pricing``, ``chain/strikes``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import polars as pl

from mr_platform.chain import pricing, sessions, strikes
from mr_platform.chain.dialects.dialect import Dialect
from mr_platform.chain.quality import QUANTITIES, outside
from mr_platform.chain.sieve import FILE, ROW
from mr_platform.chain.units import prefixes
from mr_platform.config.settings import Settings
from mr_platform.registry.loader import load_registry
from mr_platform.trading_calendar import SESSION_OPEN, PartitionKey

_TYPES: dict[str, pl.DataType] = {
    "Date": pl.Date(),
    "Datetime[us, UTC]": pl.Datetime("us", "UTC"),
    "Float64": pl.Float64(),
    "Int64": pl.Int64(),
    "Int32": pl.Int32(),
    "String": pl.String(),
    "Boolean": pl.Boolean(),
}

_ORDER = ("ts_minute", "expiry_date", "strike")
_ROW_KEY = ["minute", "expiry_date", "strike"]


@dataclass(frozen=True)
class Derived:
    """What canonicalisation made.

    Attributes:
        chain: The canonical option chain, sorted by minute, expiry and strike.
        underivable: ``_file``, ``_row`` of rows without a spot that nothing implies.
        notes: Counts of what was nulled or derived, by rule or column name.
    """

    chain: pl.DataFrame
    underivable: pl.DataFrame
    notes: Mapping[str, int]


@cache
def canonical_schema() -> dict[str, pl.DataType]:
    """Columns and Polars types of the ``option_chain`` table, in order."""
    return {column.name: _TYPES[column.dtype] for column in load_registry().raw_chain.canonical}


def to_canonical(
    rows: pl.DataFrame,
    dialect: Dialect,
    key: PartitionKey,
    settings: Settings,
    *,
    cumulative: Mapping[int, bool],
) -> Derived:
    """Bring good rows of one partition into the canonical form.

    Args:
        rows: Rows in canonical units with ``_file``, ``_row``, ``minute``.
        dialect: Dialect of the rows.
        key: The partition.
        settings: Strike steps and rates.
        cumulative: By ``_file``, whether volume is the day's running total.

    Returns:
        The chain, the rows nothing could be derived for, and counts.
    """
    rate = settings.market.rate_on(key.date)
    origin = rows.select(FILE, ROW, "minute")
    rows = _difference_volume(rows, dialect, cumulative)
    wide = _side_by_side(rows) if dialect.legs == "long" else rows.with_columns(source_rows=1)
    wide = wide.with_columns(
        pl.lit(key.symbol).alias("symbol"),
        pl.lit(key.date).alias("date"),
        sessions.ts_minute(pl.lit(key.date), "time").alias("ts_minute"),
    )
    wide = _with_every_column(wide)
    wide, nulled = _null_impossible_iv(wide)
    wide = _with_spot(wide, rate)
    lacking = wide.filter(pl.col("spot").is_null()).select("minute").unique()
    underivable = origin.join(lacking, on="minute", how="semi").select(FILE, ROW)
    wide = wide.filter(pl.col("spot").is_not_null())
    wide = strikes.add_atm_strike(wide, settings.market.strike_steps)
    wide = _with_labels(wide)
    wide = wide.with_columns(
        strikes.dte("date", "expiry_date").alias("dte"),
        pl.coalesce("zone_id", sessions.zone_id("time").cast(pl.Float64)).alias("zone_id"),
        pl.coalesce("zone_name", sessions.zone_name("time")).alias("zone_name"),
    )
    wide = pricing.fill_missing_iv_and_greeks(wide, rate)
    chain = _in_order(
        wide.select(pl.col(name).cast(dtype) for name, dtype in canonical_schema().items())
    )
    return Derived(chain, underivable, {"iv_out_of_range_nulled": nulled})


def _in_order(chain: pl.DataFrame) -> pl.DataFrame:
    """Sorted by minute, expiry and strike; most files are, and sorting 55 columns costs 50 ms."""
    minute, expiry, strike = (pl.col(name).diff() for name in _ORDER)
    none = pl.duration()
    rising = (minute > none) | (
        (minute == none) & ((expiry > none) | ((expiry == none) & (strike > 0)))
    )
    if chain.select(rising.all(ignore_nulls=True)).item():
        return chain
    return chain.sort(_ORDER)


def _difference_volume(
    rows: pl.DataFrame, dialect: Dialect, cumulative: Mapping[int, bool]
) -> pl.DataFrame:
    """Running totals to volume per bar: the first total stands only at the open (trap 3)."""
    running = [number for number, is_running in cumulative.items() if is_running]
    names = [f"{side}volume" for side in prefixes(dialect) if f"{side}volume" in rows.columns]
    if not running or not names:
        return rows
    contract = ["expiry_date", "strike", *(["option_type"] if dialect.legs == "long" else [])]
    ordered = rows.sort(*contract, "minute", maintain_order=True)
    first_minute = SESSION_OPEN.hour * 60 + SESSION_OPEN.minute
    for name in names:
        step = pl.col(name) - pl.col(name).shift(1).over(contract)
        # the exchange's total starts at zero with the session; any other first total is unknown
        opening = pl.when(pl.col("minute") == first_minute).then(pl.col(name))
        is_first = pl.col("minute") == pl.col("minute").first().over(contract)
        change = pl.when(is_first).then(opening).otherwise(pl.when(step >= 0).then(step))
        is_running = pl.col(FILE).is_in(running)
        ordered = ordered.with_columns(
            pl.when(is_running).then(change).otherwise(pl.col(name)).alias(name)
        )
    return ordered


def _side_by_side(rows: pl.DataFrame) -> pl.DataFrame:
    """One row per strike from one row per contract."""
    quantities = [name for name in QUANTITIES if name in rows.columns]
    shared = [name for name in ("spot",) if name in rows.columns]
    sides = []
    for option_type, prefix in (("CE", "ce_"), ("PE", "pe_")):
        sides.append(
            rows.filter(pl.col("option_type") == option_type).select(
                *_ROW_KEY,
                "time",
                *shared,
                *[pl.col(name).alias(f"{prefix}{name}") for name in quantities],
                pl.lit(1).alias("legs"),
            )
        )
    call, put = sides
    both = call.join(put, on=_ROW_KEY, how="full", coalesce=True, suffix="_put")
    return both.with_columns(
        pl.coalesce("time", "time_put").alias("time"),
        *[pl.coalesce(name, f"{name}_put").alias(name) for name in shared],
        source_rows=pl.sum_horizontal("legs", "legs_put"),
    ).drop("time_put", "legs", "legs_put", *[f"{name}_put" for name in shared])


def _with_every_column(wide: pl.DataFrame) -> pl.DataFrame:
    """Columns that the dialect has not are null; labels may be text only."""
    numeric = (pl.Float64, pl.Int64)
    absent = {
        name: pl.Float64 if dtype in numeric else dtype
        for name, dtype in canonical_schema().items()
        if name not in wide.columns and not name.endswith("_computed")
    }
    return wide.with_columns(pl.lit(None, dtype).alias(name) for name, dtype in absent.items())


def _null_impossible_iv(wide: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Implied volatility outside its declared range is missing, not bad (raw_schema column 22)."""
    raw = load_registry().raw_chain
    conditions = {
        name: bad
        for name in ("ce_iv", "pe_iv")
        if (bad := outside(name, raw.column(name))) is not None
    }
    count = wide.select(pl.sum_horizontal(bad.sum() for bad in conditions.values())).item() or 0
    if count:
        # Greeks that go with an impossible volatility are no better than it
        wide = wide.with_columns(
            pl.when(~bad.fill_null(value=False)).then(pl.col(column)).alias(column)
            for name, bad in conditions.items()
            for column in (name, *[f"{name[:3]}{greek}" for greek in pricing.GREEKS])
        )
    return wide, int(count)


def _with_spot(wide: pl.DataFrame, rate: float) -> pl.DataFrame:
    """Fill a missing spot from put-call parity of the nearest expiry, minute by minute."""
    wide = wide.with_columns(spot_computed=pl.col("spot").is_null())
    if not wide["spot_computed"].any():
        return wide
    implied = pricing.implied_spot(wide, rate).select("ts_minute", implied="implied_spot")
    return (
        wide.join(implied, on="ts_minute", how="left", maintain_order="left")
        .with_columns(pl.coalesce("spot", "implied").alias("spot"))
        .drop("implied")
    )


def _with_labels(wide: pl.DataFrame) -> pl.DataFrame:
    """Derive strike types and buckets of rows that carry none; the source's own ones stay."""
    given = ["call_strike_type", "put_strike_type", "expiry_bucket"]
    labels = wide.select(given)
    if wide["call_strike_type"].null_count() or wide["put_strike_type"].null_count():
        call, put = (labels[name] for name in given[:2])
        wide = strikes.add_strike_types(wide).with_columns(
            # where the source labels one leg, the other is its mirror image, not our rank
            call_strike_type=pl.coalesce(
                call, strikes.mirrored_label(pl.lit(put)), "call_strike_type"
            ),
            put_strike_type=pl.coalesce(
                put, strikes.mirrored_label(pl.lit(call)), "put_strike_type"
            ),
        )
    # null is a bucket of its own (other expiries): derived only where the source has none at all
    if labels["expiry_bucket"].null_count() == wide.height:
        wide = strikes.add_expiry_bucket(wide)
    return wide
