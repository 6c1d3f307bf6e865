"""Minutes against past days: percentiles, ranks and levels by hand, and how much they need."""

from __future__ import annotations

import polars as pl
import pytest

from mr_platform.features.c4_iv_ranks import day_ranks
from mr_platform_tests.features.c4_panels import MINUTES, Expiry, day_history, inputs, panel

DAYS = [0.08 + 0.001 * n for n in range(252)]  # one day back 0.08, 252 days back 0.331


def ranks(expiries, history=None, premium: float | None = 0.0) -> pl.DataFrame:
    frame = panel(expiries)
    given = pl.Series([premium] * frame.height, dtype=pl.Float64)
    found = day_ranks(inputs(frame, history), given)
    return frame.select("dte", "j", "zone_name").hstack(found)


def first(frame: pl.DataFrame, column: str, j: int = 0):
    return frame.filter(pl.col("j") == j)[column].first()


def day_table(values, **more):
    return {"hist_c4_day": day_history({"iv_atm": values, **more})}


def test_percentiles_over_the_three_horizons_by_hand():
    frame = ranks([Expiry(values={"iv_atm": 0.0895})], day_table(DAYS))
    assert first(frame, "c4_iv_pctl_20d") == 10 / 20
    assert first(frame, "c4_iv_pctl_60d") == 10 / 60
    assert first(frame, "c4_iv_pctl_252d") == 10 / 252
    assert first(frame, "c4_iv_rank_20d") == pytest.approx(0.5, abs=1e-12)
    assert first(frame, "c4_iv_rank_60d") == pytest.approx(0.0095 / 0.059, abs=1e-12)
    assert first(frame, "c4_volatility_rank") == pytest.approx(0.0095 / 0.251, abs=1e-12)
    # a value that equals one of the days counts half of it
    tied = ranks([Expiry(values={"iv_atm": DAYS[3]})], day_table(DAYS))
    assert first(tied, "c4_iv_pctl_20d") == 3.5 / 20


def test_ranks_are_clipped_and_need_two_different_values():
    frame = ranks([Expiry(values={"iv_atm": 0.5})], day_table(DAYS))
    assert first(frame, "c4_iv_rank_20d") == 1.0
    assert first(frame, "c4_iv_pctl_252d") == 1.0
    alike = ranks([Expiry(values={"iv_atm": 0.5})], day_table([0.1] * 60))
    assert first(alike, "c4_iv_rank_20d") is None
    assert first(alike, "c4_iv_pctl_20d") == 1.0


@pytest.mark.parametrize(
    ("days", "known"),
    [
        (9, set()),
        (10, {"c4_iv_pctl_20d", "c4_iv_rank_20d"}),
        (19, {"c4_iv_pctl_20d", "c4_iv_rank_20d"}),
        (20, {"c4_iv_pctl_20d", "c4_iv_rank_20d", "c4_volatility_rank"}),
        (30, {"c4_iv_pctl_20d", "c4_iv_rank_20d", "c4_volatility_rank", "c4_iv_pctl_60d",
              "c4_iv_rank_60d"}),
        (126, {"c4_iv_pctl_20d", "c4_iv_rank_20d", "c4_volatility_rank", "c4_iv_pctl_60d",
               "c4_iv_rank_60d", "c4_iv_pctl_252d"}),
    ],
)  # fmt: skip
def test_days_that_each_horizon_needs(days: int, known: set[str]):
    frame = ranks([Expiry(values={"iv_atm": 0.1})], day_table(DAYS[:days]))
    names = [
        name for name in frame.columns if name.startswith(("c4_iv_pctl", "c4_iv_rank", "c4_vol"))
    ]
    assert {name for name in names if first(frame, name) is not None} == known
    assert (first(frame, "c4_iv_regime_level") is None) == (days < 10)


def test_days_without_a_value_are_not_counted():
    sparse = [value if n % 2 else None for n, value in enumerate(DAYS[:20])]
    frame = ranks([Expiry(values={"iv_atm": 0.0895})], day_table(sparse))
    assert first(frame, "c4_iv_pctl_20d") == 5 / 10
    assert first(frame, "c4_volatility_rank") is None


def test_an_older_day_moves_no_nearer_because_days_are_missing():
    late = [None] * 15 + DAYS[:10]  # 16 to 25 days back: only five of them within 20
    frame = ranks([Expiry(values={"iv_atm": 0.1})], day_table(late))
    assert first(frame, "c4_iv_pctl_20d") is None


def test_the_regime_takes_the_longest_horizon_that_has_enough():
    short = ranks([Expiry(values={"iv_atm": 0.0895})], day_table(DAYS[:20]))
    assert first(short, "c4_iv_regime_level") == 4  # 0.5 of 20 days
    longer = ranks([Expiry(values={"iv_atm": 0.0895})], day_table(DAYS[:60]))
    assert first(longer, "c4_iv_regime_level") == 2  # 1/6 of 60
    full = ranks([Expiry(values={"iv_atm": 0.0895})], day_table(DAYS))
    assert first(full, "c4_iv_regime_level") == 1  # 10/252


