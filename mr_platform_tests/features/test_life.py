"""A month of simulated life after a year of history: every column lives, and stays in its range.

By default two days of one symbol; ``make test-full`` takes thirty days of both. The share of nulls
is printed (run with ``-s``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import polars as pl
import pytest

from mr_platform.registry.loader import load_registry
from mr_platform.registry.model import COMPONENTS
from mr_platform_tests.features.long_life import YEAR_DAYS, Life, LifeSpec, live
from mr_platform_tests.features.whole_graph import (
    faults,
    features_of,
    null_share,
    raw_values_watched,
)

FEATURES = 932
# a Friday and a Monday: columns of the week differ
SAMPLED = LifeSpec(
    symbols={"NIFTY": 3, "BANKNIFTY": 1}, first=dt.date(2025, 11, 14), days=2, templates=2,
    panel_days=62, consensus_days=7, wanted=("NIFTY",),
)  # fmt: skip
WHOLE = LifeSpec(
    symbols={"NIFTY": 4, "BANKNIFTY": 4}, first=dt.date(2025, 10, 1), days=30, templates=3
)
CONSTANT: Mapping[str, str] = {
    "c7_break_pdh": "the index stays below the high of the day before on both days",
    "c7_break_pwh": "the index stays below both previous weeks' highs",
    "c7_touches_pdh": "the index comes near to that high on neither day",
    "c7_touches_put_wall": "the index comes to no put wall on either day",
}
"""Columns that two days leave at one value, and why; the month has to move them."""


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(SAMPLED, id="two days"),
        pytest.param(WHOLE, id="thirty days", marks=[pytest.mark.slow, pytest.mark.timeout(1800)]),
    ],
)
def life(request) -> tuple[LifeSpec, Life, list[str]]:
    with raw_values_watched() as raw:
        made = live(request.param)
    return request.param, made, raw


def test_the_history_goes_back_a_year(life):
    spec, made, _ = life
    before = {
        name: table.filter(
            (pl.col("date") < spec.first) & pl.col("symbol").is_in(list(spec.wanted))
        )
        for name, table in made.history.items()
    }
    days = {name: table["date"].n_unique() for name, table in before.items()}
    print("\nhistory days before the first day:", days)
    declared = load_registry().history
    assert days["hist_c4_day"] >= YEAR_DAYS
    assert days["hist_c4_zone"] >= YEAR_DAYS
    assert all(
        days[name] >= min(declared[name].depth_trading_days, spec.consensus_days)
        for name in before
        if name != "hist_c3_close"
    )
    # made of prices along a path, so neither constant nor repeated
    assert before["hist_c4_day"]["iv_atm"].n_unique() > YEAR_DAYS
    assert before["hist_daily"]["strd_close"].n_unique() > 60


def test_every_column_has_values_that_differ(life):
    spec, made, _ = life
    assert len(load_registry().features) == FEATURES
    empty, constant = [], []
    for component in COMPONENTS:
        table = made.tables[f"{component}_features"]
        names = [column.name for column in features_of(component)]
        lows = table.select(pl.col(names).min()).row(0)
        highs = table.select(pl.col(names).max()).row(0)
        rows = list(zip(names, lows, highs, strict=True))
        empty += [name for name, low, _ in rows if low is None]
        constant += [name for name, low, high in rows if low is not None and low == high]
    assert empty == []
    allowed = CONSTANT if spec is SAMPLED else {}
    assert sorted(set(constant) - set(allowed)) == []


def test_every_value_is_finite_whole_and_in_its_declared_range(life):
    _, made, raw = life
    wrong = [f for c in COMPONENTS for f in faults(c, made.tables[f"{c}_features"])]
    assert not wrong, "\n".join(wrong)
    assert sorted(set(raw)) == []


def test_every_day_is_whole(life):
    spec, made, _ = life
    quoted = made.panels.filter(pl.col("present") & pl.col("symbol").is_in(list(spec.wanted)))
    assert sorted(quoted["date"].unique()) == spec.target_dates
    for component in COMPONENTS:
        assert made.tables[f"{component}_features"].height == quoted.height, component
    shares = [f"{c} {null_share(c, made.tables[f'{c}_features']):.3f}" for c in COMPONENTS]
    print(f"\n{spec.days} days of {', '.join(spec.wanted)}, {quoted.height:,} rows,"
          " null share:", *shares)  # fmt: skip
