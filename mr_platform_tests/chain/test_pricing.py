"""Implied volatility, Greeks, forward and parity: identities, null rules, the real files."""

from __future__ import annotations

import datetime as dt
import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from mr_platform.chain import pricing, sessions, strikes
from mr_platform.chain.pricing import GREEKS, LEGS, Floats

DAY = dt.date(2025, 8, 29)
RATE = 0.065
COMPUTED = [f"{leg}_{name}" for leg in LEGS for name in ("iv", *GREEKS)]


def array(*values: float) -> Floats:
    return np.array(values, dtype=np.float64)


def quantile(series: pl.Series, share: float) -> float:
    return float(np.quantile(series.to_numpy(), share))


def calls(count: int = 1) -> pricing.Bools:
    return np.ones(count, dtype=np.bool_)


def black76_by_hand(
    forward: float, strike: float, years: float, rate: float, iv: float, *, is_call: bool
) -> float:
    """The textbook formula with math.erfc, apart from the code under test."""
    total = iv * math.sqrt(years)
    d1 = math.log(forward / strike) / total + total / 2
    sign = 1 if is_call else -1

    def normal(x: float) -> float:
        return math.erfc(-x / math.sqrt(2)) / 2

    undiscounted = forward * normal(sign * d1) - strike * normal(sign * (d1 - total))
    return math.exp(-rate * years) * sign * undiscounted


def slice_frame(
    forward: float = 24_600.0,
    iv: float = 0.12,
    *,
    time: dt.time = dt.time(10),
    expiry: dt.date = dt.date(2025, 9, 9),
    listed: range = range(24_000, 25_250, 50),
) -> pl.DataFrame:
    """One minute and expiry, priced at one volatility; closes unrounded."""
    frame = pl.DataFrame(
        {
            "symbol": "NIFTY",
            "date": DAY,
            "ts_minute": sessions.utc_minute(DAY, time),
            "expiry_date": expiry,
            "strike": [float(strike) for strike in listed],
        },
        schema_overrides={"ts_minute": sessions.UTC_MINUTE},
    )
    years = float(frame.select(sessions.years_to_expiry()).row(0)[0])
    price = [
        [
            black76_by_hand(forward, strike, years, RATE, iv, is_call=is_call)
            for strike in frame["strike"]
        ]
        for is_call in (True, False)
    ]
    spot = forward * math.exp(-RATE * years)
    return frame.with_columns(
        pl.Series("ce_close", price[0]), pl.Series("pe_close", price[1]), spot=pl.lit(spot)
    )


def real_chain(real_data: Path, symbol: str, day: str) -> pl.DataFrame:
    file = real_data / "options" / "chain" / f"symbol={symbol}" / f"{symbol}_{day}.parquet"
    return (
        pl.read_parquet(file)
        .rename({"index_name": "symbol", "trade_date": "date"})
        .with_columns(
            pl.col("ce_iv") / 100,
            pl.col("pe_iv") / 100,
            ts_minute=sessions.ts_minute("date", "trade_time"),
        )
    )


# --- price and volatility -------------------------------------------------------------------


@pytest.mark.parametrize("is_call", [True, False])
@pytest.mark.parametrize("strike", [20_000.0, 24_600.0, 30_000.0])
def test_prices_equal_the_textbook_formula(strike: float, is_call: bool) -> None:
    for years, iv in ((5 / 525_600, 0.5), (0.1, 0.12), (4.3, 0.18)):
        price = pricing.option_price(
            array(24_600), array(strike), array(years), RATE, array(iv), is_call=np.array([is_call])
        )
        expected = black76_by_hand(24_600, strike, years, RATE, iv, is_call=is_call)
        assert price[0] == pytest.approx(expected, abs=1e-8)


