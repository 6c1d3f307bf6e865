"""C1 inside the session: every family against the definition worked out in plain loops."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from itertools import pairwise

import polars as pl
import pytest

from mr_platform.features.c1_triple_straddle import PAIRS, c1_features
from mr_platform.features.history import previous_days
from mr_platform.registry.loader import load_registry
from mr_platform_tests.features.c1_panels import (
    COUNTS,
    DAY,
    MINUTES,
    Group,
    Values,
    assert_close,
    blank,
    column,
    inputs,
    minute_table,
    panel,
    until,
)

DECLARED = load_registry().components["c1"].columns
YESTERDAY = previous_days([DAY], 1)["hist_date"][0]
PRICE = {"atm": "strd", "itm1": "itm1", "otm1": "otm1", "comb": "comb", "ce": "ce", "pe": "pe"}
PRICE["fut"] = "fut"
GAPPY = Group(seed=8, missing=(0, 2, 3, 50, 51, 52, 90, *range(130, 150), 260))

Loop = Callable[[int], float | None]


@pytest.fixture(scope="module")
def frame() -> pl.DataFrame:
    """Two expiries of a day; in the one with gaps some volumes and legs are missing too."""
    whole = panel([Group(seed=3), GAPPY])
    gappy = pl.col("g") == 1
    whole = blank(whole, gappy & pl.col("j").is_in([20, 21, 77]), ["atm_ce_volume"])
    whole = blank(whole, gappy & (pl.col("j") == 33), ["itm1", "comb", "r_itm1", "r_comb",
                                                        "r_itm1_min", "r_comb_min"])  # fmt: skip
    return blank(whole, gappy & pl.col("j").is_between(1, 8), ["otm1_pe_volume", "atm_ce_high"])


@pytest.fixture(scope="module")
def daily() -> pl.DataFrame:
    """Yesterday's row of the expiry."""
    prices = {
        f"{price}_{what}": [value + shift]
        for price, shift in {"strd": 0.0, "comb": 5.0, "ce": -110.0, "pe": -120.0}.items()
        for what, value in {"high": 240.0, "low": 222.0, "close": 231.0}.items()
    }
    return pl.DataFrame(
        {"symbol": ["NIFTY"], "date": [YESTERDAY], "expiry_date": [Group().expiry], **prices}
    )


@pytest.fixture(scope="module")
def ours(frame: pl.DataFrame, daily: pl.DataFrame) -> pl.DataFrame:
    past = minute_table(panel([Group(date=YESTERDAY, seed=70)]))
    return c1_features(inputs(frame, daily=daily, minutes=past))


class Series:
    """Columns of one group, and windows over them."""

    def __init__(self, frame: pl.DataFrame, group: int) -> None:
        self.frame, self.group = frame, group

    def __getitem__(self, name: str) -> Values:
        return column(self.frame, name, self.group)

    def window(self, name: str, t: int, w: int) -> list[float]:
        return [x for x in self[name][max(0, t - w + 1) : t + 1] if x is not None]

    def together(self, names: list[str], t: int, w: int) -> list[tuple[float, ...]]:
        rows = zip(*[self[name][max(0, t - w + 1) : t + 1] for name in names], strict=True)
        return [row for row in rows if None not in row]

    def volumes(self, series: str, t: int, w: int) -> list[tuple[float, float]]:
        """Price and volume of the bars that have both."""
        legs = {"ce": ["atm_ce"], "pe": ["atm_pe"], "comb": [
            f"{name}_{side}" for name in ("atm", "itm1", "otm1") for side in ("ce", "pe")
        ]}.get(series, [f"{series}_ce", f"{series}_pe"])  # fmt: skip
        names = [PRICE[series], *[f"{leg}_volume" for leg in legs]]
        return [(row[0], sum(row[1:])) for row in self.together(names, t, w)]

    def mean_square(self, name: str, t: int, w: int, needed: int) -> float | None:
        pairs = self.together([name, f"{name}_min"], t, w)
        if len(pairs) < needed:
            return None
        return sum(h * h for h, _ in pairs) / sum(span for _, span in pairs)


def check(ours: pl.DataFrame, name: str, loop: Callable[[Series, int], float | None],
          frame: pl.DataFrame, every: int = 7) -> None:  # fmt: skip
    """A column against a loop, on a part of the minutes of both groups."""
    for group in (0, 1):
        series = Series(frame, group)
        present = column(frame, "present", group)
        minutes = [t for t in [*range(70), *range(70, MINUTES, every), 374] if present[t]]
        got = column(ours, name, group)
        assert_close([got[t] for t in minutes], [loop(series, t) for t in minutes])


