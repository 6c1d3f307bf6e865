"""C4 as a whole: session features by hand, declared columns, no look ahead, gaps, batches."""

from __future__ import annotations

import datetime as dt
import math

import numpy as np
import polars as pl
import pytest

from mr_platform.features.c4_iv_skew import c4_features
from mr_platform.features.history import previous_days
from mr_platform.registry.loader import load_registry
from mr_platform_tests.features.c4_panels import (
    DAY,
    MINUTES,
    Expiry,
    day_history,
    inputs,
    panel,
)

DECLARED = load_registry().components["c4"].columns


def features(*expiries: Expiry, history=None) -> pl.DataFrame:
    frame = panel(expiries)
    return c4_features(inputs(frame, history))


def closes(values, *, symbol: str = "NIFTY") -> dict[str, pl.LazyFrame]:
    """``hist_daily`` with two expiries a day; value n is n + 1 trading days back."""
    days = previous_days([DAY], len(values)).sort("back")["hist_date"]
    frame = pl.DataFrame(
        {"symbol": symbol, "date": days, "spot_close": values},
        schema_overrides={"spot_close": pl.Float64},
    )
    return {"hist_daily": pl.concat([frame, frame]).lazy()}


def test_the_declared_columns_in_order():
    frame = features(Expiry(), Expiry(21))
    assert frame.columns == [column.name for column in DECLARED]
    assert len(frame.columns) == 87
    for column in DECLARED:
        whole = frame.schema[column.name].is_integer()
        assert whole == (column.dtype == "INT64"), column.name


def test_values_stay_in_the_declared_ranges():
    frame = features(Expiry(0), Expiry(7, seed=2), Expiry(21, seed=3))
    for column in DECLARED:
        known = frame[column.name].drop_nulls()
        if known.is_empty():
            continue
        assert not known.is_nan().any()
        assert column.low is None or known.min() >= column.low, column.name
        assert column.high is None or known.max() <= column.high, column.name


def test_changes_of_volatility_by_hand():
    iv = [0.10 + 0.0001 * j for j in range(MINUTES)]
    frame = features(
        Expiry(values={"iv_atm": iv, "atm_ce_iv": 0.11, "s4_ce_iv_lag5": 0.10, "s4_rr25": iv})
    )
    assert frame["c4_atm_iv_ce_chg_5m"][0] == pytest.approx(math.log(1.1), abs=1e-14)
    assert frame["c4_atm_iv_mean_chg_15m"][14] is None
    expected = math.log(iv[15] / iv[0])
    assert frame["c4_atm_iv_mean_chg_15m"][15] == pytest.approx(expected, abs=1e-15)
    second = math.log(iv[10]) - 2 * math.log(iv[5]) + math.log(iv[0])
    assert frame["c4_atm_iv_accel_5m"][9] is None
    assert frame["c4_atm_iv_accel_5m"][10] == pytest.approx(second, abs=1e-15)
    assert frame["c4_skew_mom_rr25_30m"][30] == pytest.approx(0.003, abs=1e-15)


def test_deviations_from_opening_zone_and_session():
    iv = [0.10 if j < 45 else 0.20 for j in range(MINUTES)]
    frame = features(Expiry(values={"iv_atm": iv}, missing=range(3)))
    assert frame["c4_iv_dev_open15"][14] is None
    assert frame["c4_iv_dev_open15"][15] == pytest.approx(0.0, abs=1e-14)
    assert frame["c4_iv_dev_open15"][100] == pytest.approx(math.log(2), abs=1e-14)
    assert frame["c4_iv_dev_prev_zone"][44] is None
    assert frame["c4_iv_dev_prev_zone"][45] == pytest.approx(math.log(2), abs=1e-14)
    assert frame["c4_iv_dev_prev_zone"][200] == pytest.approx(0.0, abs=1e-14)
    # a constant session has no deviation; then one value of 0.2 after 42 of 0.1
    assert frame["c4_iv_dev_session"][44] is None
    mean, std = np.mean([*[0.1] * 42, 0.2]), np.std([*[0.1] * 42, 0.2], ddof=1)
    assert frame["c4_iv_dev_session"][45] == pytest.approx((0.2 - mean) / std, abs=1e-11)


def test_ten_minutes_make_an_opening():
    few = features(Expiry(missing=range(6)))
    enough = features(Expiry(missing=range(5)))
    assert few["c4_iv_dev_open15"].null_count() == MINUTES
    assert enough["c4_iv_dev_open15"].null_count() == 15