@settings(max_examples=300, deadline=None)
@given(
    moneyness=st.floats(-0.6, 0.6),
    years=st.sampled_from([5 / 525_600, 1 / 365, 4 / 365, 32 / 365, 1.0, 4.4]),
    iv=st.floats(0.0101, 4.99),
    is_call=st.booleans(),
    rate=st.sampled_from([0.0, 0.04, 0.065]),
)
def test_volatility_comes_back_from_any_price_that_tells_it(
    moneyness: float, years: float, iv: float, is_call: bool, rate: float
) -> None:
    forward = 24_600.0
    strike = round(forward * math.exp(moneyness) / 50) * 50.0
    price = black76_by_hand(forward, strike, years, rate, iv, is_call=is_call)
    found = pricing.implied_vol(
        array(price),
        array(forward),
        array(strike),
        array(years),
        rate,
        is_call=np.array([is_call]),
    )[0]
    sign = 1 if is_call else -1
    intrinsic = math.exp(-rate * years) * max(sign * (forward - strike), 0.0)
    if price < 0.05 or price <= intrinsic + 0.02:
        assert math.isnan(found)
    else:
        # a time value of 0.02 on a price of 10,000 leaves some 6 digits of volatility
        assert found == pytest.approx(iv, rel=1e-6)


@pytest.mark.parametrize(
    ("price", "why"),
    [
        (math.nan, "no price"),
        (0.0, "no price"),
        (-3.0, "negative"),
        (0.049, "below a tick"),
        (600.0, "at intrinsic"),
        (600.019, "within 0.02 of intrinsic"),
        (24_700.0, "above the forward"),
        (math.inf, "infinite"),
    ],
)
def test_a_price_without_volatility_gives_none(price: float, why: str) -> None:
    found = pricing.implied_vol(
        array(price), array(24_600), array(24_000), array(0.1), 0.0, is_call=calls()
    )
    assert math.isnan(found[0]), why


def test_a_missing_forward_gives_no_volatility() -> None:
    for forward, strike, years in ((math.nan, 1.0, 1.0), (-5.0, 1.0, 1.0), (1.0, 0.0, 1.0)):
        found = pricing.implied_vol(
            array(9.0), array(forward), array(strike), array(years), 0.0, is_call=calls()
        )
        assert math.isnan(found[0])


def test_volatility_outside_its_range_is_none() -> None:
    for iv, valid in ((0.009, False), (0.011, True), (4.9, True), (5.1, False)):
        price = black76_by_hand(24_600, 24_600, 1.0, 0.0, iv, is_call=True)
        found = pricing.implied_vol(
            array(price), array(24_600), array(24_600), array(1.0), 0.0, is_call=calls()
        )
        assert math.isnan(found[0]) is not valid


# --- Greeks ---------------------------------------------------------------------------------

CASES = [
    (24_600.0, 24_600.0, 11 / 365, 0.12),
    (24_600.0, 24_000.0, 11 / 365, 0.15),
    (24_600.0, 26_000.0, 88 / 365, 0.11),
    (24_600.0, 20_000.0, 1.5, 0.25),
    (24_600.0, 24_650.0, 300 / 525_600, 0.3),
]


def all_greeks(case: tuple[float, float, float, float], *, is_call: bool) -> dict[str, float]:
    forward, strike, years, iv = case
    found = pricing.greeks(
        array(forward), array(strike), array(years), RATE, array(iv), is_call=np.array([is_call])
    )
    return {name: float(values[0]) for name, values in found.items()}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("is_call", [True, False])
