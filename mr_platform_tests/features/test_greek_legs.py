"""When a leg is valid, and the factors of its second-order Greeks."""

from __future__ import annotations

import math

import polars as pl
import pytest

from mr_platform.features.column_plan import ColumnPlan
from mr_platform.features.greek_legs import (
    charm_factor,
    complete,
    leg_curve,
    valid,
    volga_factor,
)

LEG = {"ce_delta": 0.5, "ce_gamma": 1e-3, "ce_theta": -5.0, "ce_vega": 10.0, "ce_iv": 0.1}


@pytest.mark.parametrize(
    ("fault", "is_complete", "is_valid"),
    [
        ({}, True, True),
        ({"ce_iv": 0.01}, True, True),
        ({"ce_iv": 5.0}, True, True),
        ({"ce_iv": 0.0}, False, False),
        ({"ce_iv": 5.01}, False, False),
        ({"ce_iv": None}, False, False),
        ({"ce_theta": None}, False, False),
        ({"ce_theta": 0.2}, True, True),
        ({"ce_gamma": 0.0}, True, False),
        ({"ce_vega": 0.0}, True, False),
        ({"ce_vega": None}, False, False),
    ],
)
def test_a_leg_is_valid_with_all_greeks_and_a_volatility(fault, is_complete, is_valid):
    frame = pl.DataFrame([LEG | fault], schema=dict.fromkeys(LEG, pl.Float64))
    assert frame.select(complete("ce")).item() is is_complete
    assert frame.select(valid("ce")).item() is is_valid


def test_second_order_greeks_are_the_derivatives_of_black():
    forward, strike, s, tau, step = 24_500.0, 24_700.0, 0.12, 5 / 365, 1e-6

    def d1(f: float, vol: float, t: float) -> float:
        return (math.log(f / strike) + vol * vol * t / 2) / (vol * math.sqrt(t))

    def delta(f: float, vol: float, t: float) -> float:
        return 0.5 * (1 + math.erf(d1(f, vol, t) / math.sqrt(2)))

    def vega(vol: float) -> float:  # a volatility point
        x = d1(forward, vol, tau)
        density = math.exp(-x * x / 2) / math.sqrt(2 * math.pi)
        return forward * math.sqrt(tau) * density / 100

    plan = ColumnPlan(group="cell")
    curve = leg_curve(plan, "ce", pl.col("weight"))
    frame = pl.LazyFrame(
        {"cell": [0], "strike": [strike], "forward": [forward], "root_tau": [math.sqrt(tau)],
         "ce_iv": [s], "weight": [1.0]}
    )  # fmt: skip
    row = plan.run(frame, {"bend": curve.bend, "d1": curve.d1}).collect().row(0, named=True)
    factors = pl.select(
        charm=charm_factor(pl.lit(tau)), volga=volga_factor(pl.lit(forward), pl.lit(tau))
    ).row(0, named=True)
    vanna = (delta(forward, s + step, tau) - delta(forward, s - step, tau)) / (2 * step)
    assert -row["bend"] / s == pytest.approx(vanna, rel=1e-6)
    # a day passing shortens tau
    charm = -(delta(forward, s, tau + step) - delta(forward, s, tau - step)) / (2 * step) / 365
    assert row["bend"] * factors["charm"] == pytest.approx(charm, rel=1e-6)
    volga = (vega(s + step) - vega(s - step)) / (2 * step) / 100
    assert row["bend"] * row["d1"] / s * factors["volga"] == pytest.approx(volga, rel=1e-6)


def test_charm_is_of_a_day_or_of_what_is_left():
    one_hour = 1 / (365 * 24)
    value = pl.select(charm_factor(pl.lit(one_hour))).item()
    assert value == pytest.approx(1 / (2 * one_hour) / 365 / 24, rel=1e-12)