@pytest.mark.parametrize(
    ("below", "level"),
    [(0, 1), (1, 1), (2, 2), (4, 2), (5, 3), (7, 3), (8, 4), (11, 4), (12, 5), (14, 5), (15, 6),
     (17, 6), (18, 7), (20, 7)],
)  # fmt: skip
def test_level_bounds_belong_to_the_higher_level(below: int, level: int):
    # of twenty days so many lie below: bounds 2, 5, 8, 12, 15 and 18 of 20
    frame = ranks(
        [Expiry(values={"iv_atm": DAYS[0] + 0.001 * below - 0.0005})], day_table(DAYS[:20])
    )
    assert first(frame, "c4_iv_pctl_20d") == below / 20
    assert first(frame, "c4_iv_regime_level") == level


def test_age_shift_and_change_follow_the_level_through_the_session():
    iv = [0.0795 if j < 40 else 0.0995 for j in range(MINUTES)]
    frame = ranks([Expiry(values={"iv_atm": iv}, missing=[10])], day_table(DAYS[:20]))
    assert first(frame, "c4_iv_regime_level", 39) == 1
    assert first(frame, "c4_iv_regime_level", 40) == 7
    assert first(frame, "c4_iv_regime_age", 0) == 1
    assert first(frame, "c4_iv_regime_age", 9) == 10
    assert first(frame, "c4_iv_regime_age", 10) is None
    assert first(frame, "c4_iv_regime_age", 11) == 1  # the missing minute ended the run
    assert first(frame, "c4_iv_regime_age", 39) == 29
    assert first(frame, "c4_iv_regime_age", 40) == 1
    assert first(frame, "c4_iv_regime_shift_30m", 29) is None
    assert first(frame, "c4_iv_regime_shift_30m", 30) == 0
    assert first(frame, "c4_iv_regime_shift_30m", 40) is None  # minute 10 is missing
    assert first(frame, "c4_iv_regime_shift_30m", 41) == 6
    assert first(frame, "c4_ivp_chg_30m", 41) == 1.0
    assert first(frame, "c4_ivp_chg_60m", 99) == 1.0
    assert first(frame, "c4_ivp_chg_60m", 100) == 0.0


def test_skew_is_compared_with_its_sign_turned():
    history = day_table([0.1] * 20, rr25=[-0.01 * n for n in range(20)])
    frame = ranks([Expiry(values={"s4_rr25": -0.145})], history)
    assert first(frame, "c4_skew_pctl_20d") == 15 / 20
    assert first(frame, "c4_skew_pctl_60d") is None


def test_risk_premium_is_compared_with_that_of_past_days():
    history = day_table([0.1] * 60, iv_rv_spread=[0.001 * n for n in range(60)])
    frame = ranks([Expiry()], history, premium=0.0055)
    assert first(frame, "c4_vrp_pctl_20d") == 6 / 20
    assert first(frame, "c4_vrp_pctl_60d") == 6 / 60
    assert first(ranks([Expiry()], history, premium=None), "c4_vrp_pctl_20d") is None


def test_zones_are_compared_with_themselves():
    history = {"hist_c4_zone": day_history({"iv_atm": DAYS[:20]}, zone="LUNCH")}
    frame = ranks([Expiry(values={"iv_atm": 0.0975})], history)
    lunch = frame.filter(pl.col("zone_name") == "LUNCH")
    rest = frame.filter(pl.col("zone_name") != "LUNCH")
    assert lunch["c4_iv_zone_pctl_20d"].unique().to_list() == [18 / 20]
    assert lunch["c4_iv_regime_zone_level"].unique().to_list() == [7]
    assert rest["c4_iv_zone_pctl_20d"].null_count() == rest.height
    assert rest["c4_iv_regime_zone_level"].null_count() == rest.height


def test_buckets_and_symbols_are_compared_with_themselves():
    history = day_table(DAYS[:20])  # NIFTY, near
    expiries = [
        Expiry(7, values={"iv_atm": 0.0895}),
        Expiry(8, values={"iv_atm": 0.0895}),
        Expiry(7, "BANKNIFTY", values={"iv_atm": 0.0895}),
    ]
    frame = ranks(expiries, history)
    known = frame.filter(pl.col("c4_iv_pctl_20d").is_not_null())
    assert known.height == MINUTES
    assert known["dte"].unique().to_list() == [7]


def test_without_history_everything_is_null():
    frame = ranks([Expiry(), Expiry(21)])
    features = frame.drop("dte", "j", "zone_name")
    assert features.width == 19
    assert features.null_count().row(0) == (2 * MINUTES,) * features.width