def test_greeks_equal_finite_differences_of_the_price(
    case: tuple[float, float, float, float], is_call: bool
) -> None:
    forward, strike, years, iv = case
    spot = forward * math.exp(-RATE * years)

    def price(s: float = spot, t: float = years, v: float = iv, r: float = RATE) -> float:
        return black76_by_hand(s * math.exp(r * t), strike, t, r, v, is_call=is_call)

    found = all_greeks(case, is_call=is_call)
    ds, dt_, dv, dr = spot * 1e-4, years * 1e-4, 1e-5, 1e-5
    assert found["delta"] == pytest.approx((price(spot + ds) - price(spot - ds)) / 2 / ds, abs=2e-5)
    second = (price(spot + ds) - 2 * price() + price(spot - ds)) / ds**2
    assert found["gamma"] == pytest.approx(second, rel=2e-3, abs=1e-9)
    decay = -(price(t=years + dt_) - price(t=years - dt_)) / 2 / dt_ / 365
    assert found["theta"] == pytest.approx(decay, rel=1e-4, abs=1e-6)
    vega = (price(v=iv + dv) - price(v=iv - dv)) / 2 / dv / 100
    assert found["vega"] == pytest.approx(vega, rel=1e-5, abs=1e-8)
    rho = (price(r=RATE + dr) - price(r=RATE - dr)) / 2 / dr / 100
    assert found["rho"] == pytest.approx(rho, rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("case", CASES)
def test_greeks_of_call_and_put_obey_parity(case: tuple[float, float, float, float]) -> None:
    _, strike, years, _ = case
    call, put = all_greeks(case, is_call=True), all_greeks(case, is_call=False)
    discounted = strike * math.exp(-RATE * years)
    assert call["delta"] - put["delta"] == pytest.approx(1.0)
    assert call["gamma"] == pytest.approx(put["gamma"])
    assert call["vega"] == pytest.approx(put["vega"])
    assert call["theta"] - put["theta"] == pytest.approx(-RATE * discounted / 365)
    assert call["rho"] - put["rho"] == pytest.approx(years * discounted / 100)
    assert 0 <= call["delta"] <= 1
    assert -1 <= put["delta"] <= 0


# --- forward --------------------------------------------------------------------------------


def test_the_forward_comes_back_from_parity() -> None:
    found = pricing.forward_by_parity(slice_frame(forward=24_612.5), RATE)
    assert found.columns == ["symbol", "ts_minute", "expiry_date", "years", "forward", "by_parity"]
    assert found["forward"].to_list() == pytest.approx([24_612.5])
    assert found["by_parity"].to_list() == [True]


def test_a_stale_print_among_the_six_strikes_does_not_move_the_forward() -> None:
    frame = slice_frame(forward=24_600.0).with_columns(
        ce_close=pl.when(pl.col("strike") == 24_600).then(999.0).otherwise("ce_close")
    )
    assert pricing.forward_by_parity(frame, RATE)["forward"][0] == pytest.approx(24_600.0)


def test_only_the_six_strikes_with_the_smallest_gap_count() -> None:
    # beyond the six the quotes are nonsense by a constant, which a wider median would take in
    frame = slice_frame(forward=24_600.0).with_columns(
        ce_close=pl.when((pl.col("strike") - 24_600).abs() > 150)
        .then(pl.col("ce_close") + 40.0)
        .otherwise("ce_close")
    )
    assert pricing.forward_by_parity(frame, RATE)["forward"][0] == pytest.approx(24_600.0)


def test_with_two_two_sided_strikes_spot_stands_in() -> None:
    frame = slice_frame().with_columns(
        pe_close=pl.when(pl.col("strike").is_in([24_600.0, 24_650.0])).then("pe_close")
    )
    found = pricing.forward_by_parity(frame.with_columns(spot=pl.lit(24_000.0)), RATE)
    carried = 24_000.0 * math.exp(RATE * found["years"][0])
    assert found["forward"].to_list() == pytest.approx([carried])
    assert found["by_parity"].to_list() == [False]
    without = pricing.forward_by_parity(frame.drop("spot"), RATE)
    assert without["forward"].to_list() == [None]


def test_prices_below_a_tick_make_no_two_sided_strike() -> None:
    frame = slice_frame().with_columns(pe_close=pl.lit(0.0))
    assert pricing.forward_by_parity(frame, RATE)["by_parity"].to_list() == [False]


# --- the price of a leg ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("close", "bid", "ask", "price"),
    [
        (100.0, 99.0, 101.0, 100.0),  # inside
        (99.0, 99.0, 101.0, 99.0),  # on the edge
        (90.0, 99.0, 101.0, 100.0),  # stale: mid
        (110.0, 99.0, 101.0, 100.0),
        (90.0, 100.0, 200.0, None),  # stale, and the quote is too wide
        (150.0, 100.0, 200.0, 150.0),  # a wide quote does not hurt a close inside it
        (90.0, 0.0, 101.0, 90.0),  # one side only is no quote
        (90.0, None, 101.0, 90.0),
        (90.0, 101.0, 99.0, 90.0),  # crossed
        (90.0, math.nan, math.nan, 90.0),
        (None, 99.0, 101.0, 100.0),  # no trade yet, but a quote
        (None, None, None, None),
        (math.nan, 99.0, 101.0, 100.0),
        (math.inf, None, None, None),
        (0.04, None, None, None),  # below a tick
        (0.05, None, None, 0.05),
    ],
)
def test_the_price_of_a_leg(
    close: float | None, bid: float | None, ask: float | None, price: float | None
) -> None:
    frame = pl.DataFrame(
        {"ce_close": [close], "ce_bid": [bid], "ce_ask": [ask]},
        schema={"ce_close": pl.Float64, "ce_bid": pl.Float64, "ce_ask": pl.Float64},
    )
    assert frame.select(pricing.leg_price("ce", frame.columns)).item() == price


