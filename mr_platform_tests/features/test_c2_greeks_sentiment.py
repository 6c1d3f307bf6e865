"""C2 on panels: every family from its definition, minute by minute, and the delicate rules."""

from __future__ import annotations

import math
from statistics import NormalDist

import polars as pl
import pytest

from mr_platform.features.c2_greeks_sentiment import c2_features, run_of_present_bars
from mr_platform.features.column_plan import ColumnPlan
from mr_platform.features.inputs import FeatureInputs
from mr_platform.registry.loader import load_registry
from mr_platform_tests.features.greek_days import (
    GREEKS,
    panel_of,
    ragged_chain,
)

MINUTES = 150
PHI = NormalDist().cdf


def features(panel: pl.DataFrame) -> pl.DataFrame:
    return c2_features(FeatureInputs(panel=panel, history={}, days=pl.LazyFrame()))


@pytest.fixture(scope="module")
def panel() -> pl.DataFrame:
    # max pain that moves, first known at 09:17 and again at 09:20
    j = pl.col("j")
    pain = pl.when((j == 2) | (j >= 5)).then(24_400.0 + 50.0 * (j % 3))
    return panel_of(ragged_chain(minutes=MINUTES, holes=0.02), max_pain=pain)


@pytest.fixture(scope="module")
def frame(panel) -> pl.DataFrame:
    return features(panel)


@pytest.fixture(scope="module")
def days(panel, frame) -> list[tuple[list[dict], list[dict]]]:
    """Panel rows and feature rows of each expiry, 375 minutes."""
    return [(panel.slice(at, 375).to_dicts(), frame.slice(at, 375).to_dicts()) for at in (0, 375)]


def div(a, b):  # type: ignore[no-untyped-def]
    return None if a is None or b is None or abs(b) < 1e-12 else a / b


def minus(a, b):  # type: ignore[no-untyped-def]
    return None if a is None or b is None else a - b


def plus(a, b):  # type: ignore[no-untyped-def]
    return None if a is None or b is None else a + b


def base_bar(series):  # type: ignore[no-untyped-def]
    return next((j for j in range(4, 16) if series[j] is not None), None)


def since_base(series):  # type: ignore[no-untyped-def]
    bar = base_bar(series)
    return [None if bar is None or j < bar else minus(x, series[bar]) for j, x in enumerate(series)]


def back(series, j, minutes):  # type: ignore[no-untyped-def]
    return series[j - minutes] if j >= minutes else None


def check(rows, name, expected, tolerance=1e-9):  # type: ignore[no-untyped-def]
    for j, value in enumerate(expected):
        actual = rows[j][name]
        if value is None:
            assert actual is None, (name, j, actual)
        else:
            assert actual == pytest.approx(value, rel=tolerance, abs=tolerance), (name, j)


def column(rows, name):  # type: ignore[no-untyped-def]
    return [row[name] for row in rows]


def test_the_columns_are_the_declared_ones_on_the_panels_rows(panel, frame):
    declared = load_registry().components["c2"].columns
    assert set(frame.columns) == {c.name for c in declared}
    assert frame.height == panel.height
    for c in declared:
        values = frame[c.name].drop_nulls().cast(pl.Float64)
        assert values.is_finite().all(), c.name
        assert values.len() > 0, c.name
        if c.low is not None:
            assert values.min() >= c.low, c.name
        if c.high is not None:
            assert values.max() <= c.high, c.name
    absent = frame.filter(~panel["present"])
    assert all(absent[name].null_count() == absent.height for name in absent.columns)


@pytest.mark.parametrize("weight", ["oi", "vol"])
def test_means_imbalances_and_their_change_since_the_base(days, weight):
    for rows, out in days:
        for greek in GREEKS:
            ce, pe = (column(rows, f"g2_{greek}_{weight}_{side}") for side in ("ce", "pe"))
            for side, amount in (("ce", ce), ("pe", pe)):
                total = column(rows, f"g2_{weight}_{side}")
                mean = [div(a, w) for a, w in zip(amount, total, strict=True)]
                check(out, f"c2_{greek}_{weight}_{side}", mean)
            net = [div(minus(a, b), plus(a, b)) for a, b in zip(ce, pe, strict=True)]
            check(out, f"c2_{greek}_{weight}_net", net)
            check(out, f"c2_{greek}_{weight}_net_chg_open", since_base(net))
            assert out[3][f"c2_{greek}_{weight}_net_chg_open"] is None


