"""What C4 remembers of a day: means by hand, buckets, zones, gaps, batches."""

from __future__ import annotations

import datetime as dt
import math

import polars as pl
import pytest

from mr_platform.features.iv_history import iv_day_history, iv_zone_history
from mr_platform.gateways.frame_engine import CpuEngine
from mr_platform_tests.features.c4_panels import DAY, MINUTES, Expiry, panel

ENGINE = CpuEngine()
R = 3e-4
CALM = {"r_und": R, "iv_atm": 0.12, "s4_rr25": -0.1}
REALISED = math.sqrt(94_500 * R * R)


def days(*expiries: Expiry) -> pl.DataFrame:
    return iv_day_history(panel(expiries), ENGINE)


def zones(*expiries: Expiry) -> pl.DataFrame:
    return iv_zone_history(panel(expiries), ENGINE)


def test_means_over_minutes_and_expiries_of_a_bucket():
    half = [0.20 if j < 100 else None for j in range(MINUTES)]
    frame = days(
        Expiry(4, values=CALM), Expiry(7, values={**CALM, "iv_atm": half}), Expiry(31, values=CALM)
    )
    assert frame.columns == ["symbol", "date", "dte_bucket", "iv_atm", "rr25", "iv_rv_spread"]
    assert frame["dte_bucket"].to_list() == ["near", "far"]
    near = frame.row(0, named=True)
    assert (near["symbol"], near["date"]) == ("NIFTY", DAY)
    # every minute that has a value counts once, whichever expiry it is of
    assert near["iv_atm"] == pytest.approx((375 * 0.12 + 100 * 0.20) / 475, abs=1e-14)
    assert near["rr25"] == pytest.approx(-0.1, abs=1e-14)
    # the realised volatility is known from the 40th return on (r of the first bar is made up)
    known = 375 - 39, 100 - 39
    mean = (known[0] * 0.12 + known[1] * 0.20) / sum(known)
    assert near["iv_rv_spread"] == pytest.approx(mean - REALISED, abs=1e-13)
    assert frame.row(1, named=True)["iv_atm"] == pytest.approx(0.12, abs=1e-14)


def test_a_bridged_return_counts_the_minutes_it_spans():
    values = {
        **CALM,
        "r_und": [2 * R if j == 300 else R for j in range(MINUTES)],
        "r_und_min": [2 if j == 300 else 1 for j in range(MINUTES)],
        "iv_atm": [0.12 if j == 310 else None for j in range(MINUTES)],
    }
    spread = days(Expiry(values=values))["iv_rv_spread"].item()
    realised = math.sqrt(94_500 * (59 * R * R + 4 * R * R) / 61)
    assert spread == pytest.approx(0.12 - realised, abs=1e-14)


def test_a_day_without_volatility_keeps_its_row():
    frame = days(Expiry(values={**CALM, "iv_atm": [None] * MINUTES}))
    row = frame.row(0, named=True)
    assert row["iv_atm"] is None
    assert row["iv_rv_spread"] is None
    assert row["rr25"] == pytest.approx(-0.1, abs=1e-14)


def test_zone_means():
    iv = [0.10 if j < 45 else 0.20 if j < 135 else 0.30 for j in range(MINUTES)]
    frame = zones(Expiry(values={"iv_atm": iv}), Expiry(8, values={"iv_atm": 0.5}))
    assert frame.columns == ["symbol", "date", "dte_bucket", "zone_name", "iv_atm"]
    near = frame.filter(pl.col("dte_bucket") == "near")
    assert near["zone_name"].to_list() == ["OPEN", "MID_MORN", "LUNCH", "AFTERNOON", "CLOSE"]
    assert near["iv_atm"].to_list() == pytest.approx([0.1, 0.2, 0.3, 0.3, 0.3], abs=1e-14)
    assert frame.filter(pl.col("dte_bucket") == "mid").height == 5


def test_a_zone_without_rows_has_no_row():
    frame = zones(Expiry(missing=range(45, 135)))
    assert frame["zone_name"].to_list() == ["OPEN", "LUNCH", "AFTERNOON", "CLOSE"]


@pytest.mark.parametrize("function", [iv_day_history, iv_zone_history])
def test_a_batch_gives_the_bits_of_its_days(function):
    parts = [
        [Expiry(4, seed=1), Expiry(7, seed=2, missing=range(60, 120)), Expiry(40, seed=3)],
        [Expiry(4, "BANKNIFTY", seed=4)],
        [Expiry(4, date=DAY + dt.timedelta(days=1), seed=5), Expiry(11, seed=6)],
    ]
    alone = pl.concat([function(panel(part), ENGINE) for part in parts[:2]])
    both = function(panel([*parts[0], *parts[1]]), ENGINE)
    order = ["symbol", "dte_bucket", *(["zone_name"] if "zone_name" in both.columns else [])]
    assert both.sort(order).equals(alone.sort(order))
    many = function(panel([expiry for part in parts for expiry in part]), ENGINE)
    far = pl.col("dte_bucket") == "far"
    assert many.filter(far).equals(both.filter(far))
