"""C3: golden values by hand on made-up panels, and the component as a whole on made-up chains."""

from __future__ import annotations

import datetime as dt
import math
import statistics
from collections.abc import Sequence
from functools import lru_cache

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mr_platform.features.c3_oi_price_action import c3_features
from mr_platform.features.history import previous_days
from mr_platform.features.inputs import FeatureInputs
from mr_platform.features.oi_history import oi_close_history, previous_oi_close
from mr_platform.registry.loader import load_registry
from mr_platform_tests.features.oi_chains import DAY, ENGINE, EXPIRY, panel_of, random_day

MINUTES = 375
COLUMNS = load_registry().components["c3"].columns


def features(panel: pl.DataFrame, zones: pl.DataFrame | None = None) -> pl.DataFrame:
    history = {} if zones is None else {"hist_c3_zone": zones.lazy()}
    days = previous_days(panel["date"].unique().to_list(), 20).lazy()
    return c3_features(FeatureInputs(panel=panel, history=history, days=days, engine=ENGINE))


@lru_cache(maxsize=1)
def empty_panel() -> pl.DataFrame:
    """One expiry's grid, every series null."""
    panel = panel_of(random_day(1, minutes=2, expiries=(EXPIRY,)))
    grid = panel.columns[: panel.columns.index("tau") + 1]
    return panel.with_columns(
        pl.lit(None, dtype=dtype).alias(name)
        for name, dtype in panel.schema.items()
        if name not in grid
    )


def made(zones: pl.DataFrame | None = None, **series: Sequence[float | None]) -> pl.DataFrame:
    """Features of a panel on which only these series exist, from the first minute on."""
    panel = empty_panel()
    filled = {
        name: pl.Series(name, [*values, *[None] * (MINUTES - len(values))], strict=False).cast(
            panel.schema[name]
        )
        for name, values in series.items()
    }
    return features(panel.with_columns(**filled), zones)


def wave(n: int, size: float = 1.0) -> list[float]:
    return [round(size * (math.sin(1.7 * i) + 0.3 * math.cos(0.4 * i)), 6) for i in range(n)]


def changes(leg: str, w: int, values: Sequence[float | None], base: int = 10**9):
    """Sums that make o_w of a leg equal to ``values`` (thousandths of a millionth)."""
    scaled = [None if value is None else round(value * base) for value in values]
    bases = [None if value is None else base for value in values]
    return {f"o3_change_{leg}_{w}": scaled, f"o3_base_{leg}_{w}": bases}


# -- standardised series --------------------------------------------------------------------------


def test_a_shock_compares_with_the_hour_before():
    move = wave(80, 0.01)
    move[70] = 0.03
    frame = made(**changes("ce", 5, move))
    z = frame["c3_oi_shock_z_ce"].to_list()
    assert z[:30] == [None] * 30
    before = [round(value * 10**9) / 10**9 for value in move[10:70]]
    expected = (0.03 - statistics.mean(before)) / statistics.stdev(before)
    assert z[70] == pytest.approx(expected, rel=1e-12)
    assert frame["c3_oi_change_ce_5m"][70] == 3.0
    move[70] = 5.0
    assert made(**changes("ce", 5, move))["c3_oi_shock_z_ce"][70] == 10.0


def test_a_shock_is_null_after_a_still_hour():
    frame = made(**changes("ce", 5, [0.0] * 50 + [0.01]))
    assert frame["c3_oi_shock_z_ce"][50] is None


def test_rollup_scales_windows_by_root_time():
    n = 40
    by_window = {w: wave(n, 0.001 * w) for w in (3, 5, 10, 15)}
    sums = {}
    for w, values in by_window.items():
        sums |= changes("ce", w, values)
    out = made(**sums)["c3_oi_mtf_ce"].to_list()
    three = [round(value * 10**9) / 10**9 for value in by_window[3]]
    minute = statistics.stdev(three) / math.sqrt(3)
    weights = {3: 0.15, 5: 0.35, 10: 0.30, 15: 0.20}
    expected = sum(
        weight * round(by_window[w][-1] * 10**9) / 10**9 / (minute * math.sqrt(w))
        for w, weight in weights.items()
    )
    assert out[n - 1] == pytest.approx(expected, rel=1e-12)
    assert out[28] is None
    assert out[29] is not None


def test_net_change_is_puts_less_calls_over_both_bases():
    sums = changes("ce", 3, [0.01], base=1000) | changes("pe", 3, [0.04], base=3000)
    frame = made(**sums)
    assert frame["c3_oi_change_net_3m"][0] == pytest.approx(100 * (120 - 10) / 4000, rel=1e-15)
    assert made(**changes("ce", 3, [0.01]))["c3_oi_change_net_3m"][0] is None