def test_session_percentile_and_rank_leave_the_minute_itself_out():
    iv = [0.10 + 0.001 * (j % 10) for j in range(MINUTES)]
    frame = features(Expiry(values={"iv_atm": iv, "s4_rr25": iv}))
    assert frame["c4_iv_pctl_session"][29] is None
    assert frame["c4_iv_pctl_session"][30] == 1.5 / 30  # the least, three times before
    assert frame["c4_skew_pctl_session"][30] == 28.5 / 30
    assert frame["c4_iv_rank_session"][34] == pytest.approx(4 / 9, abs=1e-12)


def test_implied_less_realised_volatility():
    r = 3e-4
    frame = features(Expiry(values={"iv_atm": 0.12, "r_und": r}), history=closes([100.0] * 21))
    realised = math.sqrt(94_500 * r * r)
    for name, first in (("30m", 19), ("60m", 39), ("session", 29)):
        column = frame[f"c4_iv_rv_spread_{name}"]
        assert column[first - 1] is None
        assert column[first] == pytest.approx(0.12 - realised, abs=1e-13)
    assert frame["c4_iv_rv_spread_20d"][0] == 0.12


def test_volatility_between_days_takes_neighbouring_days_only():
    prices: list[float | None] = [100 * 1.01 ** (n % 2) for n in range(21)]
    move = math.log(1.01)
    frame = features(Expiry(values={"iv_atm": 0.2}), history=closes(prices))
    expected = 0.2 - math.sqrt(252 * move * move)
    assert frame["c4_iv_rv_spread_20d"][0] == pytest.approx(expected, abs=1e-14)
    prices[5] = prices[9] = None  # four of the twenty returns
    frame = features(Expiry(values={"iv_atm": 0.2}), history=closes(prices))
    assert frame["c4_iv_rv_spread_20d"][0] == pytest.approx(expected, abs=1e-14)
    prices[13] = None
    frame = features(Expiry(values={"iv_atm": 0.2}), history=closes(prices))
    assert frame["c4_iv_rv_spread_20d"][0] is None
    other = features(Expiry(), history=closes([100.0] * 21, symbol="BANKNIFTY"))
    assert other["c4_iv_rv_spread_20d"].null_count() == MINUTES


def test_volatility_of_volatility_and_its_slope_on_spot():
    random = np.random.default_rng(7)
    r = random.normal(0, 3e-4, MINUTES)
    level = math.log(0.12) + np.cumsum(-2.5 * r)
    values = {"iv_atm": np.exp(level).tolist(), "r_und": r.tolist(), "s4_slope": -0.1}
    frame = features(Expiry(values=values))
    assert frame["c4_spot_iv_beta_30m"][19] is None  # the first change stands at minute 1
    assert frame["c4_spot_iv_beta_30m"][20] == pytest.approx(-2.5, abs=1e-9)
    assert frame["c4_spot_iv_beta_60m"][200] == pytest.approx(-2.5, abs=1e-9)
    expected = np.std(np.diff(level)[170:200], ddof=1)
    assert frame["c4_vol_of_iv_30m"][200] == pytest.approx(expected, abs=1e-12)
    tau = [(4 * 1440 + 374 - j) / 525_600 for j in range(141, 201)]
    deviations = np.exp(level[141:201]) * np.sqrt(tau)
    stickiness = -2.5 / np.mean(-0.1 / deviations)
    assert frame["c4_skew_stickiness_60m"][200] == pytest.approx(stickiness, abs=1e-8)


def test_a_pair_after_a_gap_does_not_enter_the_slope():
    random = np.random.default_rng(7)
    r = random.normal(0, 3e-4, MINUTES)
    iv = 0.12 * np.exp(np.cumsum(-2.5 * r))
    r[101] = 0.5  # a return over the gap, however wild
    values = {"iv_atm": iv.tolist(), "r_und": r.tolist()}
    frame = features(Expiry(values=values, missing=[100]))
    assert frame["c4_spot_iv_beta_30m"][101] == pytest.approx(-2.5, abs=1e-9)


def test_a_still_spot_has_no_slope():
    frame = features(Expiry(values={"r_und": 0.0}))
    assert frame["c4_spot_iv_beta_60m"].null_count() == MINUTES
    assert frame["c4_skew_stickiness_60m"].null_count() == MINUTES


def test_skew_bias_needs_two_of_its_terms():
    full = {"s4_rr25": -0.1, "s4_skew_k3": 0.05, "s4_slope": -0.02}
    score = features(Expiry(values=full))["c4_skew_bias_score"][0]
    assert score == pytest.approx(math.tanh(0.4 * 0.5 + 0.3 * 0.5 + 0.3 * 0.2), abs=1e-15)
    two = features(Expiry(values={**full, "s4_slope": [None] * MINUTES}))["c4_skew_bias_score"][0]
    assert two == pytest.approx(math.tanh(0.5), abs=1e-15)
    gone = {**full, "s4_slope": [None] * MINUTES, "s4_rr25": [None] * MINUTES}
    assert features(Expiry(values=gone))["c4_skew_bias_score"].null_count() == MINUTES


