"""Series that run along the stream D-2, D-1, D: ranges, moving averages, MACD, ADX.

Here: every series that C5, C6 and C7 read from more than one session, once for each asset.
Not here: how a stream is put together (``history.py``), the means themselves
(``kernels/moving_averages.py``), features made of the series (component modules).

``und`` series are worked out once for each (symbol, date) and then repeated for its expiries;
``strd`` series keep one expiry_date. What is asked for by name is computed, nothing else:

======================================  ===========================================================
name                                    series
======================================  ===========================================================
``tr_{asset}``                          true range, in price units
``atrp_{14,21,50}_{asset}``             Wilder ATR in percent of fut (und), strd (strd)
``a14_{asset}``                         ATR 14 in units of spot (und), strd (strd)
``ema_{20,50,100,200}_{asset}``         moving average of spot, strd
``ema_cross_age_{asset}``               minutes since the order of EMA 20 and 50 changed
``macd_{3,5,10,15}_{part}_{asset}``     part = line, signal, hist
``adx_14_und``                          trend strength of the future, 0 .. 100
======================================  ===========================================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial

import polars as pl

from mr_platform.features.chain_grid import DAY
from mr_platform.features.column_plan import GROUP, INDEX, ColumnPlan
from mr_platform.features.history import STREAM_INDEX, stream
from mr_platform.features.inputs import FeatureInputs, spread
from mr_platform.features.kernels.durations import minutes_unchanged
from mr_platform.features.kernels.moving_averages import ema_span, macd, wilder_mean
from mr_platform.features.kernels.windows import lag, ratio, sign
from mr_platform.gateways.frame_engine import FrameEngine
from mr_platform.trading_calendar import SESSION_MINUTES

STRADDLE = "strd"
UNDERLYING = "und"
ASSETS: tuple[str, ...] = (STRADDLE, UNDERLYING)

STREAM_DAYS = 2
"""Previous trading days in a stream."""

STREAM_MINUTES = (STREAM_DAYS + 1) * SESSION_MINUTES

ATR_SPANS: tuple[int, ...] = (14, 21, 50)
EMA_SPANS: tuple[int, ...] = (20, 50, 100, 200)
MACD_SCALES: tuple[int, ...] = (3, 5, 10, 15)
"""Minutes k of MACD_k, whose spans are 12 k, 26 k and 9 k."""

MACD_PARTS: tuple[str, ...] = ("line", "signal", "hist")

ADX_SPAN = 14
ADX_BARS_NEEDED = 28
"""True ranges before the first ADX: 14 for the directional indices and as many again."""

CROSS_AGE_LIMIT = 750
"""Greatest age of a crossover, in minutes: two sessions."""

_PRICE: Mapping[str, str] = {STRADDLE: "strd", UNDERLYING: "spot"}
_RANGE_PRICE: Mapping[str, str] = {STRADDLE: "strd", UNDERLYING: "fut"}
_GROUP: Mapping[str, str] = {STRADDLE: GROUP, UNDERLYING: DAY}
_INPUTS: Mapping[str, tuple[str, ...]] = {
    STRADDLE: ("strd", "strd_open", "strd_lag"),
    UNDERLYING: ("spot", "fut", "fut_high", "fut_low"),
}


def streams(inputs: FeatureInputs, names: Sequence[str]) -> pl.DataFrame:
    """Stream series of the target days on the panel's rows.

    Args:
        inputs: Panel, ``hist_minute`` and calendar.
        names: Series wanted, as the module lists them.

    Returns:
        The columns ``names``, one row for each panel row, in the panel's order.
    """
    history = inputs.past_table("hist_minute")
    columns: dict[str, pl.Series] = {}
    for asset in ASSETS:
        wanted = tuple(name for name in names if name.endswith(f"_{asset}"))
        if wanted:
            found = asset_streams(inputs.panel, history, inputs.days, asset, wanted, inputs.engine)
            if asset == UNDERLYING:
                found = inputs.engine.collect(spread(found.lazy(), inputs.panel))
            columns.update((name, found[name]) for name in wanted)
    return pl.DataFrame([columns[name] for name in names])


def asset_streams(
    panel: pl.DataFrame,
    hist_minute: pl.LazyFrame,
    days: pl.LazyFrame,
    asset: str,
    names: Sequence[str],
    engine: FrameEngine,
) -> pl.DataFrame:
    """Stream series of one asset on the rows of its own grid.

    Args:
        panel: The panel of the target dates.
        hist_minute: Minutes of earlier trading days.
        days: date, back, hist_date.
        asset: ``strd`` or ``und``.
        names: Series wanted; all of this asset.
        engine: Where to work it out.

    Returns:
        ``strd``: g, j and the columns, rows as the panel's. ``und``: u, j and the columns, rows
        as those of ``inputs.underlying``.
    """
    group = _GROUP[asset]
    plan, outputs, columns = _plan(asset, tuple(names))
    rows = engine.collect(
        stream(panel, hist_minute, days, STREAM_DAYS, columns, by_expiry=asset == STRADDLE)
    )
    found = plan.compute(rows, outputs, engine, keep=[group, STREAM_INDEX, INDEX]).lazy()
    today = found.filter(pl.col(STREAM_INDEX) >= STREAM_DAYS * SESSION_MINUTES)
    return engine.collect(today.select(group, INDEX, *names))


# -- the series -----------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def _plan(
    asset: str, names: tuple[str, ...]
) -> tuple[ColumnPlan, dict[str, pl.Expr], tuple[str, ...]]:
    """Plan and outputs for some series of an asset, and the columns of the panel that they read."""
    p = ColumnPlan(group=_GROUP[asset], index=STREAM_INDEX, length=STREAM_MINUTES)
    known = _series(p, asset)
    outputs = {name: known[name]() for name in names}
    made = [*outputs.values(), *[expression for _, expression in p.expressions()]]
    read = {root for expression in made for root in expression.meta.root_names()}
    return p, outputs, tuple(name for name in _INPUTS[asset] if name in read)


def _series(p: ColumnPlan, asset: str) -> dict[str, Callable[[], pl.Expr]]:
    """How each series is made, by name."""
    known: dict[str, Callable[[], pl.Expr]] = {
        f"tr_{asset}": partial(_true_range, p, asset),
        f"a14_{asset}": lambda: _atr_percent(p, asset, 14) / 100.0 * pl.col(_PRICE[asset]),
        f"ema_cross_age_{asset}": partial(_cross_age, p, asset),
    }
    for span in ATR_SPANS:
        known[f"atrp_{span}_{asset}"] = partial(_atr_percent, p, asset, span)
    for span in EMA_SPANS:
        known[f"ema_{span}_{asset}"] = partial(_ema, p, asset, span)
    for scale in MACD_SCALES:
        for part in MACD_PARTS:
            known[f"macd_{scale}_{part}_{asset}"] = partial(_macd_part, p, asset, scale, part)
    if asset == UNDERLYING:
        known["adx_14_und"] = partial(_adx, p)
    return known


def _session_lag(p: ColumnPlan, column: str | pl.Expr) -> pl.Expr:
    """Value one minute before in the same session; a column."""
    return p.let(pl.when(pl.col(INDEX) >= 1).then(lag(p, column, 1)))


def _true_range(p: ColumnPlan, asset: str) -> pl.Expr:
    """Reach of the bar and of the close before it; the bar's own range at a session's first."""
    if asset == STRADDLE:
        # summed opens and closes: highs and lows of two legs are not simultaneous
        close, start = pl.col("strd"), pl.col("strd_open")
        known = close.is_not_null()
        high = p.let(pl.when(known).then(pl.max_horizontal(close, start)))
        low = p.let(pl.when(known).then(pl.min_horizontal(close, start)))
        before = p.let(pl.when(pl.col(INDEX) >= 1).then(pl.col("strd_lag")))
    else:
        high, low = pl.col("fut_high"), pl.col("fut_low")
        before = _session_lag(p, "fut")
    reach = pl.max_horizontal(high, before) - pl.min_horizontal(low, before)
    known = high.is_not_null() & low.is_not_null() & before.is_not_null()
    return p.let(pl.when(pl.col(INDEX) == 0).then(high - low).otherwise(pl.when(known).then(reach)))


def _atr_percent(p: ColumnPlan, asset: str, span: int) -> pl.Expr:
    mean = wilder_mean(p, _true_range(p, asset), span, min_periods=span)
    return p.let(100.0 * ratio(mean, pl.col(_RANGE_PRICE[asset])))


def _ema(p: ColumnPlan, asset: str, span: int) -> pl.Expr:
    return ema_span(p, _PRICE[asset], span, min_periods=span)


def _macd_part(p: ColumnPlan, asset: str, scale: int, part: str) -> pl.Expr:
    parts = macd(p, _PRICE[asset], fast=12 * scale, slow=26 * scale, smooth=9 * scale)
    return {"line": parts.line, "signal": parts.signal, "hist": parts.histogram}[part]


def _cross_age(p: ColumnPlan, asset: str) -> pl.Expr:
    """Minutes since the sign of EMA 20 - EMA 50 last changed, along the stream."""
    slow = _ema(p, asset, 50)
    side = p.let(sign(_ema(p, asset, 20) - slow, slow))
    return minutes_unchanged(p, side).clip(0, CROSS_AGE_LIMIT)


def _adx(p: ColumnPlan) -> pl.Expr:
    """Wilder 1978 on one-minute bars of the future; no directional movement at a first bar."""
    first = pl.col(INDEX) == 0
    up = p.let(pl.col("fut_high") - _session_lag(p, "fut_high"))
    down = p.let(_session_lag(p, "fut_low") - pl.col("fut_low"))
    known = up.is_not_null() & down.is_not_null()
    quoted = pl.col("fut_high").is_not_null() & pl.col("fut_low").is_not_null()

    def movement(one: pl.Expr, other: pl.Expr) -> pl.Expr:
        inside = pl.when(known).then(pl.when((one > other) & (one > 0)).then(one).otherwise(0.0))
        return p.let(pl.when(first & quoted).then(0.0).otherwise(inside))

    reach = _true_range(p, UNDERLYING)
    mean_reach = wilder_mean(p, reach, ADX_SPAN, min_periods=ADX_SPAN)
    plus, minus = (
        p.let(100.0 * ratio(wilder_mean(p, x, ADX_SPAN, min_periods=ADX_SPAN), mean_reach))
        for x in (movement(up, down), movement(down, up))
    )
    # rounding must not lift an index above 100
    index = p.let((100.0 * ratio((plus - minus).abs(), plus + minus)).clip(0.0, 100.0))
    bars = p.over(p.let(reach.is_not_null().cast(pl.Int32)).cum_sum())
    mean = wilder_mean(p, index, ADX_SPAN, min_periods=ADX_SPAN)
    return pl.when(bars >= ADX_BARS_NEEDED).then(mean.clip(0.0, 100.0))