def test_gross_changes_are_logs_between_two_ends(days):
    for rows, out in days:
        for greek in GREEKS:
            gross = [plus(r[f"g2_{greek}_oi_ce"], r[f"g2_{greek}_oi_pe"]) for r in rows]
            for minutes in (5, 15, 60):
                ratios = [div(a, back(gross, j, minutes)) for j, a in enumerate(gross)]
                logs = [None if x is None else math.log(x) for x in ratios]
                check(out, f"c2_{greek}_gross_chg_{minutes}m", logs)


def test_exposure_and_its_changes_in_crore(days):
    for rows, out in days:
        scale = [None if r["spot"] is None else 0.01 * r["spot"] ** 2 * 1e-7 for r in rows]

        def scaled(name, rows=rows, scale=scale):  # type: ignore[no-untyped-def]
            return [
                None if s is None or r[name] is None else s * r[name]
                for s, r in zip(scale, rows, strict=True)
            ]

        gex, gross = scaled("g2_gamma_net"), scaled("g2_gamma_gross")
        check(out, "c2_gamma_exposure", gex)
        for minutes in (5, 15, 60):
            change = [minus(x, back(gex, j, minutes)) for j, x in enumerate(gex)]
            check(out, f"c2_gex_chg_{minutes}m", list(map(div, change, gross)))
        bar = base_bar(gex)
        expected = [
            None if j < bar else div(minus(x, gex[bar]), plus(gross[j], gross[bar]))
            for j, x in enumerate(gex)
        ]
        check(out, "c2_gex_chg_open", [None if x is None else 2 * x for x in expected])
        spot = column(rows, "spot")
        for name, source, factor in (
            ("delta", "g2_delta_sum", 1.0), ("vanna", "g2_vanna_net", 0.01),
            ("charm", "g2_charm_net", 1.0),
        ):  # fmt: skip
            expected = [
                None if r[source] is None else factor * s * 1e-7 * r[source]
                for r, s in zip(rows, spot, strict=True)
            ]
            check(out, f"c2_{name}_exposure", expected)


def test_second_order_shape_and_levels(days):
    for rows, out in days:
        for greek in ("vanna", "charm", "volga"):
            for side in ("ce", "pe"):
                mean = [div(r[f"g2_{greek}_sum_{side}"], r[f"g2_oi_{side}"]) for r in rows]
                check(out, f"c2_{greek}_oi_{side}", mean)
            net = [
                div(
                    minus(r[f"g2_{greek}_sum_ce"], r[f"g2_{greek}_sum_pe"]),
                    plus(r[f"g2_{greek}_gross_ce"], r[f"g2_{greek}_gross_pe"]),
                )
                for r in rows
            ]
            check(out, f"c2_{greek}_oi_net", net)
        for sign in ("pos", "neg"):
            off = [div(minus(r[f"g2_peak_{sign}"], r["forward"]), r["forward"]) for r in rows]
            check(out, f"c2_gex_peak_dist_{sign}", [None if x is None else 100 * x for x in off])
        flip = column(rows, "g2_flip")
        check(out, "c2_gamma_flip_dist", flip)
        check(
            out, "c2_gamma_flip_dist_chg_15m",
            [minus(x, back(flip, j, 15)) for j, x in enumerate(flip)],
        )  # fmt: skip
        for side in ("ce", "pe"):
            centre = [
                None
                if r["strd"] is None or r[f"g2_log_gamma_{side}"] is None
                else r[f"g2_log_gamma_{side}"]
                / r[f"g2_gamma_oi_{side}"]
                / (r["strd"] / (2 * r["spot"]) * math.sqrt(2 * math.pi))
                for r in rows
            ]
            check(out, f"c2_gamma_centroid_{side}", centre)


