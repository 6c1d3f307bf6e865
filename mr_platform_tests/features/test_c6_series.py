"""The series that C6 pairs: differences, flows, the partner's values."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from mr_platform.features.c6_series import PARTNER_SERIES, SCORES, c6_series
from mr_platform.features.minute_panel import numbered
from mr_platform_tests.features.c6_panels import MINUTES, made_inputs

INPUTS = made_inputs()
PANEL = INPUTS.panel
SERIES = c6_series(INPUTS)


def of(name: str, group: int = 0, frame: pl.DataFrame = SERIES) -> list[Any]:
    return frame[name].to_list()[group * MINUTES : (group + 1) * MINUTES]


def last_valid(values: list[Any], row: int) -> Any:
    """The last value of the three rows before."""
    for back in (1, 2, 3):
        if row >= back and values[row - back] is not None:
            return values[row - back]
    return None


def same(found: list[Any], expected: list[Any]) -> None:
    for row, (one, other) in enumerate(zip(found, expected, strict=True)):
        if other is None:
            assert one is None, row
        else:
            assert one == pytest.approx(other, rel=1e-12, abs=1e-15), row


@pytest.mark.parametrize(
    "name", ["c1_momentum", "c5_atr_14_strd", "rsi_3_und", "macd_3_signal_strd"]
)
def test_a_one_minute_difference_bridges_two_missing_minutes(name: str):
    values = of(name)
    before = [last_valid(values, row) for row in range(MINUTES)]
    same(
        of(f"{name}_d1"),
        [
            None if now is None or then is None else now - then
            for now, then in zip(values, before, strict=True)
        ],
    )


def test_a_gap_of_two_minutes_is_bridged_and_one_of_five_is_not():
    assert of("c1_momentum")[40:42] == [None, None]
    assert of("c1_momentum_d1")[42] is not None
    assert of("c1_momentum")[105] is not None
    assert of("c1_momentum_d1")[105] is None


def test_a_five_minute_difference_needs_both_ends_only():
    values = of("c3_flow", 1)
    expected = [
        None if row < 5 or values[row] is None or values[row - 5] is None
        else values[row] - values[row - 5]
        for row in range(MINUTES)
    ]  # fmt: skip
    same(of("c3_flow_d5", 1), expected)


def test_flows_of_open_interest_are_shares_of_the_total_before():
    calls, puts = of("oi_ce", 0, PANEL), of("oi_pe", 0, PANEL)
    known = [None if a is None or b is None else (a, b) for a, b in zip(calls, puts, strict=True)]
    d_calls, d_puts, sizes, d_pcr = [], [], [], []
    for row, now in enumerate(known):
        then = last_valid(known, row)
        if now is None or then is None:
            for values in (d_calls, d_puts, sizes, d_pcr):
                values.append(None)
            continue
        total = sum(then)
        d_calls.append((now[0] - then[0]) / total)
        d_puts.append((now[1] - then[1]) / total)
        sizes.append(abs(d_calls[-1] + d_puts[-1]))
        d_pcr.append(math.log(now[1] / now[0]) - math.log(then[1] / then[0]))
    for name, expected in (
        ("d_oi_ce", d_calls), ("d_oi_pe", d_puts), ("d_oi_size", sizes), ("d_pcr", d_pcr),
    ):  # fmt: skip
        for one, other in zip(of(name), expected, strict=True):
            assert (one is None) == (other is None)
            if other is not None:
                assert one == pytest.approx(other, abs=1e-14)


def test_a_five_minute_return_needs_four_of_five():
    returns = of("r_und")
    expected = []
    for row in range(MINUTES):
        inside = [r for r in returns[max(row - 4, 0) : row + 1] if r is not None]
        expected.append(sum(inside) if len(inside) >= 4 else None)
    found = of("r5_und")
    for one, other in zip(found, expected, strict=True):
        assert one == (other if other is None else pytest.approx(other, abs=1e-15))


def test_theta_is_spread_over_the_session_and_on_expiry_day_over_the_calendar_day():
    row = next(r for r in range(MINUTES) if of("theta_gap")[r] is not None)
    theta = PANEL["atm_ce_theta"][row] + PANEL["atm_pe_theta"][row]
    move, price = PANEL["r_strd"][row], PANEL["strd"][row]
    assert of("theta_gap")[row] == pytest.approx(move - theta / 375 / price)
    today = replace(INPUTS, panel=PANEL.with_columns(dte=pl.lit(0, pl.Int64)), components={})
    found = c6_series(today)["theta_gap"][row]
    assert found == pytest.approx(move - theta / 1440 / price)


def test_the_partner_is_the_other_symbols_nearest_expiry_quoted_in_the_minute():
    # NIFTY dte 4 and 11 beside BANKNIFTY dte 6 and 25: 6 is nearest to both
    both = INPUTS.partner
    assert both is not None
    other = both.filter((pl.col("symbol") == "BANKNIFTY") & (pl.col("dte") == 6))
    for group in (0, 1):
        same(of("partner_r_strd", group), other["r_strd"].to_list())
        same(of("partner_iv", group), other["iv"].to_list())
    # where that expiry has no row, the next one speaks; later rows decide nothing
    hole = (pl.col("symbol") == "BANKNIFTY") & (pl.col("dte") == 6) & (pl.col("j") >= 200)
    series = ("r_strd", "iv", "d_iv", "oi_ce", "oi_pe", "chain_volume")
    gone = both.with_columns(present=pl.col("present") & ~hole).with_columns(
        pl.when(pl.col("present")).then(pl.col(name)).alias(name) for name in series
    )
    far = both.filter((pl.col("symbol") == "BANKNIFTY") & (pl.col("dte") == 25))
    found = of("partner_r_strd", 0, c6_series(replace(INPUTS, partner=gone)))
    same(found[:200], other["r_strd"].to_list()[:200])
    same(found[200:], far["r_strd"].to_list()[200:])


def test_of_two_equally_near_expiries_the_smaller_dte_is_the_partner():
    both = INPUTS.partner
    assert both is not None
    dtes = both.with_columns(
        dte=pl.when(pl.col("symbol") == "NIFTY").then(pl.col("dte"))
        .when(pl.col("dte") == 6).then(2).otherwise(6).cast(pl.Int64)
    )  # fmt: skip
    found = c6_series(replace(INPUTS, partner=dtes))
    smaller = dtes.filter((pl.col("symbol") == "BANKNIFTY") & (pl.col("dte") == 2))
    same(of("partner_iv", 0, found), smaller["iv"].to_list())


def test_without_partner_or_components_their_series_are_null():
    alone = made_inputs().partner
    assert alone is not None
    only = numbered(alone.filter(pl.col("symbol") == "NIFTY").drop("cell", "g", "u"))
    for partner in (None, only):
        found = c6_series(replace(INPUTS, partner=partner, components={}))
        for name in (*(f"partner_{x}" for x in PARTNER_SERIES), *SCORES):
            assert found[name].null_count() == found.height, name


def test_an_unknown_symbol_is_nobodys_partner():
    strange = PANEL.with_columns(symbol=pl.lit("FINNIFTY"))
    found = c6_series(replace(INPUTS, panel=strange, partner=strange))
    assert found["partner_r_und"].null_count() == found.height
