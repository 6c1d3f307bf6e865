"""Days that are not as they should be: every table is made, with the right rows and defined values.

Each irregular day stands on a date of its own, so that one batch makes them all: that a partition
in a batch is the same as alone is proven in ``test_same_bits.py``.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import polars as pl
import pytest

from mr_platform.features.table_schemas import MINUTE_PANEL
from mr_platform.registry.model import COMPONENTS
from mr_platform.trading_calendar import SESSION_MINUTES, previous_trading_day
from mr_platform_tests.features.changed_chains import IRREGULAR, moved, near_strikes
from mr_platform_tests.features.value_bits import all_bits, apart
from mr_platform_tests.features.whole_graph import (
    Tables,
    both_symbols,
    built,
    faults,
    features_of,
    history_for,
    null_share,
    raw_values_watched,
)

DAY = dt.date(2025, 9, 5)
SAMPLED = {"NIFTY": 2, "BANKNIFTY": 1}
WHOLE = {"NIFTY": 4, "BANKNIFTY": 4}
NAMES = tuple(IRREGULAR)
EXPIRY_DAYS = {"NIFTY": dt.date(2025, 9, 9), "BANKNIFTY": dt.date(2025, 9, 30)}
FIRST_DAY = previous_trading_day(DAY, 300)
"""A day before all history tables."""

# the newest date is the whole day, whose history is there; all others stand before it
DATES = {name: DAY if n == 0 else previous_trading_day(DAY, n) for n, name in enumerate(NAMES)}
DATES["no history"] = FIRST_DAY
SLOW = [pytest.mark.slow, pytest.mark.timeout(1200)]
MOVED_WHOLLY = {"no history", "expiry day"}
"""Days whose distance to expiry must stay what it is."""


@dataclass
class Days:
    """All irregular days in one batch.

    Attributes:
        chain: Their chains.
        tables: Their tables.
        raw: What components returned that their declared types hide.
    """

    chain: pl.DataFrame
    tables: Tables
    raw: list[str]


def made(counts, history_seed: int | None) -> Days:
    whole = both_symbols("simulated", DAY, counts)
    if counts is SAMPLED:
        whole = near_strikes(whole)
    history = None if history_seed is None else history_for(whole, history_seed)
    # with history the expiries stay, so that the tables before a date know them
    alone = {name for name, day in DATES.items() if history is None or name in MOVED_WHOLLY}
    changed = [
        moved(IRREGULAR[name](whole), day, expiries_too=name in alone)
        for name, day in DATES.items()
    ]
    chain = pl.concat(changed)
    with raw_values_watched() as raw:
        tables = built(chain, history)
    return Days(chain, tables, raw)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((SAMPLED, 9), id="with history"),
        pytest.param((WHOLE, 9), id="whole, with history", marks=SLOW),
        pytest.param((WHOLE, None), id="whole, without history", marks=SLOW),
    ],
)
def days(request) -> Days:
    return made(*request.param)


@pytest.fixture(scope="module")
def bare_days() -> Days:
    return made(SAMPLED, None)


def on(table: pl.DataFrame, name: str) -> pl.DataFrame:
    return table.filter(pl.col("date") == DATES[name])


@pytest.mark.parametrize("name", NAMES)
def test_an_irregular_day_gives_defined_rows(days, name):
    quoted = on(days.chain, name).select("symbol", "expiry_date", "dte", "ts_minute").unique()
    expiries = quoted.select("symbol", "expiry_date").unique().height
    panel = on(days.tables[MINUTE_PANEL], name)
    assert quoted.height
    assert panel.height == expiries * SESSION_MINUTES
    assert panel["present"].sum() == quoted.height
    floats = [column for column, dtype in panel.schema.items() if dtype.is_float()]
    assert sum(panel.select((~pl.col(floats).is_finite()).sum()).row(0)) == 0
    wrong = []
    for component in COMPONENTS:
        table = on(days.tables[f"{component}_features"], name)
        keys = table.select("symbol", "ts_minute", "dte")
        assert keys.height == quoted.height, component
        assert keys.join(quoted, on=keys.columns, how="anti").height == 0, component
        wrong += faults(component, table)
    assert not wrong, "\n".join(wrong)


def test_no_value_is_hidden_by_its_declared_type(days):
    assert sorted(set(days.raw)) == []


def test_no_irregular_day_has_more_values_than_the_whole_one(days):
    print()
    shares = {
        name: {c: null_share(c, on(days.tables[f"{c}_features"], name)) for c in COMPONENTS}
        for name in NAMES
    }
    for name, own in shares.items():
        print(f"  {name:24}", " ".join(f"{c} {share:.2f}" for c, share in own.items()))
    # days stand on other dates, so their histories differ a little
    fewer = [
        (name, c)
        for name, own in shares.items()
        for c, share in own.items()
        if share < shares["whole"][c] - 0.01
    ]
    assert fewer == []


def empty(days: Days, name: str) -> set[str]:
    """Columns without a value all day."""
    found = set()
    for component in COMPONENTS:
        table = on(days.tables[f"{component}_features"], name)
        names = [column.name for column in features_of(component)]
        counts = table.select(pl.col(names).count()).row(0)
        found |= {column for column, count in zip(names, counts, strict=True) if not count}
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in NAMES if n != "whole"])
def test_what_a_day_lacks_adds_no_column(bare_days, name):
    assert empty(bare_days, "whole") - empty(bare_days, name) == set()


def test_constant_prices_have_no_volatility_and_no_direction(days):
    c1 = on(days.tables["c1_features"], "constant prices")
    c8 = on(days.tables["c8_features"], "constant prices")
    still = c1.select(pl.col("^c1_rv_atm_.*m$")).unpivot()["value"].drop_nulls()
    assert len(still) > 100
    assert still.abs().max() == 0.0
    assert c8.height > 0


@pytest.mark.slow
@pytest.mark.parametrize("symbol", ["NIFTY", "BANKNIFTY"])
def test_a_simulated_expiry_day_is_in_range(symbol):
    chain = both_symbols("simulated", EXPIRY_DAYS[symbol], {symbol: 4})
    assert chain["dte"].min() == 0
    tables = built(chain, history_for(chain, seed=4))
    wrong = [f for c in COMPONENTS for f in faults(c, tables[f"{c}_features"])]
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_an_irregular_day_alone_equals_itself_in_the_batch(name):
    whole = both_symbols("simulated", DAY, SAMPLED)
    alone = moved(IRREGULAR[name](whole), DATES[name])
    other = moved(whole, previous_trading_day(DAY, 30))
    batch = built(pl.concat([alone, other]))
    own = {n: t.filter(pl.col("date") == DATES[name]) for n, t in batch.items()}
    assert apart(all_bits(built(alone)), all_bits(own)) == []
