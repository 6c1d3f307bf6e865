"""The smile of a minute: golden values by hand, and what is missing stays missing."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping, Sequence

import polars as pl
import pytest

from mr_platform.features.chain_grid import lay_out
from mr_platform.features.price_series import price_series
from mr_platform.features.smile_series import smile_series
from mr_platform.gateways.frame_engine import CpuEngine
from mr_platform_tests.features.chain_days import hand_chain

F = 24_500.0
STEP = 50.0
A = 0.12  # volatility at the forward
TAU = (4 * 1440 + 374) / 525_600  # the first bar, four days before expiry
Row = dict[str, object]


def smile(rows: Sequence[Row], **day) -> pl.DataFrame:
    grid = lay_out(hand_chain(rows, **day), CpuEngine())
    base = price_series(grid)
    frame = smile_series(grid, base)
    assert frame["cell"].is_unique().all()
    return base.select("cell", "j", "dte").join(frame, on="cell", how="left")


def at(frame: pl.DataFrame, column: str, j: int = 0):
    return frame.filter(pl.col("j") == j)[column].item()


def minute(
    reach: int,
    *,
    j: int = 0,
    forward: float = F,
    centre: float = F,
    iv: Callable[[float], float | None] = lambda strike: A,
    more: Callable[[float], Mapping[str, object]] = lambda strike: {},
) -> list[Row]:
    """Strikes centre - reach·50 .. centre + reach·50, closes in parity with the forward."""
    rows: list[Row] = []
    for k in range(-reach, reach + 1):
        strike = centre + STEP * k
        row: Row = {
            "j": j, "k": k, "strike": strike, "pe_close": 2000.0,
            "ce_close": 2000.0 + forward - strike, "ce_iv": iv(strike), "pe_iv": iv(strike),
        }  # fmt: skip
        rows.append(row | dict(more(strike)))
    return rows


def moneyness(strike: float) -> float:
    return math.log(strike / F) / (A * math.sqrt(TAU))


def quadratic(strike: float) -> float:
    m = moneyness(strike)
    return A * (1.0 - 0.05 * m + 0.03 * m * m)


def test_a_quadratic_smile_gives_back_its_coefficients():
    frame = smile(minute(20, iv=quadratic))
    assert at(frame, "iv_atm") == A  # the forward lies on a strike
    assert at(frame, "s4_slope") == pytest.approx(-0.05, abs=1e-13)
    assert at(frame, "s4_curvature") == pytest.approx(0.03, abs=1e-13)
    assert at(frame, "s4_vertex") == pytest.approx(0.05 / 0.06, abs=1e-11)
    assert at(frame, "s4_rmse") == pytest.approx(0.0, abs=1e-14)


def test_only_strikes_within_the_reach_enter_the_fit():
    edge = max(k for k in range(60) if moneyness(F + STEP * k) <= 2.5)
    wild = F + STEP * (edge + 1)
    outside = minute(edge + 3, iv=lambda strike: 3.0 if strike >= wild else quadratic(strike))
    assert at(smile(outside), "s4_slope") == pytest.approx(-0.05, abs=1e-13)
    wild = F + STEP * edge
    inside = minute(edge + 3, iv=lambda strike: 3.0 if strike == wild else quadratic(strike))
    assert at(smile(inside), "s4_slope") > 0.0


def test_the_volatility_at_the_forward_is_interpolated_between_strikes():
    def iv(strike: float) -> float | None:
        return {24_450.0: 0.14, 24_500.0: 0.12, 24_550.0: 0.10}.get(strike)

    rows = minute(3, forward=24_510.0, iv=iv)
    assert at(smile(rows), "iv_atm") == pytest.approx(0.12 - 0.02 * 10 / 50, abs=1e-15)
    # without the strike above, the next one with a volatility brackets the forward
    rows = minute(3, forward=24_510.0, iv=lambda k: {24_500.0: 0.12, 24_600.0: 0.08}.get(k))
    assert at(smile(rows), "iv_atm") == pytest.approx(0.12 - 0.04 * 10 / 100, abs=1e-15)
    # of two legs their mean, of one leg that one
    rows = minute(1, iv=lambda k: None, more=lambda k: {"ce_iv": 0.10, "pe_iv": 0.16})
    assert at(smile(rows), "iv_atm") == pytest.approx(0.13, abs=1e-15)
    rows = minute(1, iv=lambda k: None, more=lambda k: {"pe_iv": 0.16})
    assert at(smile(rows), "iv_atm") == 0.16


def test_a_forward_outside_the_strikes_has_no_volatility():
    rows = minute(3, forward=24_510.0, iv=lambda k: 0.12 if k <= F else None)
    frame = smile(rows)
    assert at(frame, "iv_atm") is None
    assert at(frame, "s4_skew_k1") is None
    on_strike = minute(3, iv=lambda k: 0.12 if k <= F else None)
    assert at(smile(on_strike), "iv_atm") == 0.12


def deltas(table: Mapping[float, tuple[float | None, float]]) -> pl.DataFrame:
    """Strikes with (size of delta, volatility) of their out-of-the-money leg."""

    def more(strike: float) -> Mapping[str, object]:
        if strike not in table:
            return {"ce_iv": None, "pe_iv": None}
        size, iv = table[strike]
        signed = {} if size is None else {"ce_delta": size, "pe_delta": -size}
        return {"ce_iv": iv, "pe_iv": iv, **signed}

    return smile(minute(7, more=more))


CALLS = {F: (0.5, A), 24_550.0: (0.30, 0.11), 24_600.0: (0.20, 0.10), 24_650.0: (0.05, 0.09)}
PUTS = {24_450.0: (0.30, 0.13), 24_400.0: (0.20, 0.14), 24_350.0: (0.05, 0.15)}


def test_volatility_at_a_delta_is_linear_in_the_size_of_delta():
    frame = deltas(CALLS | PUTS)
    assert at(frame, "s4_rr25") == pytest.approx((0.105 - 0.135) / A, abs=1e-14)
    assert at(frame, "s4_bf25") == pytest.approx((0.12 - A) / A, abs=1e-14)
    call, put = 0.09 + 0.01 / 3, 0.15 - 0.01 / 3
    assert at(frame, "s4_rr10") == pytest.approx((call - put) / A, abs=1e-14)


def test_brackets_go_by_delta_and_not_by_strike():
    # a far put with a larger delta than a nearer one, and a strike without delta
    frame = deltas(
        CALLS
        | {
            24_450.0: (0.40, 0.13), 24_400.0: (0.22, 0.14), 24_350.0: (0.26, 0.17),
            24_300.0: (0.24, 0.16), 24_250.0: (None, 0.9), 24_200.0: (0.05, 0.2),
        }
    )  # fmt: skip
    put = 0.16 + (0.17 - 0.16) * (0.25 - 0.24) / (0.26 - 0.24)
    assert at(frame, "s4_rr25") == pytest.approx((0.105 - put) / A, abs=1e-13)


def test_of_equal_deltas_the_strike_nearest_the_forward_counts():
    frame = deltas(
        {
            F: (0.5, A),
            24_550.0: (0.30, 0.11), 24_600.0: (0.30, 0.5), 24_650.0: (0.20, 0.10),
            24_700.0: (0.20, 0.6),
            24_450.0: (0.30, 0.13), 24_400.0: (0.30, 0.7), 24_350.0: (0.20, 0.14),
            24_300.0: (0.20, 0.8),
        }
    )  # fmt: skip
    assert at(frame, "s4_rr25") == pytest.approx((0.105 - 0.135) / A, abs=1e-14)


def test_a_delta_that_is_not_bracketed_has_no_volatility():
    frame = deltas({F: (0.5, A), 24_550.0: (0.25, 0.11)} | PUTS)
    assert at(frame, "s4_rr25") is None  # no call below 0.25
    assert at(frame, "iv_atm") == A


def test_skew_compares_equal_ranks():
    iv = {"24400": 0.15, "24600": 0.10}
    rows = minute(7, iv=lambda strike: iv.get(f"{strike:.0f}", A))
    frame = smile(rows)
    assert at(frame, "s4_skew_k2") == pytest.approx(0.05 / A, abs=1e-15)
    assert at(frame, "s4_skew_k1") == 0.0
    # a rank that stands on two rows counts as none
    twice = [*rows, {**rows[-1], "strike": 24_975.0, "k": 2}]
    frame = smile(twice)
    assert at(frame, "s4_skew_k2") is None
    assert at(frame, "s4_skew_k3") == 0.0


def test_wings_are_fitted_and_averaged_side_by_side():
    # puts rise by 0.2 a unit of m, calls by 0.1
    def iv(strike: float) -> float:
        m = moneyness(strike)
        return A * (1.0 + (0.2 if m < 0 else 0.1) * abs(m))

    frame = smile(minute(20, iv=iv))
    assert at(frame, "s4_wing_slope_put") == pytest.approx(-0.2, abs=1e-12)
    assert at(frame, "s4_wing_slope_call") == pytest.approx(0.1, abs=1e-12)
    tail = [moneyness(F + STEP * k) for k in range(-20, 21)]
    low = [-0.2 * m for m in tail if -2.5 <= m <= -1]
    high = [0.1 * m for m in tail if 1 <= m <= 2.5]
    expected = sum(low) / len(low) - sum(high) / len(high)
    assert at(frame, "s4_wing_asymmetry") == pytest.approx(expected, abs=1e-12)


def test_the_strike_at_the_forward_belongs_to_both_wings():
    # three puts below the forward and the strike on it make four
    frame = smile([row for row in minute(6, iv=quadratic) if row["k"] >= -3])  # type: ignore[operator]
    assert at(frame, "s4_wing_slope_put") is not None
    frame = smile([row for row in minute(6, iv=quadratic) if row["k"] >= -2])  # type: ignore[operator]
    assert at(frame, "s4_wing_slope_put") is None
    assert at(frame, "s4_slope") is not None  # two puts suffice the quadratic
    frame = smile([row for row in minute(6, iv=quadratic) if row["k"] >= -1])  # type: ignore[operator]
    assert at(frame, "s4_slope") is None


def test_the_quadratic_needs_seven_strikes():
    assert at(smile(minute(3, iv=quadratic)), "s4_slope") is not None
    six = [row for row in minute(3, iv=quadratic) if row["k"] != 3]
    assert at(smile(six), "s4_slope") is None


def test_a_flat_smile_has_no_vertex():
    frame = smile(minute(10))
    assert at(frame, "s4_curvature") == 0.0
    assert at(frame, "s4_vertex") is None
    assert at(frame, "s4_rmse") == 0.0


def test_weighted_volatility_leaves_out_strikes_without_weight():
    def more(strike: float) -> Mapping[str, object]:
        oi = None if strike == F + 2 * STEP else int(strike - 24_000)
        return {"ce_oi": oi, "pe_oi": oi, "ce_vega": 2.0, "pe_vega": 2.0}

    frame = smile(minute(4, iv=quadratic, more=more))
    strikes = [F + STEP * k for k in range(-4, 5)]
    weighed = [s for s in strikes if s != F + 2 * STEP]
    total = sum(s - 24_000 for s in weighed)
    mean = sum((s - 24_000) * quadratic(s) for s in weighed) / total
    assert at(frame, "s4_oi_premium") == pytest.approx(math.log(mean / A), abs=1e-14)
    plain = sum(map(quadratic, strikes)) / len(strikes)
    assert at(frame, "s4_vega_premium") == pytest.approx(math.log(plain / A), abs=1e-14)


def test_no_open_interest_leaves_only_its_weighted_volatility_out():
    frame = smile(minute(10, iv=quadratic, more=lambda k: {"ce_vega": 1.0, "pe_vega": 1.0}))
    assert at(frame, "s4_oi_premium") is None
    assert at(frame, "s4_vega_premium") is not None
    none_open = smile(minute(10, iv=quadratic, more=lambda k: {"ce_oi": 0, "pe_oi": 0}))
    assert at(none_open, "s4_oi_premium") is None


def test_legs_are_looked_up_at_the_strike_that_is_at_the_money_now():
    first = minute(8, j=0, iv=lambda strike: strike / 200_000)
    later = minute(8, j=5, forward=24_550.0, centre=24_550.0)
    frame = smile([*first, *later])
    assert at(frame, "s4_ce_iv_lag5", 5) == 24_550 / 200_000
    assert at(frame, "s4_pe_iv_lag5", 5) == 24_550 / 200_000
    assert at(frame, "s4_ce_iv_lag15", 5) is None
    assert at(frame, "s4_ce_iv_lag5", 0) is None
    # nothing between is needed, but the minute itself is
    frame = smile([*minute(8, j=1), *later])
    assert at(frame, "s4_ce_iv_lag5", 5) is None


def test_without_a_forward_only_the_legs_are_left():
    rows = [{**row, "ce_close": None} for row in minute(8, iv=quadratic)]
    later = [{**row, "ce_close": None} for row in minute(8, j=5, iv=quadratic)]
    frame = smile([*rows, *later])
    smiles = [name for name in frame.columns if name.startswith("s4_") and "lag" not in name]
    assert frame.select(pl.col("iv_atm", *smiles).count().name.keep()).row(0) == (0,) * 19
    assert at(frame, "s4_ce_iv_lag5", 5) == A


def test_a_chain_without_volatility_gives_nothing():
    frame = smile(minute(8, iv=lambda strike: None))
    assert frame["iv_atm"].null_count() == frame.height


def test_days_in_one_batch_do_not_touch_each_other():
    rows = [*minute(12, iv=quadratic), *minute(12, j=1, forward=24_503.0)]
    days = [dt.date(2025, 8, 28), dt.date(2025, 8, 29)]
    chains = [hand_chain(rows, day=day) for day in days]

    def section(chain: pl.DataFrame) -> pl.DataFrame:
        grid = lay_out(chain, CpuEngine())
        base = price_series(grid)
        keyed = base.select("cell", "date", "j").join(smile_series(grid, base), on="cell")
        return keyed.drop("cell")

    together = section(pl.concat(chains))
    for day, chain in zip(days, chains, strict=True):
        assert together.filter(pl.col("date") == day).equals(section(chain))
