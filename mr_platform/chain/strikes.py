"""Where a strike stands: ATM, signed rank, ITM and OTM labels, expiry buckets, strike step.

Here: vectorised derivations over ``symbol``, ``date``, ``ts_minute``, ``expiry_date``,
``strike``, ``spot``, for rows that lack them and for cross-checks of rows that have them.
Not here: prices, implied volatility and Greeks (``chain/pricing.py``).

Ranks, labels and steps use only rows of their own minute: a strike that is first quoted at noon
must not change a label of the morning. Buckets look at the expiries of the whole day.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from mr_platform.trading_calendar import expiry_buckets

NEAR_RANKS = 10
"""The strike step is measured on adjacent strikes up to this rank on either side of ATM."""

# more than any day number of an expiry, so that minute and expiry share one integer
_DAY_NUMBERS = 100_000

_SLICE = ("symbol", "date", "ts_minute", "expiry_date")


def nearest_strike(spot: str | pl.Expr, step: str | float | pl.Expr) -> pl.Expr:
    """Spot rounded to the strike step; exactly between two strikes the upper one is taken.

    Args:
        spot: Index value.
        step: Strike step in index points, > 0.
    """
    size = pl.lit(step) if isinstance(step, int | float) else _expr(step)
    return ((_expr(spot) / size + 0.5).floor() * size).cast(pl.Float64)


def add_atm_strike(frame: pl.DataFrame, steps: Mapping[str, float]) -> pl.DataFrame:
    """Fill ``atm_strike`` where it is absent or null, and mark it.

    Args:
        frame: Rows with ``symbol``, ``spot`` and perhaps ``atm_strike``.
        steps: Strike step near the money by symbol, index points.

    Returns:
        The frame with ``atm_strike`` Float64 and ``atm_computed`` Boolean (True where filled;
        False where the source had a value or spot is null too).
    """
    if "atm_strike" not in frame.columns:
        frame = frame.with_columns(atm_strike=pl.lit(None, dtype=pl.Float64))
    step = pl.col("symbol").replace_strict(
        list(steps), [float(size) for size in steps.values()], default=None, return_dtype=pl.Float64
    )
    derived = nearest_strike("spot", step)
    return frame.with_columns(
        atm_strike=pl.coalesce(pl.col("atm_strike").cast(pl.Float64), derived),
        atm_computed=pl.col("atm_strike").is_null() & derived.is_not_null(),
    )


def add_strike_rank(frame: pl.DataFrame, *, name: str = "strike_rank") -> pl.DataFrame:
    """Add the signed rank k of each strike: 0 at the money, +1 the next strike above.

    k is the dense rank among the strikes that have a row in the minute and expiry, counted from
    the one nearest ``atm_strike`` (the upper of two equally near, as ATM itself rounds half up).
    Far expiries list wider steps, so k = 0 need not be ``atm_strike`` itself.

    Args:
        frame: Rows with ``symbol``, ``ts_minute``, ``expiry_date``, ``strike``, ``atm_strike``,
            in any order.
        name: Name of the new column.

    Returns:
        The frame in its order with one Int32 column more; null where ``atm_strike`` is null.
    """
    # one integer for minute and expiry: a window over it is ten times faster than over both
    minute = pl.col("ts_minute").dt.epoch("s") // 60
    expiry = pl.col("expiry_date").to_physical().cast(pl.Int64)
    slices = ("symbol", "_slice")
    ranked = (
        frame.lazy()
        .select("symbol", "strike", "atm_strike", _slice=minute * _DAY_NUMBERS + expiry)
        .with_columns(
            _rank=pl.col("strike").rank("dense").over(slices).cast(pl.Int32),
            _off=(pl.col("strike") - pl.col("atm_strike")).abs(),
        )
        .with_columns(_nearest=pl.col("_off") == pl.col("_off").min().over(slices))
        .with_columns(_atm_rank=pl.col("_rank").filter("_nearest").max().over(slices))
        .select((pl.col("_rank") - pl.col("_atm_rank")).alias(name))
        .collect()
    )
    return frame.with_columns(ranked[name])


def add_strike_types(frame: pl.DataFrame) -> pl.DataFrame:
    """Set ``call_strike_type`` and ``put_strike_type`` from the strike rank.

    Args:
        frame: As for ``add_strike_rank``.

    Returns:
        The frame with both label columns replaced or added, String; null where the rank is.
    """
    ranked = add_strike_rank(frame, name="_k")
    return ranked.with_columns(
        call_strike_type=call_label("_k"), put_strike_type=put_label("_k")
    ).drop("_k")


def call_label(rank: str | pl.Expr) -> pl.Expr:
    """Label of a call at rank k: OTMk above the money, ITMk below, ATM at 0."""
    return _label(_expr(rank), above="OTM", below="ITM")


def put_label(rank: str | pl.Expr) -> pl.Expr:
    """Label of a put at rank k: the mirror image of the call's."""
    return _label(_expr(rank), above="ITM", below="OTM")