def test_without_quotes_the_close_is_the_price() -> None:
    frame = pl.DataFrame({"pe_close": [3.0, None]})
    assert frame.select(pricing.leg_price("pe", frame.columns)).to_series().to_list() == [3.0, None]


# --- filling --------------------------------------------------------------------------------


def test_a_bare_chain_gets_volatility_and_greeks_and_marks() -> None:
    filled = pricing.fill_missing_iv_and_greeks(slice_frame(iv=0.137), RATE)
    for leg in LEGS:
        assert filled[f"{leg}_iv"].to_list() == pytest.approx([0.137] * filled.height, rel=1e-6)
        assert filled[f"{leg}_iv_computed"].all()
        assert filled[f"{leg}_greeks_computed"].all()
        assert all(filled[f"{leg}_{greek}"].null_count() == 0 for greek in GREEKS)
    assert (filled["ce_delta"] - filled["pe_delta"]).to_list() == pytest.approx([1.0] * 25)


def test_what_the_source_has_is_kept() -> None:
    frame = slice_frame(iv=0.12).with_columns(
        ce_iv=pl.when(pl.col("strike") == 24_600).then(0.2),
        ce_delta=pl.when(pl.col("strike") == 24_650).then(0.777),
    )
    filled = pricing.fill_missing_iv_and_greeks(frame, RATE)
    at = filled.filter(pl.col("strike") == 24_600)
    assert at["ce_iv"].item() == 0.2
    assert not at["ce_iv_computed"].item()
    assert at["ce_greeks_computed"].item()
    # the Greeks follow the source's volatility
    expected = pricing.greeks(
        array(24_600), array(24_600), _years(at), RATE, array(0.2), is_call=calls()
    )
    assert at["ce_vega"].item() == pytest.approx(expected["vega"][0])
    other = filled.filter(pl.col("strike") == 24_650)
    assert other["ce_delta"].item() == 0.777
    assert other["ce_gamma"].item() is not None
    assert other["ce_iv_computed"].item()


def test_a_complete_chain_passes_unchanged_and_unmarked() -> None:
    once = pricing.fill_missing_iv_and_greeks(slice_frame(), RATE)
    marks = [name for name in once.columns if name.endswith("_computed")]
    twice = pricing.fill_missing_iv_and_greeks(once.drop(marks), RATE)
    assert_frame_equal(twice.drop(marks), once.drop(marks))
    assert not any(twice[mark].any() for mark in marks)
    assert [twice.schema[mark] for mark in marks] == [pl.Boolean] * 4


@pytest.mark.parametrize("absurd", [0.0, math.nan, math.inf, -0.2, 0.009, 5.01])
def test_an_invalid_source_volatility_is_missing(absurd: float) -> None:
    frame = slice_frame(iv=0.12).with_columns(ce_iv=pl.lit(absurd))
    filled = pricing.fill_missing_iv_and_greeks(frame, RATE)
    assert filled["ce_iv"].to_list() == pytest.approx([0.12] * filled.height, rel=1e-6)
    assert filled["ce_iv_computed"].all()


def test_an_invalid_source_volatility_without_a_price_ends_null() -> None:
    frame = slice_frame().with_columns(ce_iv=pl.lit(0.0), ce_close=pl.lit(None, dtype=pl.Float64))
    filled = pricing.fill_missing_iv_and_greeks(frame, RATE)
    assert filled["ce_iv"].null_count() == filled.height
    assert not filled["ce_iv_computed"].any()
    assert filled["ce_delta"].null_count() == filled.height
    assert not filled["ce_greeks_computed"].any()


def test_greeks_of_a_volatility_without_a_price_are_computed() -> None:
    frame = slice_frame(iv=0.12).with_columns(
        ce_iv=pl.lit(0.12),
        ce_close=pl.when(pl.col("strike") < 25_000).then("ce_close"),
    )
    filled = pricing.fill_missing_iv_and_greeks(frame, RATE)
    far = filled.filter(pl.col("strike") >= 25_000)
    assert far["ce_close"].null_count() == far.height > 0
    assert far["ce_gamma"].null_count() == 0
    assert far["ce_greeks_computed"].all()