# -- quadrants ------------------------------------------------------------------------------------


def flat_then(*last: float, n: int = 20) -> list[float]:
    return [0.01 if i % 2 else -0.01 for i in range(n)] + list(last)


@pytest.mark.parametrize(
    ("price", "positions", "code", "direction"),
    [(0.01, 0.01, 1, 1.0), (-0.01, 0.01, 2, -1.0), (0.01, -0.01, 3, 0.5), (-0.01, -0.01, 4, -0.5),
     (0.002, 0.01, 0, 0.0), (0.01, 0.0, 0, 0.0)],
)  # fmt: skip
def test_quadrants_and_their_direction(price, positions, code, direction):
    series = {}
    for leg in ("ce", "pe"):
        last = (price, positions) if leg == "ce" else (0.01, 0.01)
        series[f"o3_price_{leg}_5"] = flat_then(last[0])
        series |= changes(leg, 5, flat_then(last[1]))
    # a future that rises by the same share in every five minutes, with open interest
    series["fut"] = [100.0 * 1.01 ** (i // 5) for i in range(21)]
    series["fut_oi"] = [10_000 * 2 ** (i // 5) for i in range(21)]
    frame = made(**series)
    assert frame["c3_quadrant_ce_5m"][20] == code
    assert frame["c3_quadrant_pe_5m"][20] == 1
    assert frame["c3_quadrant_fut_5m"][19] == 1
    assert frame["c3_quadrant_ce_5m"].to_list()[:14] == [None] * 14
    assert frame["c3_threeway_alignment_5m"][20] == pytest.approx((direction - 1.0 + 1.0) / 3)


def test_an_age_ends_with_a_missing_code():
    series = {"o3_price_ce_15": flat_then(0.01, 0.01, None, 0.01, 0.01, -0.01)}
    series |= changes("ce", 15, flat_then(*[0.01] * 6))
    frame = made(**series)
    assert frame["c3_quadrant_ce_15m"].to_list()[20:26] == [1, 1, None, 1, 1, 2]
    # minute 19 was long build-up too, minute 18 long unwinding
    assert frame["c3_quadrant_age_ce"].to_list()[18:26] == [1, 1, 2, 3, None, 1, 2, 1]


# -- ratios, walls, history -----------------------------------------------------------------------


def test_ratios_and_levels():
    frame = made(
        o3_oi_ce=[200, 0], o3_oi_pe=[300, 5], oi_ce=[400, 1], oi_pe=[100, 1],
        o3_volume_ce_15=[50, 1], o3_volume_pe_15=[25, 1], spot=[100.0, 100.0],
        max_pain=[101.0, 104.0], o3_pain_depth=[0.25, None], o3_call_above=[110.0, 110.0],
        o3_put_below=[90.0, 95.0], o3_call_above_growth=[1.5, 0.5], o3_spread=[3.0, None],
        o3_since_close_ce=[math.e, 0.0], o3_velocity_ce_3=[0.01, None],
    )  # fmt: skip
    expected = {
        "c3_pcr_oi": [1.5, None],
        "c3_pcr_oi_all": [0.25, 1.0],
        "c3_pcr_volume_15m": [0.5, 1.0],
        "c3_max_pain_distance": [1.0, 4.0],
        "c3_max_pain_shift_session": [0.0, 3.0],
        "c3_max_pain_depth": [0.25, None],
        "c3_oi_wall_distance_call_above": [10.0, 10.0],
        "c3_oi_wall_distance_put_below": [10.0, 5.0],
        "c3_oi_wall_change_15m_call_above": [50.0, -50.0],
        "c3_oi_wall_position": [0.5, 1 / 3],
        "c3_oi_dispersion": [3.0, None],
        "c3_oi_since_prev_close_ce": [100.0, None],
        "c3_oi_velocity_ce_3m": [1.0, None],
    }
    for name, values in expected.items():
        for row, value in enumerate(values):
            assert frame[name][row] == (None if value is None else pytest.approx(value)), name


def test_a_wall_on_both_sides_has_no_position():
    frame = made(spot=[100.0], o3_call_above=[100.0], o3_put_below=[100.0])
    assert frame["c3_oi_wall_position"][0] is None
    assert frame["c3_oi_wall_distance_put_below"][0] == 0.0


def test_the_sessions_put_call_ratio_counts_every_row_but_needs_15_strikes_now():
    frame = made(
        o3_volume_ce=[10, None, 30, 5], o3_volume_pe=[5, None, 10, 5],
        o3_volume_strikes_ce=[20, None, 14, 15], o3_volume_strikes_pe=[20, None, 20, 15],
    )  # fmt: skip
    assert frame["c3_pcr_volume_session"].to_list()[:4] == [0.5, None, None, 20 / 45]


def zones(values: Sequence[float | None], bucket: str = "near") -> pl.DataFrame:
    days = previous_days([DAY], 20).sort("back")["hist_date"].to_list()[: len(values)]
    return pl.DataFrame(
        {
            "symbol": "NIFTY", "date": days, "dte_bucket": bucket, "zone_name": "OPEN",
            "pcr_oi": values, "turnover": [0.1] * len(values),
        },
        schema_overrides={"pcr_oi": pl.Float64},
    )  # fmt: skip


def test_a_zone_percentile_ranks_among_past_days():
    series = {"o3_oi_ce": [100], "o3_oi_pe": [100]}
    past = [0.5, 0.6, 0.7, 1.0, 1.0, 1.2, 1.3, 1.4, 1.5, None, 1.6]
    frame = made(zones(past), **series)
    assert frame["c3_pcr_oi_zone_pctl_20d"][0] == (3 + 0.5 * 2) / 10
    assert frame["c3_turnover_zone_pctl_20d"][0] is None  # no volume
    assert made(zones(past[:10]), **series)["c3_pcr_oi_zone_pctl_20d"][0] is None
    assert made(zones(past, "mid"), **series)["c3_pcr_oi_zone_pctl_20d"][0] is None
    assert made(**series)["c3_pcr_oi_zone_pctl_20d"][0] is None


# -- flow -----------------------------------------------------------------------------------------


def test_divergence_of_price_and_positioning():
    n = 40
    future = [100.0] * 15
    for i in range(15, n):
        future.append(future[i - 15] * (1.01 if i % 2 else 0.99))
    future.append(future[n - 15] * 0.98)
    future.append(future[n - 14] * 0.98)
    net = [0.01 if i % 2 else -0.01 for i in range(n)]
    series = {"fut": future} | changes("ce", 15, [0.0] * (n + 2))
    series |= changes("pe", 15, [*net, 0.02, -0.02])
    frame = made(**series)
    assert frame["c3_divergence_type"][n] == 1
    assert frame["c3_divergence_type"][n - 1] == 0  # rises together, churn unknown
    assert frame["c3_divergence_age"].to_list()[n - 1 : n + 2] == [0, 1, 0]
    assert frame["c3_divergence_strength"][n + 1] == 0.0
    price = [future[i] / future[i - 15] - 1 for i in range(15, n + 1)]
    moved = [*net, 0.02]
    zp = price[-1] / math.sqrt(sum(x * x for x in price) / len(price))
    zn = 0.01 / math.sqrt(sum((x / 2) ** 2 for x in moved) / len(moved))
    expected = math.sqrt(-zp * zn)
    assert frame["c3_divergence_strength"][n] == pytest.approx(expected, rel=1e-9)
    assert frame["c3_divergence_type"][28] is None  # 14 changes of the future


def test_churn_is_volume_without_position_change():
    n = 60
    series = {"fut": [100.0 + 0.01 * i for i in range(n)]}
    for leg, rate in (("ce", 0.001), ("pe", 0.002)):
        # puts are added as the price rises, so price and positioning agree
        series |= changes(leg, 15, [rate + 0.0001 * (i % 3) for i in range(n)])
        series[f"o3_volume_{leg}_15"] = [1000 + i % 7 for i in range(n - 1)] + [9000]
        series[f"o3_gross_{leg}"] = [10**6 + 1000 * (i % 5) for i in range(n - 1)] + [10**6]
    frame = made(**series)
    assert frame["c3_divergence_type"][n - 1] == 3
    tape = [math.log(1001 + i % 7) for i in range(n - 1)]
    positions = [(10**6 + 1000 * (i % 5)) / 10**9 for i in range(n - 1)]
    z = (math.log(9001) - statistics.mean(tape)) / statistics.stdev(tape)
    other = (0.001 - statistics.mean(positions)) / statistics.stdev(positions)
    expected = min(z, 10.0) - other
    got = frame["c3_volume_oi_divergence_ce_15m"][n - 1]
    assert got == pytest.approx(expected, rel=1e-9)


def test_institutional_flow_needs_two_of_three_terms():
    n = 65
    moves = flat_then(0.02, n=n - 1)
    series = {}
    for leg in ("ce", "pe"):
        series |= changes(leg, 5, moves)
        series[f"o3_price_{leg}_5"] = flat_then(0.01 if leg == "ce" else -0.01, n=n - 1)
        series[f"o3_gross_{leg}"] = [10] * n
        series[f"o3_volume_{leg}_15"] = [100] * n
    frame = made(**series)
    before = moves[n - 61 : n - 1]
    z = (0.02 - statistics.mean(before)) / statistics.stdev(before)
    # calls bought, puts written: both bullish, half absorbed, no future
    term = min(z, 4.0) * (0.5 + 0.5 * 0.5)
    assert frame["c3_absorption_ce_15m"][n - 1] == 0.1
    score = frame["c3_institutional_flow_score"][n - 1]
    assert score == pytest.approx(math.tanh(0.5 * term), rel=1e-9)
    del series["o3_gross_pe"]
    assert made(**series)["c3_institutional_flow_score"].null_count() == MINUTES


# -- the future -----------------------------------------------------------------------------------


def test_range_against_the_hour_before_it():
    n = 60
    high = [100.0 + i % 4 for i in range(n)]
    low = [99.0 - i % 3 for i in range(n)]
    low[50] = None  # a minute without a low has no range, and its high does not count
    high[50] = 500.0
    out = made(fut_high=high, fut_low=low)["c3_range_ratio_5m"].to_list()
    spans: list[float | None] = []
    for t in range(n):
        seen = [i for i in range(max(0, t - 4), t + 1) if i != 50]
        few = len(seen) < 4
        spans.append(None if few else max(high[i] for i in seen) - min(low[i] for i in seen))  # type: ignore[type-var, operator]
    past = [span for span in spans[: n - 5] if span is not None]
    expected = math.log(spans[n - 1] / (sum(past) / len(past)))  # type: ignore[operator]
    assert out[n - 1] == pytest.approx(expected, rel=1e-12)
    assert out[36] is None
    assert out[37] is not None


def test_volume_profile_weighs_the_session_so_far():
    n = 20
    close = [100.0 + (i % 5) for i in range(n - 1)] + [110.0]
    volume = [10 + i for i in range(n)]
    volume[7] = None  # type: ignore[call-overload]
    frame = made(fut=close, fut_high=close, fut_low=close, fut_volume=volume)
    pairs = [(v, y) for v, y in zip(volume, close, strict=True) if v is not None]
    total = sum(v for v, _ in pairs)
    mean = sum(v * y for v, y in pairs) / total
    deviation = math.sqrt(sum(v * (y - mean) ** 2 for v, y in pairs) / total)
    assert frame["c3_volume_profile_dev"][n - 1] == pytest.approx((110 - mean) / deviation)
    assert frame["c3_volume_profile"][n - 1] == 1
    assert frame["c3_volume_profile_dev"].to_list()[:15] == [None] * 15
    assert frame["c3_volume_profile"][15] is not None


def test_expansion_counts_no_dispersion_as_none():
    n = 110
    series = {
        "fut_high": [100.0 + 0.05 * (i % 9) for i in range(n)],
        "fut_low": [99.0 - 0.07 * (i % 11) for i in range(n)],
    }
    alone = made(**series)
    ranges = [alone[f"c3_range_ratio_{w}m"][n - 1] for w in (15, 5)]
    expected = math.tanh(0.6 * ranges[0] + 0.2 * ranges[1])
    assert alone["c3_range_expansion_score"][n - 1] == pytest.approx(expected, rel=1e-12)
    moving = made(**series, o3_spread_growth=[0.01] * n)
    assert moving["c3_oi_dispersion_change_15m"][0] == pytest.approx(1.0)
    assert moving["c3_range_expansion_score"][n - 1] == pytest.approx(
        math.tanh(0.6 * ranges[0] + 0.2 * ranges[1] + 0.2), rel=1e-12
    )


# -- the whole component --------------------------------------------------------------------------


@lru_cache(maxsize=1)
def whole() -> pl.DataFrame:
    return panel_of(random_day(11, minutes=130, missing=tuple(range(95, 100))))


def test_every_declared_column_and_its_range():
    frame = features(whole())
    assert sorted(frame.columns) == sorted(column.name for column in COLUMNS)
    assert frame.height == whole().height
    for column in COLUMNS:
        values = frame[column.name]
        assert values.dtype.is_numeric(), column.name
        if column.dtype == "INT64":
            assert values.dtype.is_integer(), column.name
        else:
            assert values.drop_nulls().is_finite().all(), column.name
        if column.low is not None:
            assert not (values < column.low).any(), column.name
        if column.high is not None:
            assert not (values > column.high).any(), column.name


def test_most_columns_have_values():
    frame = features(whole())
    silent = {name for name in frame.columns if not frame[name].count()}
    assert silent == {
        "c3_oi_since_prev_close_ce", "c3_oi_since_prev_close_pe", "c3_pcr_oi_zone_pctl_20d",
        "c3_turnover_zone_pctl_20d",
    }  # fmt: skip


def test_no_minute_sees_a_later_one():
    chain = random_day(12, minutes=125)
    start = chain["ts_minute"].min()
    assert isinstance(start, dt.datetime)
    panel = panel_of(chain)
    every = features(panel)
    for last in (20, 70, 110):
        cut = panel_of(chain.filter(pl.col("ts_minute") <= start + dt.timedelta(minutes=last)))
        seen = features(cut).filter(cut["j"] <= last)
        assert_frame_equal(seen, every.filter(panel["j"] <= last), check_exact=True)


def test_a_day_alone_gives_the_bits_of_a_batch():
    chains = [
        random_day(13, minutes=120),
        random_day(14, minutes=120, symbol="BANKNIFTY", expiries=(dt.date(2025, 9, 30),)),
        random_day(15, minutes=120, day=dt.date(2025, 9, 1)),
    ]
    panel = panel_of(pl.concat(chains))
    batch = features(panel)
    for chain in chains:
        alone = features(panel_of(chain))
        symbol, day = chain["symbol"][0], chain["date"][0]
        here = (panel["symbol"] == symbol) & (panel["date"] == day)
        assert_frame_equal(batch.filter(here), alone, check_exact=True)


def test_what_the_future_says_is_the_same_for_every_expiry():
    frame = features(whole())
    shared = [column.name for column in COLUMNS if column.scope == "underlying"]
    assert shared
    first, second = frame.slice(0, MINUTES), frame.slice(MINUTES, MINUTES)
    assert_frame_equal(first.select(shared), second.select(shared), check_exact=True)


def test_without_futures_only_what_needs_them_is_null():
    frame = features(panel_of(random_day(16, minutes=120, futures=False)))
    for name in frame.columns:
        if "fut" in name or "range" in name or "volume_profile" in name or "alignment" in name:
            assert frame[name].null_count() == frame.height, name
    assert frame["c3_institutional_flow_score"].count() > 0
    assert frame["c3_divergence_type"].count() == 0


def test_without_open_interest_volume_and_the_future_remain():
    frame = features(panel_of(random_day(17, minutes=120, open_interest=False)))
    left = {name for name in frame.columns if frame[name].count()}
    assert {"c3_cum_volume_ce_5m", "c3_pcr_volume_session", "c3_range_ratio_15m"} <= left
    assert "c3_range_expansion_score" in left
    assert not {name for name in left if "_oi_" in name and "_fut" not in name}


def test_a_missing_hour_warms_up_again():
    gap = tuple(range(20, 80))
    panel = panel_of(random_day(18, minutes=120, expiries=(EXPIRY,), missing=gap))
    frame = features(panel)
    inside = frame.filter(panel["j"].is_in(gap))
    assert inside["c3_cum_oi_ce"].count() == 0
    assert inside["c3_quadrant_age_ce"].count() == 0
    after = dict(zip(panel["j"], frame["c3_oi_change_ce_15m"], strict=True))
    assert [after[j] is None for j in (19, 80, 94, 95)] == [False, True, True, False]


def test_yesterdays_close_reaches_the_feature():
    yesterday = random_day(19, minutes=20, day=dt.date(2025, 8, 28))
    today = random_day(20, minutes=20)
    days = previous_days([DAY], 5).lazy()
    before = previous_oi_close(oi_close_history(yesterday, ENGINE).lazy(), days, ENGINE)
    panel = panel_of(today, before)
    value = features(panel)["c3_oi_since_prev_close_pe"][10]
    minute = today.filter(
        pl.col("ts_minute") == panel["ts_minute"][10],
        pl.col("expiry_date") == panel["expiry_date"][10],
    )
    pairs = minute.join(before, on=["expiry_date", "strike"]).filter(
        pl.col("pe_oi").is_not_null() & pl.col("pe_oi_right").is_not_null()
    )
    expected = 100 * math.log(pairs["pe_oi"].sum() / pairs["pe_oi_right"].sum())
    assert value == pytest.approx(expected, rel=1e-14)