def ln(x: float | None) -> float | None:
    return math.log(x) if x is not None and x > 0 else None


def div(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None or b == 0 else a / b


def minus(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a - b


def opened(values: Values) -> tuple[int, float] | None:
    return next(((t, x) for t, x in enumerate(values[:16]) if x is not None), None)


# -- what comes out -------------------------------------------------------------------------------


def test_columns_are_the_declared_ones(ours: pl.DataFrame, frame: pl.DataFrame) -> None:
    assert sorted(ours.columns) == sorted(declared.name for declared in DECLARED)
    assert ours.height == frame.height
    for declared in DECLARED:
        expected = pl.Int64 if declared.dtype == "INT64" else pl.Float64
        assert ours[declared.name].dtype == expected, declared.name


def test_values_stay_in_their_ranges(ours: pl.DataFrame) -> None:
    for declared in DECLARED:
        values = ours[declared.name].drop_nulls()
        assert values.len() > 0, declared.name
        assert values.is_finite().all(), declared.name
        assert declared.low is None or values.min() >= declared.low, declared.name
        assert declared.high is None or values.max() <= declared.high, declared.name


# -- level, return, trend -------------------------------------------------------------------------


def brenner_subrahmanyam(s: Series, t: int) -> float:
    return s["strd"][t] / (2 * s["spot"][t]) * math.sqrt(2 * math.pi / s["tau"][t])


def test_levels(ours: pl.DataFrame, frame: pl.DataFrame) -> None:
    for name in ("atm", "itm1", "otm1", "ce"):
        check(ours, f"c1_premium_pct_{name}", lambda s, t, n=PRICE[name]: (
            div(100 * s[n][t], s["spot"][t]) if s[n][t] is not None else None), frame)  # fmt: skip
    check(ours, "c1_straddle_iv", brenner_subrahmanyam, frame)
    check(ours, "c1_straddle_curvature", lambda s, t: (
        None if s["itm1"][t] is None
        else math.log(s["itm1"][t] * s["otm1"][t] / s["strd"][t] ** 2)), frame)  # fmt: skip


def test_open_change(ours: pl.DataFrame, frame: pl.DataFrame) -> None:
    for name in ("atm", "itm1", "otm1", "comb", "ce", "pe"):

        def loop(s: Series, t: int, price: str = PRICE[name]) -> float | None:
            first = opened(s[price])
            now = s[price][t]
            return None if first is None or now is None else 100 * (now / first[1] - 1)

        check(ours, f"c1_open_chg_{name}", loop, frame)


def test_returns(ours: pl.DataFrame, frame: pl.DataFrame) -> None:
    for name in ("atm", "comb", "ce", "pe"):
        for w, needed in {3: 2, 5: 4, 10: 7, 15: 10}.items():

            def loop(
                s: Series, t: int, h: str = f"r_{PRICE[name]}", w: int = w, needed: int = needed
            ) -> float | None:
                window = s.window(h, t, w)
                return sum(window) if t >= w and len(window) >= needed else None

            check(ours, f"c1_ret_{name}_{w}m", loop, frame)


def ema(values: Values, t: int, n: int, needed: int) -> float | None:
    valid = [x for x in values[: t + 1] if x is not None]
    if values[t] is None or len(valid) < needed:
        return None
    weights = [(1 - 2 / (n + 1)) ** age for age in range(len(valid))][::-1]
    return sum(w * x for w, x in zip(weights, valid, strict=True)) / sum(weights)


def test_moving_averages(ours: pl.DataFrame, frame: pl.DataFrame) -> None:
    needs = {20: 10, 100: 50, 200: 100}
    for name in ("atm", "comb", "ce", "pe"):
        price = PRICE[name]
        for n, needed in needs.items():
            check(ours, f"c1_ema_dist_{name}_{n}", lambda s, t, price=price, n=n, needed=needed: ln(
                div(s[price][t], ema(s[price], t, n, needed))), frame, 31)  # fmt: skip

        def align(s: Series, t: int, price: str = price) -> float | None:
            values = s[price]
            ladder = [values[t], *[ema(values, t, n, needed) for n, needed in needs.items()]]
            if None in ladder:
                return None
            signs = [math.copysign(1, a - b) for a, b in pairwise(ladder)]
            return sum(signs) / 3

        check(ours, f"c1_ema_align_{name}", align, frame, 31)


def vwap(pairs: list[tuple[float, float]], needed: int) -> float | None:
    total = sum(v for _, v in pairs)
    return sum(p * v for p, v in pairs) / total if len(pairs) >= needed and total else None


def test_volume_weighted_prices(ours: pl.DataFrame, frame: pl.DataFrame) -> None:
    for name in ("atm", "itm1", "otm1", "comb", "ce", "pe"):
        check(ours, f"c1_vwap_dist_{name}", lambda s, t, name=name: ln(
            div(s[PRICE[name]][t], vwap(s.volumes(name, t, 375), 5))), frame, 31)  # fmt: skip
    for name in ("atm", "comb"):

        def z(s: Series, t: int, name: str = name) -> float | None:
            pairs = s.volumes(name, t, 375)
            mean, now = vwap(pairs, 15), s[PRICE[name]][t]
            if mean is None or now is None:
                return None
            square = sum(v * (p - mean) ** 2 for p, v in pairs) / sum(v for _, v in pairs)
            return (now - mean) / math.sqrt(square)

        check(ours, f"c1_vwap_z_{name}", z, frame, 31)

    def future(s: Series, t: int) -> float | None:
        rows = s.together(["fut_high", "fut_low", "fut", "fut_volume"], t, 375)
        pairs = [((h + low + c) / 3, v) for h, low, c, v in rows]
        return ln(div(s["fut"][t], vwap(pairs, 5)))

    check(ours, "c1_fut_vwap_dist", future, frame, 31)


def test_a_price_that_stands_still_has_no_deviation(frame: pl.DataFrame) -> None:
    still = frame.with_columns(strd=pl.lit(0.1) + 0.2)
    ours = c1_features(inputs(still))
    for name in ("c1_vwap_z_atm", "c1_z_atm_15m", "c1_z_atm_60m"):
        assert ours[name].null_count() == ours.height
    assert ours["c1_pctrank_atm_30m"].drop_nulls().unique().to_list() == [0.5]
    assert ours["c1_ema_align_atm"].drop_nulls().unique().to_list() == [0.0]


# -- position -------------------------------------------------------------------------------------


def test_yesterday_by_hand(frame: pl.DataFrame, daily: pl.DataFrame) -> None:
    # H 240, L 222, C 231: PP 231, R1 240, S1 222, R2 249, S2 213, middle of the range 231
    prices = [212.9, 213.0, 221.9, 222.0, 230.9, 231.0, 239.9, 240.0, 248.9, 249.0]
    strd = pl.Series("strd", [*prices, *[None] * (2 * MINUTES - 10)], dtype=pl.Float64)
    ours = c1_features(inputs(frame.with_columns(strd), daily=daily))
    assert ours["c1_pivot_zone_atm"].to_list()[:11] == [-3, -2, -2, -1, -1, 1, 1, 2, 2, 3, None]
    assert ours["c1_pivot_dist_atm"].to_list()[:2] == pytest.approx([-18.1 / 18, -1.0])
    assert ours["c1_cpr_width_atm"].unique().to_list() == [0.0]
    skew = daily.with_columns(strd_close=pl.lit(237.0))
    ours = c1_features(inputs(frame, daily=skew))
    # PP 233, twice the distance to 231 in percent
    assert ours["c1_cpr_width_atm"].to_list() == pytest.approx([400 / 233] * ours.height)


def test_yesterday_without_a_range_or_a_row(frame: pl.DataFrame, daily: pl.DataFrame) -> None:
    flat = daily.with_columns(strd_high=231.0, strd_low=231.0, strd_close=231.0)
    ours = c1_features(inputs(frame, daily=flat))
    assert ours["c1_pivot_zone_atm"].null_count() == ours.height
    assert ours["c1_pivot_dist_atm"].null_count() == ours.height
    assert ours["c1_cpr_width_atm"].unique().to_list() == [0.0]
    other = daily.with_columns(pl.lit(dt.date(2025, 9, 30)).alias("expiry_date"))
    older = daily.with_columns(pl.lit(YESTERDAY - dt.timedelta(days=1)).alias("date"))
    for table in (None, daily.clear(), other, older):
        ours = c1_features(inputs(frame, daily=table))
        for name in ("pivot_dist_ce", "pivot_zone_comb", "cpr_width_comb"):
            assert ours[f"c1_{name}"].null_count() == ours.height


def test_correlations(ours: pl.DataFrame, frame: pl.DataFrame) -> None:
    for pair, names in PAIRS.items():
        for w, needed in {20: 14, 60: 40}.items():

            def loop(
                s: Series, t: int, names: tuple[str, str] = names, w: int = w, needed: int = needed
            ) -> float | None:
                rows = s.together([f"r_{PRICE[name]}" for name in names], t, w)
                if len(rows) < needed:
                    return None
                mx, my = (sum(column) / len(rows) for column in zip(*rows, strict=True))
                xy = sum((x - mx) * (y - my) for x, y in rows)
                xx, yy = sum((x - mx) ** 2 for x, _ in rows), sum((y - my) ** 2 for _, y in rows)
                return xy / math.sqrt(xx * yy)

            check(ours, f"c1_corr_{pair}_{w}m", loop, frame, 31)


def test_place_in_the_window(ours: pl.DataFrame, frame: pl.DataFrame) -> None:
    for name in ("atm", "comb"):
        price = PRICE[name]
        for w, needed in {15: 10, 60: 40}.items():

            def z(s: Series, t: int, w: int = w, needed: int = needed,
                  price: str = price) -> float | None:  # fmt: skip
                window, now = s.window(price, t, w), s[price][t]
                if len(window) < needed or now is None:
                    return None
                mean = sum(window) / len(window)
                spread = sum((x - mean) ** 2 for x in window) / (len(window) - 1)
                return (now - mean) / math.sqrt(spread)

            check(ours, f"c1_z_{name}_{w}m", z, frame)
        for w, needed in {30: 20, 120: 60}.items():

            def rank(s: Series, t: int, w: int = w, needed: int = needed,
                     price: str = price) -> float | None:  # fmt: skip
                now = s[price][t]
                before = s.window(price, t - 1, w - 1) if t else []
                if now is None or len(before) < needed:
                    return None
                below, equal = sum(x < now for x in before), sum(x == now for x in before)
                return (below + 0.5 * equal) / len(before)

            check(ours, f"c1_pctrank_{name}_{w}m", rank, frame)


# -- volatility -----------------------------------------------------------------------------------


def test_volatility(ours: pl.DataFrame, frame: pl.DataFrame) -> None:
    for name in ("atm", "fut"):
        for w, needed in {15: 10, 30: 20, 60: 40}.items():
            check(ours, f"c1_rv_{name}_{w}m", lambda s, t, h=f"r_{PRICE[name]}", w=w, n=needed: (
                None if (m := s.mean_square(h, t, w, n)) is None else math.sqrt(94500 * m)
            ), frame)  # fmt: skip
    for name, prefix in {"ce": "atm_ce", "pe": "atm_pe", "fut": "fut"}.items():
        for w, needed in {15: 10, 60: 40}.items():

            def loop(s: Series, t: int, w: int = w, needed: int = needed,
                     prefix: str = prefix) -> float | None:  # fmt: skip
                rows = s.together([f"{prefix}_high", f"{prefix}_low"], t, w)
                if len(rows) < needed:
                    return None
                mean = sum(math.log(high / low) ** 2 for high, low in rows) / len(rows)
                return math.sqrt(94500 / (4 * math.log(2)) * mean)

            check(ours, f"c1_parkinson_{name}_{w}m", loop, frame)
    both = zip(ours["c1_straddle_iv"], ours["c1_rv_fut_60m"], strict=True)
    assert_close(ours["c1_iv_rv_ratio"].to_list(), [ln(div(a, b)) for a, b in both])


def test_compression_and_score(ours: pl.DataFrame, frame: pl.DataFrame) -> None:
    def compression(s: Series, t: int) -> float | None:
        slow, fast = s.mean_square("r_comb", t, 120, 60), s.mean_square("r_comb", t, 15, 10)
        half = ln(div(slow, fast))
        return None if half is None else half / 2

    check(ours, "c1_vol_compression", compression, frame)
    returns = [f"c1_ret_comb_{k}m" for k in (3, 5, 10, 15)]

    def score(s: Series, t: int) -> float | None:
        m = s.mean_square("r_comb", t, 60, 30)
        parts = [ours[name][s.group * MINUTES + t] for name in returns]
        if m is None or None in parts:
            return None
        scaled = [x / math.sqrt(m * k) for x, k in zip(parts, (3, 5, 10, 15), strict=True)]
        return math.tanh(sum(scaled) / 4)

    check(ours, "c1_momentum_score", score, frame)


def test_breakout(ours: pl.DataFrame, frame: pl.DataFrame) -> None:
    def loop(s: Series, t: int) -> float | None:
        m = s.mean_square("r_fut", t, 60, 40)
        highs, lows = s.window("fut_high", t, 60), s.window("fut_low", t, 60)
        now = s["fut"][t]
        if m is None or now is None or len(highs) < 40 or len(lows) < 40:
            return None
        ahead = math.sqrt(m * 15)
        up, down = math.log(max(highs) / now), math.log(now / min(lows))
        leave = [math.erfc((d + ahead / 2) / ahead / math.sqrt(2)) for d in (up, down)]
        return 1 - (1 - leave[0]) * (1 - leave[1])

    check(ours, "c1_breakout_probability", loop, frame)


def test_decay(ours: pl.DataFrame, frame: pl.DataFrame) -> None:
    def loop(s: Series, t: int) -> float | None:
        first = opened(s["strd"])
        if first is None or s["strd"][t] is None:
            return None
        o = first[0]
        premium = (s["strd"][t] / s["spot"][t]) / (s["strd"][o] / s["spot"][o])
        return math.log(premium) - 0.5 * math.log(s["tau"][t] / s["tau"][o])

    check(ours, "c1_decay_excess", loop, frame)


def test_unchanged_volatility_has_no_excess(frame: pl.DataFrame) -> None:
    model = frame.with_columns(strd=0.2 * pl.col("spot") * pl.col("tau").sqrt())
    ours = c1_features(inputs(model))["c1_decay_excess"]
    assert ours.drop_nulls().abs().max() < 1e-12


# -- volume and open interest ---------------------------------------------------------------------


def mean(values: list[float], needed: int) -> float | None:
    return sum(values) / len(values) if len(values) >= needed else None


def weights(s: Series, t: int) -> dict[str, float] | None:
    sums = {}
    for name, b in {"atm": 0.5, "itm1": 0.3, "otm1": 0.2}.items():
        pairs = s.volumes(name, t, 15)
        if len(pairs) < 10:
            return None
        sums[name] = b * sum(v for _, v in pairs)
    return {name: x / sum(sums.values()) for name, x in sums.items()}


def test_volumes(ours: pl.DataFrame, frame: pl.DataFrame) -> None:
    for name in ("atm", "itm1", "otm1"):
        for w, (few, many) in {5: (3, 10), 15: (10, 20)}.items():

            def relative(s: Series, t: int, name: str = name, w: int = w, few: int = few,
                         many: int = many) -> float | None:  # fmt: skip
                now = mean([v for _, v in s.volumes(name, t, w)], few)
                return div(now, mean([v for _, v in s.volumes(name, t, 375)], many))

            check(ours, f"c1_relvol_{name}_{w}m", relative, frame)

        def tilt(s: Series, t: int, name: str = name) -> float | None:
            names = [PRICE[name], f"{name}_ce_volume", f"{name}_pe_volume"]
            rows = s.together(names, t, 15)
            call, put = sum(row[1] for row in rows), sum(row[2] for row in rows)
            return (call - put) / (call + put) if len(rows) >= 10 else None

        check(ours, f"c1_leg_volume_imb_{name}_15m", tilt, frame)


def test_volume_weights(ours: pl.DataFrame, frame: pl.DataFrame) -> None:
    def premium(s: Series, t: int) -> float | None:
        w = weights(s, t)
        if w is None or s["comb"][t] is None:
            return None
        return math.log(sum(x * s[PRICE[n]][t] for n, x in w.items()) / s["comb"][t])

    for name in ("atm", "itm1"):
        check(ours, f"c1_weight_{name}", lambda s, t, n=name: (weights(s, t) or {}).get(n), frame)

    def effective(s: Series, t: int) -> float | None:
        w = weights(s, t)
        return None if w is None else 1 / sum(x * x for x in w.values())

    check(ours, "c1_weight_effective_n", effective, frame)
    check(ours, "c1_weight_premium_dev", premium, frame)


def test_open_interest(ours: pl.DataFrame, frame: pl.DataFrame) -> None:
    for name in ("atm", "itm1", "otm1"):
        check(ours, f"c1_leg_oi_imb_{name}", lambda s, t, n=name: div(
            minus(s[f"{n}_pe_oi"][t], s[f"{n}_ce_oi"][t]), s[f"{n}_pe_oi"][t] + s[f"{n}_ce_oi"][t]
        ), frame)  # fmt: skip
        check(ours, f"c1_oi_chg_{name}", lambda s, t, n=name: ln(div(
            s[f"{n}_pe_oi"][t] + s[f"{n}_ce_oi"][t], s[f"{n}_oi_open"][t])), frame)  # fmt: skip


# -- what is missing, what is later, what stands beside -------------------------------------------


def of(prefixes: tuple[str, ...]) -> list[str]:
    return [d.name for d in DECLARED if d.name.startswith(prefixes)]


def test_without_futures(frame: pl.DataFrame, ours: pl.DataFrame) -> None:
    names = ["fut", "fut_high", "fut_low", "fut_volume", "r_fut", "r_fut_min"]
    without = c1_features(inputs(blank(frame, pl.lit(True), names)))
    lost = {d.name for d in DECLARED if "_fut" in d.name}
    lost |= {"c1_iv_rv_ratio", "c1_breakout_probability"}
    for name in without.columns:
        if name in lost:
            assert without[name].null_count() == without.height, name
        elif name not in of(("c1_pivot", "c1_cpr", "c1_rsi", "c1_macd")):
            assert without[name].equals(ours[name]), name


def test_without_open_interest_or_volume(frame: pl.DataFrame) -> None:
    names = [*COUNTS, "atm_oi_open", "itm1_oi_open", "otm1_oi_open"]
    without = c1_features(inputs(blank(frame, pl.lit(True), names)))
    lost = of(("c1_leg_", "c1_oi_chg", "c1_relvol", "c1_weight", "c1_vwap"))
    for name in lost:
        assert without[name].null_count() == without.height, name
    zero = frame.with_columns(pl.lit(0, pl.Int64).alias(name) for name in names)
    still = c1_features(inputs(zero))
    for name in lost:
        assert still[name].null_count() == still.height, name


def test_a_late_open_leaves_no_open(frame: pl.DataFrame) -> None:
    late = panel([Group(missing=range(16))])
    ours = c1_features(inputs(late))
    for name in of(("c1_open_chg", "c1_decay")):
        assert ours[name].null_count() == MINUTES, name
    punctual = c1_features(inputs(panel([Group(missing=range(15))])))
    assert punctual["c1_open_chg_atm"][15] == 0.0
    assert punctual["c1_decay_excess"].null_count() == 15


def test_a_missing_hour_is_bridged_by_nothing() -> None:
    ours = c1_features(inputs(panel([Group(missing=range(100, 160))])))
    # one return of the 15 minutes to 163 is known: that of 161, 162, 163
    assert ours["c1_ret_atm_3m"][161] is None
    assert ours["c1_ret_atm_3m"][162] is not None
    assert ours["c1_rv_atm_15m"][169] is None
    assert ours["c1_rv_atm_15m"][170] is not None


def test_an_empty_chain_gives_nulls(frame: pl.DataFrame) -> None:
    ours = c1_features(inputs(until(frame, -1)))
    for name in ours.columns:
        assert ours[name].null_count() == ours.height, name


def test_nothing_reads_later_minutes(frame: pl.DataFrame, daily: pl.DataFrame) -> None:
    whole = c1_features(inputs(frame, daily=daily))
    for minute in (0, 9, 15, 59, 129, 149, 210, 300):
        cut = c1_features(inputs(until(frame, minute), daily=daily))
        for group in (0, 1):
            start = group * MINUTES
            assert cut.slice(start, minute + 1).equals(whole.slice(start, minute + 1)), minute


def test_bits_do_not_depend_on_the_batch(daily: pl.DataFrame) -> None:
    groups = [
        GAPPY,
        Group(seed=5, expiry=dt.date(2025, 9, 16)),
        Group(symbol="BANKNIFTY", seed=6),
        Group(date=dt.date(2025, 9, 4), seed=7),
    ]
    past = minute_table(panel([Group(date=YESTERDAY, seed=70), Group(date=DAY, seed=71)]))
    whole = c1_features(inputs(panel(groups), daily=daily, minutes=past))
    for number, group in enumerate(groups):
        alone = c1_features(inputs(panel([group]), daily=daily, minutes=past))
        assert alone.equals(whole.slice(number * MINUTES, MINUTES))