def test_pin_risk_is_the_chance_of_ending_within_half_a_step(days):
    for rows, out in days:
        chance, distance, score = [], [], []
        for r in rows:
            if r["g2_pin_strike"] is None or r["strd"] is None:
                chance.append(None)
                distance.append(None)
                score.append(None)
                continue
            s = r["strd"] / (2 * r["spot"]) * math.sqrt(2 * math.pi / r["tau"])
            v = s * s * r["tau"]
            k, f = r["g2_pin_strike"], r["forward"]
            edges = [
                PHI((math.log((k + half) / f) + v / 2) / math.sqrt(v))
                for half in (r["step"] / 2, -r["step"] / 2)
            ]
            chance.append(edges[0] - edges[1])
            distance.append(math.log(k / f) / math.sqrt(v))
            score.append(math.sqrt(chance[-1] * r["g2_pin_share"]))
        check(out, "c2_pin_probability", chance)
        check(out, "c2_pin_distance", distance)
        check(out, "c2_pin_risk_score", score)
        changed = [minus(x, back(score, j, 15)) for j, x in enumerate(score)]
        check(out, "c2_pin_risk_chg_15m", changed)


def test_max_pain_changes_from_its_first_value_at_0919_or_later(days):
    for rows, out in days:
        pain, forward = column(rows, "max_pain"), column(rows, "forward")
        moved = [div(x, f) for x, f in zip(since_base(pain), forward, strict=True)]
        check(out, "c2_max_pain_chg_open", [None if x is None else 100 * x for x in moved])
        assert out[2]["c2_max_pain_dist"] is not None
        assert out[2]["c2_max_pain_chg_open"] is None
        assert out[5]["c2_max_pain_chg_open"] == 0.0


def test_sentiment_scales_the_drift_by_short_changes(days):
    weights = {"delta": 1.0, "gamma": 1.5, "theta": 0.8, "vega": 1.2}
    for rows, out in days:
        scores, parts = {}, {}
        for weight in ("oi", "vol"):
            z = {}
            for greek in GREEKS:
                net = column(out, f"c2_{greek}_{weight}_net")
                drift, bar = since_base(net), base_bar(net)
                moves = [minus(x, back(net, j, 5)) for j, x in enumerate(net)]
                z[greek] = []
                for j, d in enumerate(drift):
                    known = [m for m in moves[max(j - 59, 0) : j + 1] if m is not None]
                    if d is None or len(known) < 30:
                        z[greek].append(None)
                        continue
                    rms = math.sqrt(sum(m * m for m in known) / len(known))
                    z[greek].append(div(d, math.sqrt(max(j - bar, 60) / 5) * rms))
                if weight == "oi":
                    parts[greek] = [None if x is None else -math.tanh(x) for x in z[greek]]
                    check(out, f"c2_sentiment_{greek}", parts[greek])
            together = list(zip(*(z[g] for g in GREEKS), strict=True))
            scores[weight] = [
                None
                if None in values
                else -math.tanh(
                    sum(weights[g] * x for g, x in zip(GREEKS, values, strict=True)) / 4.5
                )
                for values in together
            ]
            check(out, f"c2_sentiment_score_{weight}", scores[weight])
        combined = [
            None if a is None or b is None else 0.6 * a + 0.4 * b
            for a, b in zip(scores["oi"], scores["vol"], strict=True)
        ]
        check(
            out, "c2_sentiment_chg_15m",
            [minus(c, back(combined, j, 15)) for j, c in enumerate(combined)],
        )  # fmt: skip
        check(out, "c2_sentiment_level", [None if c is None else level_of(c) for c in combined])
        check(out, "c2_sentiment_duration", durations(rows, out))
        spread = []
        for values in zip(*(parts[g] for g in GREEKS), strict=True):
            if None in values:
                spread.append(None)
            else:
                mean = sum(values) / 4
                spread.append(math.sqrt(sum((x - mean) ** 2 for x in values) / 4))
        check(out, "c2_sentiment_dispersion", spread)
        assert sum(x is not None for x in combined) > 50


def level_of(c: float) -> int:
    for level, bound in ((1, -0.45), (2, -0.25), (3, -0.10)):
        if c <= bound:
            return level
    for level, bound in ((4, 0.10), (5, 0.25), (6, 0.45)):
        if c < bound:
            return level
    return 7