# -- the whole ------------------------------------------------------------------------------------

EXPIRIES = [
    Expiry(0, seed=11),
    Expiry(7, seed=12, missing=[*range(60, 120), 200, 300]),
    Expiry(21, seed=13),
    Expiry(0, "BANKNIFTY", seed=14),
]


def history() -> dict[str, pl.LazyFrame]:
    random = np.random.default_rng(5)
    tables = {"hist_c4_day": [], "hist_c4_zone": []}
    for symbol in ("NIFTY", "BANKNIFTY"):
        for bucket in ("near", "mid"):
            place = {"bucket": bucket, "symbol": symbol}
            series = {
                "iv_atm": random.normal(0.12, 0.01, 252).tolist(),
                "rr25": random.normal(-0.1, 0.02, 60).tolist(),
                "iv_rv_spread": random.normal(0.03, 0.05, 60).tolist(),
            }
            tables["hist_c4_day"].append(day_history(series, **place))
            for zone in ("OPEN", "MID_MORN", "LUNCH", "AFTERNOON", "CLOSE"):
                values = {"iv_atm": random.normal(0.12, 0.01, 252).tolist()}
                tables["hist_c4_zone"].append(day_history(values, zone=zone, **place))
    prices = (25_000 * np.exp(np.cumsum(random.normal(0, 0.01, 21)))).tolist()
    return {name: pl.concat(parts) for name, parts in tables.items()} | closes(prices)


@pytest.mark.parametrize("cut", [16, 59, 61, 250])
def test_no_feature_reads_what_comes_after_its_minute(cut: int):
    frame = panel(EXPIRIES)
    keys = ["cell", "g", "u", "symbol", "date", "expiry_date", "dte", "dte_bucket", "ts_minute"]
    later = pl.col("j") > cut
    series = [name for name in frame.columns if name not in (*keys, "j", "zone_id", "zone_name",
                                                             "tau", "present")]  # fmt: skip
    truncated = frame.with_columns(
        pl.when(later).then(False).otherwise("present").alias("present"),
        *[pl.when(later).then(None).otherwise(pl.col(name)).alias(name) for name in series],
    )
    past = history()
    so_far = ~frame.select(later).to_series()
    whole, part = (c4_features(inputs(f, past)).filter(so_far) for f in (frame, truncated))
    for name in whole.columns:
        assert whole[name].equals(part[name]), name


def test_a_batch_gives_the_bits_of_its_days():
    past = history()
    frame = panel(EXPIRIES)
    both = c4_features(inputs(frame, past))
    for symbol in ("NIFTY", "BANKNIFTY"):
        alone = panel([expiry for expiry in EXPIRIES if expiry.symbol == symbol])
        own = both.filter(frame["symbol"] == symbol)
        assert own.equals(c4_features(inputs(alone, past)))


def test_days_of_a_batch_read_each_their_own_past():
    next_day = DAY + dt.timedelta(days=1)
    past = history()
    expiries = [Expiry(7, seed=12), Expiry(7, seed=12, date=next_day)]
    frame = panel(expiries)
    both = c4_features(inputs(frame, past))
    for expiry in expiries:
        alone = c4_features(inputs(panel([expiry]), past))
        assert both.filter(frame["date"] == expiry.date).equals(alone)


def test_a_missing_hour_stays_missing():
    frame = features(*EXPIRIES[:3], history=history())
    gappy = frame.slice(MINUTES, MINUTES)  # nothing from minute 60 to 119
    hour = gappy.slice(60, 60)
    own = [c.name for c in DECLARED if c.lookback.minutes == 1 and c.scope == "expiry"]
    assert hour.select(own).null_count().row(0) == (60,) * len(own)
    # what all expiries share is known without this one, from the two others
    assert hour["c4_ts_log_ratio_12"].null_count() == 0
    # a change needs both ends, a window enough of its minutes
    assert gappy["c4_atm_iv_mean_chg_30m"][120:150].null_count() == 30
    assert gappy["c4_atm_iv_mean_chg_30m"][150] is not None
    assert gappy["c4_vol_of_iv_30m"][120:140].null_count() == 20
    assert gappy["c4_vol_of_iv_30m"][140] is not None


def test_a_day_without_spot_or_history_still_has_its_levels():
    still = {"r_und": [None] * MINUTES, "r_und_min": [None] * MINUTES}
    frame = features(Expiry(values=still))
    assert frame["c4_atm_iv_mean"].null_count() == 0
    for name in ("c4_iv_rv_spread_60m", "c4_iv_rv_spread_20d", "c4_spot_iv_beta_60m",
                 "c4_iv_pctl_20d", "c4_iv_regime_level", "c4_iv_regime_age"):  # fmt: skip
        assert frame[name].null_count() == MINUTES