def rank_from_call_label(label: str | pl.Expr) -> pl.Expr:
    """Signed rank k from a call's label, Int32; null for any other text."""
    column = _expr(label)
    distance = column.str.extract(r"^(?:ITM|OTM)(\d{1,6})$").cast(pl.Int32)
    return (
        pl.when(column == "ATM")
        .then(pl.lit(0, dtype=pl.Int32))
        .when(column.str.starts_with("OTM"))
        .then(distance)
        .when(column.str.starts_with("ITM"))
        .then(-distance)
    )


def mirrored_label(label: str | pl.Expr) -> pl.Expr:
    """Label of the other leg of a row: ATM for ATM, OTMn for ITMn; null for any other text."""
    # a call's ITM lies where a put's OTM does, so one leg's label is read as the other's rank
    return put_label(rank_from_call_label(label))


def labels_mirror(call: str | pl.Expr, put: str | pl.Expr) -> pl.Expr:
    """Whether a row's two labels fit: both ATM, or call ITMn with put OTMn, or the reverse."""
    return (_expr(put) == mirrored_label(call)).fill_null(value=False)


def modal_step(frame: pl.DataFrame, *, rank: str = "strike_rank") -> pl.DataFrame:
    """Strike step of each minute and expiry: most frequent gap of adjacent strikes near ATM.

    Args:
        frame: Rows with the slice keys, ``strike`` and a rank column.
        rank: Name of the rank column; only strikes up to ``NEAR_RANKS`` from ATM count.

    Returns:
        ``symbol``, ``date``, ``ts_minute``, ``expiry_date``, ``step`` Float64 (the smaller gap on
        a tie), one row per minute and expiry with at least two such strikes, sorted.
    """
    return (
        frame.lazy()
        .filter(pl.col(rank).abs() <= NEAR_RANKS)
        .select(*_SLICE, "strike")
        .unique()
        .sort(*_SLICE, "strike")
        .with_columns(step=pl.col("strike").diff().over(_SLICE))
        .drop_nulls("step")
        .group_by(*_SLICE, "step")
        .len()
        .sort(*_SLICE, pl.col("len"), pl.col("step"), descending=[*[False] * 4, True, False])
        .group_by(_SLICE, maintain_order=True)
        .agg(pl.col("step").first())
        .collect()
    )


def dte(date: str | pl.Expr = "date", expiry_date: str | pl.Expr = "expiry_date") -> pl.Expr:
    """Calendar days from the date to the expiry, Int64."""
    return (_expr(expiry_date).cast(pl.Date) - _expr(date).cast(pl.Date)).dt.total_days()


def add_expiry_bucket(frame: pl.DataFrame, *, name: str = "expiry_bucket") -> pl.DataFrame:
    """Set the bucket (CW, NW, CM, NM or null) of each row from the expiries present that day.

    Args:
        frame: Rows with ``symbol``, ``date``, ``expiry_date``; whole days, because CW and NW are
            the first and second expiry present.
        name: Name of the new column.

    Raises:
        CalendarError: A symbol or date the trading calendar does not know.
    """
    present = frame.select("symbol", "date", "expiry_date").unique().drop_nulls()
    days = present.group_by("symbol", "date", maintain_order=False).agg("expiry_date")
    # a loop over partitions, of which a batch holds some dozens
    named = [
        (symbol, date, expiry, bucket)
        for symbol, date, listed in days.rows()
        for expiry, bucket in expiry_buckets(symbol, date, listed).items()
    ]
    schema = {"symbol": pl.String, "date": pl.Date, "expiry_date": pl.Date, "_bucket": pl.String}
    buckets = pl.DataFrame(named, schema=schema, orient="row")
    return (
        frame.join(buckets, on=["symbol", "date", "expiry_date"], how="left", maintain_order="left")
        .with_columns(pl.col("_bucket").alias(name))
        .drop("_bucket")
    )


def _label(rank: pl.Expr, *, above: str, below: str) -> pl.Expr:
    side = pl.when(rank > 0).then(pl.lit(above)).otherwise(pl.lit(below))
    numbered = pl.concat_str(side, rank.abs().cast(pl.String))
    return pl.when(rank == 0).then(pl.lit("ATM")).when(rank.is_not_null()).then(numbered)


def _expr(column: str | pl.Expr) -> pl.Expr:
    return pl.col(column) if isinstance(column, str) else column
