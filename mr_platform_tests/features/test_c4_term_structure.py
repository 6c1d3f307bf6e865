"""Expiries against each other: ranks by hand, an expiry that leaves, one that is missing."""

from __future__ import annotations

import math

import polars as pl
import pytest

from mr_platform.features.c4_term_structure import term_structure
from mr_platform_tests.features.c4_panels import MINUTES, Expiry, inputs, panel

YEAR = 525_600
LEFT = {0: 374, 7: 7 * 1440 + 374, 21: 21 * 1440 + 374}  # minutes left at the first bar


def features(*expiries: Expiry) -> pl.DataFrame:
    frame = panel(expiries)
    return frame.select("dte", "j").hstack(term_structure(inputs(frame)))


def at(frame: pl.DataFrame, column: str, j: int, dte: int | None = None):
    rows = frame.filter(pl.col("j") == j)
    if dte is None:
        assert rows[column].n_unique() == 1, "the same for every expiry"
        return rows[column].first()
    return rows.filter(pl.col("dte") == dte)[column].item()


def expiry(days: int, iv, **more) -> Expiry:
    return Expiry(days, seed=days, values={"iv_atm": iv, **more})


def test_three_expiries_by_hand():
    frame = features(
        expiry(21, 0.14, s4_rr25=-0.1), expiry(0, 0.20, s4_rr25=-0.3), expiry(7, 0.16, s4_rr25=-0.2)
    )
    assert at(frame, "c4_ts_log_ratio_12", 0) == pytest.approx(math.log(0.16 / 0.20), abs=1e-15)
    assert at(frame, "c4_ts_log_ratio_23", 0) == pytest.approx(math.log(0.14 / 0.16), abs=1e-15)
    assert at(frame, "c4_skew_ts_12", 0) == pytest.approx(-0.1, abs=1e-15)
    near, far = LEFT[0] / YEAR, LEFT[7] / YEAR
    forward = math.sqrt((0.16**2 * far - 0.20**2 * near) / (far - near)) / 0.20 - 1
    assert at(frame, "c4_ts_forward_premium_12", 0) == pytest.approx(forward, abs=1e-14)
    x = [math.log(LEFT[days]) for days in (0, 7, 21)]
    y = [math.log(iv) for iv in (0.20, 0.16, 0.14)]
    mx, my = sum(x) / 3, sum(y) / 3
    slope = sum((a - mx) * (b - my) for a, b in zip(x, y, strict=True)) / sum(
        (a - mx) ** 2 for a in x
    )
    assert at(frame, "c4_ts_slope", 0) == pytest.approx(slope, abs=1e-13)
    assert at(frame, "c4_term_structure_signal", 0) == 2


def test_the_front_leaves_the_ranking_an_hour_before_it_expires():
    frame = features(expiry(0, 0.30), expiry(7, 0.15), expiry(21, 0.15))
    last = 374 - 60  # 60 minutes are left after this bar
    assert at(frame, "c4_ts_log_ratio_12", last) == pytest.approx(math.log(0.5), abs=1e-15)
    assert at(frame, "c4_ts_log_ratio_12", last + 1) == 0.0
    assert at(frame, "c4_ts_log_ratio_23", last + 1) is None
    assert at(frame, "c4_ts_slope", last + 1) is None
    # the change compares the same two expiries only
    assert at(frame, "c4_ts_log_ratio_12_chg_5m", last) == 0.0
    assert at(frame, "c4_ts_log_ratio_12_chg_5m", last + 1) is None
    assert at(frame, "c4_ts_log_ratio_12_chg_5m", last + 5) is None
    assert at(frame, "c4_ts_log_ratio_12_chg_5m", last + 6) == 0.0
    # and goes to every expiry, that which has left included
    assert at(frame, "c4_ts_log_ratio_12", last + 1, dte=0) == 0.0


def test_the_change_of_the_ratio_is_a_difference_of_logs():
    rising = [0.10 + 0.0001 * j for j in range(MINUTES)]
    frame = features(expiry(7, 0.10), expiry(21, rising))
    expected = math.log(rising[20] / rising[5])
    assert at(frame, "c4_ts_log_ratio_12_chg_15m", 20) == pytest.approx(expected, abs=1e-15)
    assert at(frame, "c4_ts_log_ratio_12_chg_15m", 14) is None


@pytest.mark.parametrize(
    ("front", "code"),
    [(0.1106, 2), (0.1104, 1), (0.1021, 1), (0.1020, 0), (0.0981, 0), (0.0980, -1), (0.0906, -1),
     (0.0904, -2)],
)  # fmt: skip
def test_signal_by_its_bounds(front: float, code: int):
    frame = features(expiry(7, front), expiry(21, 0.10))
    assert at(frame, "c4_term_structure_signal", 100) == code


def test_falling_total_variance_has_no_forward_volatility():
    frame = features(expiry(7, 0.40), expiry(21, 0.10))
    assert at(frame, "c4_ts_forward_premium_12", 0) is None
    assert at(frame, "c4_ts_log_ratio_12", 0) is not None


def test_one_expiry_has_no_term_structure():
    frame = features(expiry(7, 0.2))
    assert frame.drop("dte", "j").null_count().row(0) == (MINUTES,) * 9


def test_an_expiry_without_volatility_is_not_ranked():
    gap = [None if 10 <= j < 20 else 0.12 for j in range(MINUTES)]
    frame = features(expiry(7, 0.10), expiry(14, gap), expiry(21, 0.15))
    assert at(frame, "c4_ts_log_ratio_12", 9) == pytest.approx(math.log(1.2), abs=1e-15)
    assert at(frame, "c4_ts_log_ratio_12", 10) == pytest.approx(math.log(1.5), abs=1e-15)


def test_symbols_and_days_do_not_mix():
    alone = features(expiry(7, 0.10), expiry(21, 0.15))
    other = [Expiry(3, "BANKNIFTY", values={"iv_atm": 0.3})]
    both = features(*other, expiry(7, 0.10), expiry(21, 0.15))
    assert both.filter(pl.col("dte") != 3).equals(alone)
    assert both.filter(pl.col("dte") == 3)["c4_ts_log_ratio_12"].null_count() == MINUTES