def test_expiry_minutes_stay_finite() -> None:
    for time in (dt.time(15, 20), dt.time(15, 29)):
        frame = slice_frame(iv=0.25, time=time, expiry=DAY, listed=range(24_500, 24_750, 50))
        filled = pricing.fill_missing_iv_and_greeks(frame, RATE)
        priced = filled.filter(pl.col("ce_iv").is_not_null())
        assert priced.height > 0
        assert priced["ce_iv"].to_list() == pytest.approx([0.25] * priced.height, rel=1e-6)
        _assert_finite(filled)


def test_nothing_but_null_comes_from_broken_prices() -> None:
    broken = [math.nan, math.inf, -math.inf, -1.0, 0.0, None, 1e308, 1e-308]
    frame = slice_frame().with_columns(
        ce_close=pl.Series(broken + [None] * 17, dtype=pl.Float64),
        spot=pl.Series([math.nan] * 25),
    )
    filled = pricing.fill_missing_iv_and_greeks(frame, RATE)
    _assert_finite(filled)
    assert filled["ce_iv"].null_count() == filled.height


def test_rows_keep_their_order_and_an_empty_frame_passes() -> None:
    frame = slice_frame().sample(fraction=1.0, shuffle=True, seed=3)
    filled = pricing.fill_missing_iv_and_greeks(frame, RATE)
    assert filled.select(frame.columns).equals(frame)
    empty = pricing.fill_missing_iv_and_greeks(frame.clear(), RATE)
    assert empty.height == 0
    assert empty.schema == filled.schema


# --- implied spot and parity gap ------------------------------------------------------------


def test_spot_is_implied_by_the_nearest_expiry_that_tells_it() -> None:
    near = slice_frame(forward=24_550.0, expiry=dt.date(2025, 9, 2))
    far = slice_frame(forward=24_700.0, expiry=dt.date(2025, 9, 30))
    silent = slice_frame(expiry=DAY).with_columns(pe_close=pl.lit(None, dtype=pl.Float64))
    found = pricing.implied_spot(pl.concat([far, near, silent]), RATE)
    assert found.columns == ["symbol", "ts_minute", "implied_spot"]
    assert found["implied_spot"].to_list() == pytest.approx([near["spot"][0]])


def test_the_parity_gap_is_zero_on_fair_prices_and_finds_a_bad_one() -> None:
    frame = strikes.add_strike_types(slice_frame().with_columns(atm_strike=pl.lit(24_600.0)))
    fair = pricing.parity_gap(frame, RATE)
    judged = fair.filter(pl.col("parity_gap").is_not_null())
    assert judged["strike"].min() == 24_600 - 10 * 50
    assert judged["strike"].max() == 24_600 + 10 * 50
    assert quantile(judged["parity_gap"], 1.0) < 1e-9
    bad = frame.with_columns(
        ce_close=pl.when(pl.col("strike") == 24_900)
        .then(pl.col("ce_close") + 49.2)
        .otherwise("ce_close")
    )
    gaps = pricing.parity_gap(bad, RATE)
    assert gaps.select(frame.columns).equals(bad)
    wrong = gaps.filter(pl.col("parity_gap") > 1e-3)
    assert wrong["strike"].to_list() == [24_900.0]
    assert wrong["parity_gap"].item() == pytest.approx(49.2 / frame["spot"][0])


def test_without_a_parity_forward_there_is_no_gap() -> None:
    frame = strikes.add_strike_types(slice_frame().with_columns(atm_strike=pl.lit(24_600.0)))
    one_sided = frame.with_columns(pe_close=pl.lit(None, dtype=pl.Float64))
    assert pricing.parity_gap(one_sided, RATE)["parity_gap"].null_count() == frame.height


# --- real files -----------------------------------------------------------------------------