def durations(rows, out):  # type: ignore[no-untyped-def]
    run, last, found = 0, None, []
    for row, features_ in zip(rows, out, strict=True):
        level = features_["c2_sentiment_level"]
        if row["present"]:
            run = run + 1 if level is not None and level == last else 1
            last = level
        found.append(run if row["present"] and level is not None else None)
    return found


def test_a_run_steps_over_missing_minutes_and_ends_at_a_null_level():
    #        present?  x  x  x     -     x  x     x     x  x  -  x     next group
    levels = [None, 4, 4, None, 4, 5, None, 5, 5, None, 5, 5, 5]
    present = [True, True, True, False, True, True, True, True, True, False, True, True, True]
    plan = ColumnPlan(length=11)
    frame = pl.LazyFrame(
        {"g": [0] * 11 + [1] * 2, "j": [*range(11), 0, 1], "level": levels, "present": present},
        schema_overrides={"level": pl.Int32, "j": pl.Int32},
    )
    outputs = {"run": run_of_present_bars(plan, pl.col("level"))}
    runs = plan.run(frame, outputs).collect()["run"].to_list()
    assert runs == [None, 1, 2, None, 3, 1, None, 1, 2, None, 3, 1, 2]


def test_the_atm_straddle_needs_both_legs_valid(panel):
    whole = {
        f"atm_{side}_{name}": value
        for side, sign in (("ce", 1), ("pe", -1))
        for name, value in (
            ("iv", 0.1), ("delta", 0.5 * sign), ("gamma", 0.001), ("theta", -5.0), ("vega", 12.0)
        )
    }  # fmt: skip
    ready = panel.with_columns(
        **{name: pl.lit(value) for name, value in whole.items()}, strd=pl.lit(200.0),
        spot=pl.lit(24_500.0),
    )  # fmt: skip
    out = features(ready).row(0, named=True)
    assert out["c2_atm_delta"] == 0.0
    assert out["c2_atm_gamma"] == pytest.approx(0.01 * 24_500 * 0.002)
    assert out["c2_atm_theta"] == pytest.approx(10 / 200)
    assert out["c2_atm_vega"] == pytest.approx(24 / 200)
    for name, value in (("atm_pe_gamma", 0.0), ("atm_ce_iv", 5.1), ("atm_pe_theta", None)):
        bad = features(ready.with_columns(pl.lit(value, dtype=pl.Float64).alias(name)))
        assert bad.row(0, named=True)["c2_atm_delta"] is None


def test_nothing_at_t_reads_a_later_row(panel, frame):
    series = [
        name for name in panel.columns
        if name.startswith(("g2_", "atm_")) or name in ("spot", "forward", "strd", "max_pain")
    ]  # fmt: skip
    for last in (8, 70):
        late = pl.col("j") > last
        cut = panel.with_columns(pl.when(~late).then(pl.col(name)).alias(name) for name in series)
        cut = cut.with_columns(present=pl.col("present") & ~late)
        early = panel["j"] <= last
        assert features(cut).filter(early).equals(frame.filter(early))


def test_the_bits_do_not_depend_on_what_else_is_in_the_batch(panel, frame):
    for number in (0, 1):
        part = panel.slice(375 * number, 375).with_columns(
            g=pl.lit(0, pl.UInt32), cell=pl.int_range(375, dtype=pl.UInt32)
        )
        assert features(part).equals(frame.slice(375 * number, 375))


def test_without_open_interest_what_rests_on_volume_stands():
    chain = ragged_chain(minutes=60, missing=(), holes=0.0).with_columns(
        ce_oi=pl.lit(None, pl.Int64), pe_oi=pl.lit(None, pl.Int64)
    )
    out = features(panel_of(chain))
    known = {name for name in out.columns if out[name].null_count() < out.height}
    assert known == {
        *[f"c2_{g}_vol_{s}" for g in GREEKS for s in ("ce", "pe", "net")],
        *[f"c2_{g}_vol_net_chg_open" for g in GREEKS],
        "c2_sentiment_score_vol",
        *[f"c2_atm_{g}" for g in GREEKS],
    }
