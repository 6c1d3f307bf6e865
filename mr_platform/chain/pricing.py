"""Black-76 on the parity forward: implied volatility, Greeks, implied spot, parity gap.

Here: what prices of one minute and expiry imply about each other, per row, vectorised.
Not here: strike ranks (``chain/strikes.py``), which rows are good (``chain/quality.py``), the
dated interest rate (``config/``).

Conventions (those of the real test data): volatility is an annual decimal; delta is spot delta;
gamma per index point; theta in points per calendar day; vega per volatility point; rho per 1 %
of rate; T is ACT/365 from the end of the bar to 15:30 IST on expiry, at least 5 minutes.
Black-76 on F is Black-Scholes-Merton without dividend on S = F·exp(−rT), which is what the
Greeks differentiate by. Solver: pyvolr, a vectorised port of P. Jäckel, "Let's Be Rational".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pyvolr import black76, bs

from mr_platform.chain.sessions import years_to_expiry
from mr_platform.chain.strikes import rank_from_call_label

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

SLICE = ("symbol", "ts_minute", "expiry_date")
GREEKS = ("delta", "gamma", "theta", "vega", "rho")
LEGS = ("ce", "pe")

FORWARD_STRIKES = 6
"""Strikes with the smallest |C − P| whose median is the forward."""

MINIMUM_FORWARD_STRIKES = 3
"""Fewer two-sided strikes give no parity forward."""

MINIMUM_PRICE = 0.05
"""One tick. A lower price is no price."""

MINIMUM_TIME_VALUE = 0.02
"""A price at or under intrinsic + this says nothing about volatility."""

IV_LOW, IV_HIGH = 0.01, 5.0
"""Valid implied volatility, both ends included."""

WIDEST_QUOTE = 0.25
"""A bid-ask spread above this share of its mid is no quote."""

PARITY_RANKS = 10
"""The parity gap is judged up to this strike rank."""

_DAYS_PER_YEAR = 365.0
_PERCENT = 100.0


def option_price(
    forward: Floats, strike: Floats, years: Floats, rate: float, iv: Floats, *, is_call: Bools
) -> Floats:
    """Black-76 premium in index points; arrays of one shape.

    Args:
        forward: Forward, > 0.
        strike: Strike, > 0.
        years: Time to expiry in years, > 0.
        rate: Continuous yearly rate, decimal.
        iv: Annual volatility, decimal, > 0.
        is_call: True for calls.

    Returns:
        exp(−rT)·(F·N(d1) − K·N(d2)) for calls, the mirror for puts; NaN for invalid inputs.
    """
    return np.asarray(
        black76.price(_flags(is_call), forward, strike, years, rate, iv), dtype=np.float64
    )


def implied_vol(
    price: Floats, forward: Floats, strike: Floats, years: Floats, rate: float, *, is_call: Bools
) -> Floats:
    """Implied volatility as an annual decimal; arrays of one shape.

    Args:
        price: Premium in index points.
        forward: Forward of the expiry.
        strike: Strike.
        years: Time to expiry in years.
        rate: Continuous yearly rate, decimal.
        is_call: True for calls.

    Returns:
        Volatility in [0.01, 5]. NaN, the array's word for null, where an input is missing, the
        price is below 0.05 or at or under discounted intrinsic + 0.02, or no volatility in the
        range fits.
    """
    sign = np.where(is_call, 1.0, -1.0)
    intrinsic = np.exp(-rate * years) * np.maximum(sign * (forward - strike), 0.0)
    # comparisons with NaN are False, so missing inputs drop out here
    solvable = (price >= MINIMUM_PRICE) & (price > intrinsic + MINIMUM_TIME_VALUE)
    found = np.full(price.shape, np.nan)
    if solvable.any():
        found[solvable] = black76.implied_vol(
            price[solvable],
            _flags(is_call[solvable]),
            forward[solvable],
            strike[solvable],
            years[solvable],
            rate,
            on_error="ignore",
        )
    found[~((found >= IV_LOW) & (found <= IV_HIGH))] = np.nan
    return found


def greeks(
    forward: Floats, strike: Floats, years: Floats, rate: float, iv: Floats, *, is_call: Bools
) -> dict[str, Floats]:
    """The five Greeks in the units of the module docstring; arrays of one shape.

    Args:
        forward: Forward of the expiry.
        strike: Strike.
        years: Time to expiry in years.
        rate: Continuous yearly rate, decimal.
        iv: Annual volatility, decimal.
        is_call: True for calls.

    Returns:
        ``delta``, ``gamma``, ``theta``, ``vega``, ``rho``; NaN where an input is missing.
    """
    found = bs.greeks(
        _flags(is_call), forward * np.exp(-rate * years), strike, years, rate, iv, q=0.0
    )
    return {
        "delta": np.asarray(found["delta"], dtype=np.float64),
        "gamma": np.asarray(found["gamma"], dtype=np.float64),
        "theta": np.asarray(found["theta"], dtype=np.float64) / _DAYS_PER_YEAR,
        "vega": np.asarray(found["vega"], dtype=np.float64) / _PERCENT,
        "rho": np.asarray(found["rho"], dtype=np.float64) / _PERCENT,
    }


def forward_by_parity(frame: pl.DataFrame, rate: float) -> pl.DataFrame:
    """Forward of every minute and expiry by put-call parity.

    F = median of (C − P)·exp(rT) + K over the 6 strikes with the smallest |C − P| (lower strikes
    first on a tie), C and P from ``leg_price``. With fewer than 3 two-sided strikes the forward
    is spot·exp(rT), or null without spot.

    Args:
        frame: Rows with ``symbol``, ``ts_minute``, ``expiry_date``, ``strike``, ``ce_close``,
            ``pe_close``; optional ``spot`` and bid and ask columns.
        rate: Continuous yearly rate, decimal.

    Returns:
        One row per minute and expiry: the three keys, ``years``, ``forward``, ``by_parity``
        (False where spot stood in), sorted.
    """
    columns = frame.columns
    two_sided = (
        frame.lazy()
        .select(
            *SLICE,
            "strike",
            _years=years_to_expiry(),
            _gap=leg_price("ce", columns) - leg_price("pe", columns),
        )
        .filter(pl.col("_gap").is_not_null())
        .with_columns(_forward=pl.col("_gap") * (pl.col("_years") * rate).exp() + pl.col("strike"))
    )
    medians = (
        two_sided.sort(pl.col("_gap").abs(), pl.col("strike"))
        .group_by(SLICE)
        .agg(
            _median=pl.col("_forward").head(FORWARD_STRIKES).median(),
            _count=pl.len(),
        )
        .filter(pl.col("_count") >= MINIMUM_FORWARD_STRIKES)
    )
    spot = _finite_or_null("spot").max() if "spot" in columns else pl.lit(None, dtype=pl.Float64)
    slices = (
        frame.lazy()
        .group_by(SLICE)
        .agg(_spot=spot)
        .with_columns(years=years_to_expiry())
        .join(medians, on=list(SLICE), how="left")
    )
    carried = pl.col("_spot") * (pl.col("years") * rate).exp()
    return (
        slices.select(
            *SLICE,
            "years",
            forward=pl.coalesce("_median", carried),
            by_parity=pl.col("_median").is_not_null(),
        )
        .sort(SLICE)
        .collect()
    )


def leg_price(leg: str, columns: list[str]) -> pl.Expr:
    """The price that stands for a leg: its close, or the mid where the close is stale.

    Where the frame has bid and ask and the close lies outside them, the close is older than the
    quote: the mid is used, or nothing if the quote is wider than 25 % of its mid. So too where
    there is no close. Quotes with one side missing, or crossed, are not used.

    Args:
        leg: ``ce`` or ``pe``.
        columns: Column names of the frame.

    Returns:
        Float64 in index points; null below 0.05.
    """
    close = _finite_or_null(f"{leg}_close")
    price = close
    if f"{leg}_bid" in columns and f"{leg}_ask" in columns:
        bid, ask = _finite_or_null(f"{leg}_bid"), _finite_or_null(f"{leg}_ask")
        quoted = (bid > 0) & (ask >= bid)
        mid = (bid + ask) / 2
        narrow = ask - bid <= WIDEST_QUOTE * mid
        unusable = close.is_null() | (close < bid) | (close > ask)
        price = (
            pl.when(quoted & unusable & narrow)
            .then(mid)
            .when(quoted & unusable)
            .then(None)
            .otherwise(close)
        )
    return pl.when(price >= MINIMUM_PRICE).then(price)


def fill_missing_iv_and_greeks(frame: pl.DataFrame, rate: float) -> pl.DataFrame:
    """Compute implied volatility and Greeks where the source has none, and mark them.

    A source volatility in [0.01, 5] is kept; any other (zero, NaN, absurd) counts as missing.
    A source Greek is kept; a missing one is computed from the leg's volatility, source's or
    computed. Only legs that lack something are computed.

    Args:
        frame: Rows with ``symbol``, ``ts_minute``, ``expiry_date``, ``strike``, ``spot``,
            ``ce_close``, ``pe_close``; optional ``{ce,pe}_{iv,delta,gamma,theta,vega,rho}``
            (volatility as decimal) and ``{ce,pe}_{bid,ask}``. Volatility and Greeks may be
            absent as columns.
        rate: Continuous yearly rate, decimal.

    Returns:
        The frame in its order with the twelve columns Float64 and complete as far as the prices
        allow, plus Boolean ``{ce,pe}_iv_computed`` and ``{ce,pe}_greeks_computed`` (True where at
        least one Greek was filled). Never NaN or infinite.
    """
    columns = frame.columns
    cleaned = frame.with_columns(
        *(_valid_iv(f"{leg}_iv", columns) for leg in LEGS),
        *(_finite(f"{leg}_{greek}", columns) for leg in LEGS for greek in GREEKS),
    )
    if not _needs_work(cleaned):
        return cleaned.with_columns(
            pl.lit(value=False).alias(f"{leg}_{what}_computed")
            for leg in LEGS
            for what in ("iv", "greeks")
        )
    forwards = forward_by_parity(frame, rate)
    priced = (
        cleaned.lazy()
        .select(*SLICE, "strike", *(leg_price(leg, columns).alias(f"{leg}_price") for leg in LEGS))
        .join(forwards.lazy(), on=list(SLICE), how="left", maintain_order="left")
        .collect()
    )
    market = _Market(
        forward=_array(priced["forward"]),
        strike=_array(priced["strike"]),
        years=_array(priced["years"]),
        rate=rate,
    )
    filled = [
        column
        for leg in LEGS
        for column in _fill_leg(cleaned, leg, _array(priced[f"{leg}_price"]), market)
    ]
    return cleaned.with_columns(filled)


def implied_spot(frame: pl.DataFrame, rate: float) -> pl.DataFrame:
    """Spot of each minute from parity of the nearest expiry: F·exp(−rT).

    For sources without spot. Nearest synthetic forwards trade above spot (0.03 to 0.12 % on
    days where both are known), hence mark the result as computed.

    Args:
        frame: As for ``forward_by_parity``.
        rate: Continuous yearly rate, decimal.

    Returns:
        ``symbol``, ``ts_minute``, ``implied_spot``: one row per minute that has an expiry with
        at least 3 two-sided strikes, sorted.
    """
    return (
        forward_by_parity(frame.drop("spot", strict=False), rate)
        .lazy()
        .filter(pl.col("by_parity"))
        .sort(SLICE)
        .group_by("symbol", "ts_minute", maintain_order=True)
        .first()
        .select(
            "symbol",
            "ts_minute",
            implied_spot=pl.col("forward") * (-rate * pl.col("years")).exp(),
        )
        .collect()
    )


def parity_gap(frame: pl.DataFrame, rate: float) -> pl.DataFrame:
    """Add how far each near-the-money row misses put-call parity, as a share of spot.

    |C − P − (F − K)·exp(−rT)| / spot with F from ``forward_by_parity``. Closes may be stale, so
    a gap is a hint, not a fault.

    Args:
        frame: As for ``forward_by_parity``, with ``spot`` and ``call_strike_type``.
        rate: Continuous yearly rate, decimal.

    Returns:
        The frame in its order with ``parity_gap`` Float64; null beyond rank 10, where a leg has
        no price, and where the forward is not from parity.
    """
    columns = frame.columns
    forwards = forward_by_parity(frame, rate).filter(pl.col("by_parity"))
    discounted = (pl.col("forward") - pl.col("strike")) * (-rate * pl.col("years")).exp()
    missed = (leg_price("ce", columns) - leg_price("pe", columns) - discounted).abs()
    near = rank_from_call_label("call_strike_type").abs() <= PARITY_RANKS
    return (
        frame.lazy()
        .join(
            forwards.lazy().select(*SLICE, "years", "forward"),
            on=list(SLICE),
            how="left",
            maintain_order="left",
        )
        .with_columns(parity_gap=pl.when(near & (pl.col("spot") > 0)).then(missed / pl.col("spot")))
        .drop("years", "forward")
        .collect()
    )


@dataclass(frozen=True)
class _Market:
    """Per-row inputs both legs share."""

    forward: Floats
    strike: Floats
    years: Floats
    rate: float


def _fill_leg(frame: pl.DataFrame, leg: str, price: Floats, market: _Market) -> list[pl.Series]:
    """The eight columns of a leg: volatility, Greeks and the two marks."""
    source_iv = frame[f"{leg}_iv"]
    iv = _array(source_iv)
    lacking = np.isnan(iv) & ~np.isnan(price)
    if lacking.any():
        iv[lacking] = implied_vol(
            price[lacking],
            market.forward[lacking],
            market.strike[lacking],
            market.years[lacking],
            market.rate,
            is_call=np.full(int(lacking.sum()), leg == "ce"),
        )
    filled_iv = _series(f"{leg}_iv", iv)
    sources = [frame[f"{leg}_{greek}"] for greek in GREEKS]
    incomplete = np.zeros(frame.height, dtype=np.bool_)
    for source in sources:
        incomplete |= source.is_null().to_numpy()
    incomplete &= ~np.isnan(iv) & ~np.isnan(market.forward)
    completed = _fill_greeks(sources, leg, iv, market, incomplete)
    return [
        filled_iv,
        *completed,
        (filled_iv.is_not_null() & source_iv.is_null()).alias(f"{leg}_iv_computed"),
        pl.Series(f"{leg}_greeks_computed", _any_filled(sources, completed), dtype=pl.Boolean),
    ]


def _fill_greeks(
    sources: list[pl.Series], leg: str, iv: Floats, market: _Market, rows: Bools
) -> list[pl.Series]:
    if not rows.any():
        return sources
    found = greeks(
        market.forward[rows],
        market.strike[rows],
        market.years[rows],
        market.rate,
        iv[rows],
        is_call=np.full(int(rows.sum()), leg == "ce"),
    )
    completed = []
    for source, greek in zip(sources, GREEKS, strict=True):
        values = np.full(rows.size, np.nan)
        values[rows] = found[greek]
        completed.append(source.fill_null(_series(source.name, values)))
    return completed


def _any_filled(sources: list[pl.Series], completed: list[pl.Series]) -> Bools:
    filled = np.zeros(len(sources[0]), dtype=np.bool_)
    for source, now in zip(sources, completed, strict=True):
        filled |= (source.is_null() & now.is_not_null()).to_numpy()
    return filled


def _needs_work(frame: pl.DataFrame) -> bool:
    """Whether some leg has a price but lacks volatility or a Greek."""
    lacking = [
        leg_price(leg, frame.columns).is_not_null()
        & pl.any_horizontal(pl.col(f"{leg}_{name}").is_null() for name in ("iv", *GREEKS))
        for leg in LEGS
    ]
    # a leg without a price may still have a volatility that lacks its Greeks
    lacking += [
        pl.col(f"{leg}_iv").is_not_null()
        & pl.any_horizontal(pl.col(f"{leg}_{greek}").is_null() for greek in GREEKS)
        for leg in LEGS
    ]
    return bool(frame.select(pl.any_horizontal(lacking).any()).item())


def _finite_or_null(name: str) -> pl.Expr:
    value = pl.col(name).cast(pl.Float64)
    return pl.when(value.is_finite()).then(value)


def _valid_iv(name: str, columns: list[str]) -> pl.Expr:
    if name not in columns:
        return pl.lit(None, dtype=pl.Float64).alias(name)
    value = pl.col(name).cast(pl.Float64)
    return pl.when(value.is_between(IV_LOW, IV_HIGH)).then(value).alias(name)


def _finite(name: str, columns: list[str]) -> pl.Expr:
    if name not in columns:
        return pl.lit(None, dtype=pl.Float64).alias(name)
    return _finite_or_null(name).alias(name)


def _array(series: pl.Series) -> Floats:
    """A writable copy with NaN for null."""
    return series.cast(pl.Float64).fill_null(float("nan")).to_numpy(writable=True)


def _series(name: str, values: Floats) -> pl.Series:
    """A column with null for NaN and infinity."""
    return pl.Series(name, np.where(np.isfinite(values), values, np.nan)).fill_nan(None)


def _flags(is_call: Bools) -> NDArray[np.int8]:
    return np.where(is_call, np.int8(1), np.int8(-1)).astype(np.int8)