def test_volatility_equals_that_of_the_real_day_computed_from_the_same_closes(
    real_data: Path,
) -> None:
    frame = real_chain(real_data, "NIFTY", "2026-08-17")
    filled = pricing.fill_missing_iv_and_greeks(frame.drop(COMPUTED), RATE)
    for leg in LEGS:
        gap = ((filled[f"{leg}_iv"] - frame[f"{leg}_iv"]).abs() * 100).drop_nulls()
        assert len(gap) > 80_000
        assert quantile(gap, 0.5) < 0.005
        assert quantile(gap, 0.99) < 0.05
        # and null exactly where the other computation found none
        assert filled[f"{leg}_iv"].is_null().equals(frame[f"{leg}_iv"].is_null())
        for greek in GREEKS:
            name = f"{leg}_{greek}"
            scale = frame[name].abs().median()
            off = ((filled[name] - frame[name]).abs() / scale).drop_nulls()
            assert quantile(off, 0.99) < 1e-2, name
    _assert_finite(filled)


def test_quotes_replace_stale_closes_as_in_the_real_2019_day(real_data: Path) -> None:
    frame = real_chain(real_data, "NIFTY", "2019-06-04")
    raw = real_data / "options" / "raw" / "rohmhatre_2019_15min" / "NIFTY"
    quotes = pl.read_parquet(raw / "NIFTY_2019-06-04.parquet").select(
        trade_time=pl.col("snapshot_time").dt.truncate("15m").dt.time(),
        expiry_date="expiry",
        strike="StrikePrice",
        ce_bid="CallBidPrice",
        ce_ask="CallAskPrice",
        pe_bid="PutBidPrice",
        pe_ask="PutAskPrice",
    )
    keys = ["trade_time", "expiry_date", "strike"]
    quoted = frame.join(quotes.unique(keys, keep="last", maintain_order=True), on=keys, how="left")
    with_quotes = pricing.fill_missing_iv_and_greeks(quoted.drop(COMPUTED), 0.06)
    closes_only = pricing.fill_missing_iv_and_greeks(frame.drop(COMPUTED), 0.06)
    for leg in LEGS:
        given_iv = frame.select(*keys, given=f"{leg}_iv")
        gap, gap_of_closes = (
            filled.join(given_iv, on=keys)
            .select(((pl.col(f"{leg}_iv") - pl.col("given")).abs() * 100).drop_nulls())
            .to_series()
            for filled in (with_quotes, closes_only)
        )
        assert len(gap) > len(gap_of_closes)
        assert quantile(gap, 0.5) < 0.005
        assert quantile(gap, 0.99) < 0.1
        assert quantile(gap_of_closes, 0.99) > 1.0


def test_a_real_file_keeps_its_volatility_and_gains_only_what_it_lacks(real_data: Path) -> None:
    frame = real_chain(real_data, "BANKNIFTY", "2019-05-23")
    filled = pricing.fill_missing_iv_and_greeks(frame, 0.06)
    for name in COMPUTED:
        had = frame[name].is_not_null()
        assert filled[name].filter(had).equals(frame[name].filter(had))
    for leg in LEGS:
        gained = frame[f"{leg}_iv"].is_null() & filled[f"{leg}_iv"].is_not_null()
        assert gained.equals(filled[f"{leg}_iv_computed"].alias(gained.name))
        assert 0 < gained.sum() < frame.height / 5
    _assert_finite(filled)


def test_spot_implied_on_a_real_day_is_near_the_real_spot(real_data: Path) -> None:
    frame = real_chain(real_data, "NIFTY", "2026-08-18")
    both = pricing.implied_spot(frame, RATE).join(
        frame.select("ts_minute", "spot").unique(), on="ts_minute"
    )
    assert both.height == frame["ts_minute"].n_unique()
    # the data's own note: +7.4 points median on that day
    median = (both["implied_spot"] - both["spot"]).median()
    assert median == pytest.approx(7.4, abs=1.0)


def test_real_banknifty_of_2019_misses_parity_in_some_percent_of_cases(real_data: Path) -> None:
    frame = real_chain(real_data, "BANKNIFTY", "2019-05-28")
    gaps = pricing.parity_gap(frame, 0.06)["parity_gap"].drop_nulls()
    assert len(gaps) > 500
    share = float((gaps > 0.001).to_numpy().mean())
    assert 0.02 < share < 0.2


def _years(frame: pl.DataFrame) -> Floats:
    return frame.select(sessions.years_to_expiry()).to_series().to_numpy()


def _assert_finite(frame: pl.DataFrame) -> None:
    for name in COMPUTED:
        assert frame[name].dtype == pl.Float64
        assert frame[name].drop_nulls().is_finite().all(), name
