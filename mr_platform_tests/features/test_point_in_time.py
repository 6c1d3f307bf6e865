"""Nothing of a minute changes with what comes after it: every table, bit for bit.

By default two minutes of a day are cut and their future replaced; ``make test-full`` does twenty
of whole days. Every table with a row a minute is compared: the panel and c1 to c8, with history.
An expiry that is first quoted late in the day is no exception: before its first quote nothing of
the other expiries may know that it will come.
"""

from __future__ import annotations

import datetime as dt
import random
from functools import lru_cache
from pathlib import Path

import polars as pl
import pytest

from mr_platform.trading_calendar import SESSION_MINUTES
from mr_platform_tests.features.changed_chains import (
    MINUTE,
    disturbed_after,
    minute_of,
    near_strikes,
    until,
)
from mr_platform_tests.features.value_bits import apart, table_bits
from mr_platform_tests.features.whole_graph import (
    CHECKED,
    Tables,
    both_symbols,
    built,
    history_for,
)

SIMULATED_DAY, REAL_DAY = dt.date(2025, 9, 5), dt.date(2025, 8, 29)
SAMPLED_EXPIRIES = {"NIFTY": 2, "BANKNIFTY": 1}
WHOLE = {"NIFTY": 4, "BANKNIFTY": 4}
SAMPLED_MINUTES, MINUTES = 2, 20
SEED = 20250905
EARLIEST = 5
"""Minutes from the open at which there is a past worth comparing."""

FIRST_QUOTES, SAMPLED_FIRST_QUOTE = (16, 200, 350), 150
LATE = {"nearest": 0, "furthest": -1}
"""Which expiry comes late, by its place among those of its symbol."""


SIZES = [
    pytest.param(True, id="sampled"),
    pytest.param(False, id="whole", marks=[pytest.mark.slow, pytest.mark.timeout(2400)]),
]


@lru_cache(maxsize=2)
def whole_day(kind: str, day: dt.date, sampled: bool, data: Path | None):
    """Chain, history and every table of a day."""
    chain = both_symbols(kind, day, SAMPLED_EXPIRIES if sampled else WHOLE, data)
    if sampled:
        chain = near_strikes(chain)
    history = history_for(chain, seed=3)
    return chain, history, built(chain, history)


def chosen_minutes(count: int) -> list[int]:
    return sorted(random.Random(SEED).sample(range(EARLIEST, SESSION_MINUTES - 1), count))


def known(table: pl.DataFrame, day: dt.date, j: int, expiries: pl.DataFrame) -> pl.DataFrame:
    """Rows up to a minute; of the panel, of expiries that were quoted by then."""
    rows = table.filter(pl.col("ts_minute") <= minute_of(day, j))
    if "expiry_date" in rows.columns:
        unquoted = rows.join(expiries, on=["symbol", "expiry_date"], how="anti")
        assert not unquoted["present"].any()
        rows = rows.join(expiries, on=["symbol", "expiry_date"], how="semi")
    return rows


def differing(whole: Tables, cut: Tables, chain: pl.DataFrame, day: dt.date, j: int) -> list[str]:
    """``table.column`` of all columns whose bits up to a minute differ."""
    quoted = until(chain, j).select("symbol", "expiry_date").unique()
    found = []
    for name in CHECKED:
        left, right = (known(side[name], day, j, quoted) for side in (whole, cut))
        assert left.height, name
        found += [f"{name}.{column}" for column in apart(table_bits(left), table_bits(right))]
    return found


def judge(kind: str, day: dt.date, sampled: bool, data: Path | None = None) -> None:
    chain, history, whole = whole_day(kind, day, sampled, data)
    minutes = chosen_minutes(SAMPLED_MINUTES if sampled else MINUTES)
    wrong = []
    for n, j in enumerate(minutes):
        variants = {"cut": until(chain, j), "other future": disturbed_after(chain, j, SEED + j)}
        if sampled:
            # one of the two a minute: each costs a whole day's computation
            variants = dict([list(variants.items())[n % 2]])
        for what, changed in variants.items():
            other = built(changed, history)
            found = differing(whole, other, chain, day, j)
            # the comparison has something to see: what comes later did change
            assert apart(table_bits(whole["c1_features"]), table_bits(other["c1_features"])), what
            wrong += [f"minute {j}, {what}: {name}" for name in found]
    print(f"\n{kind} {day}: minutes {minutes}, {len(wrong)} columns changed")
    assert not wrong, f"{len(wrong)} columns read the future:\n" + "\n".join(wrong[:40])


@pytest.mark.parametrize("sampled", SIZES)
def test_the_past_of_a_simulated_day_knows_no_future(sampled):
    judge("simulated", SIMULATED_DAY, sampled)


@pytest.mark.real_data
@pytest.mark.parametrize("sampled", SIZES)
def test_the_past_of_a_real_day_knows_no_future(sampled, real_data):
    judge("real", REAL_DAY, sampled, real_data)


# -- an expiry that comes late --------------------------------------------------------------------


def late(chain: pl.DataFrame, which: str, first: int) -> pl.DataFrame:
    """A chain whose nearest or furthest NIFTY expiry is not quoted before a minute."""
    own = chain.filter(pl.col("symbol") == "NIFTY")["expiry_date"].unique().sort()
    comes = (pl.col("symbol") == "NIFTY") & (pl.col("expiry_date") == own[LATE[which]])
    return chain.filter(~comes | (first <= MINUTE))


LATE_CASES = [
    ("nearest", SAMPLED_FIRST_QUOTE, True),
    *[
        pytest.param(which, first, False, marks=[pytest.mark.slow, pytest.mark.timeout(1200)])
        for which in LATE
        for first in FIRST_QUOTES
    ],
]


@pytest.mark.parametrize(("which", "first", "sampled"), LATE_CASES)
def test_before_its_first_quote_nothing_knows_of_a_late_expiry(which, first, sampled):
    counts = SAMPLED_EXPIRIES if sampled else WHOLE
    full = both_symbols("simulated", SIMULATED_DAY, counts)
    history = history_for(full, seed=13)
    if sampled:
        full = near_strikes(until(full, first + 30))
    chain = late(full, which, first)
    whole, cut = built(chain, history), built(until(chain, first - 1), history)
    # the cut day has one expiry less, the whole one has it for half an hour at least
    groups = [t["minute_panel"].select("symbol", "expiry_date").n_unique() for t in (whole, cut)]
    assert groups == [sum(counts.values()), sum(counts.values()) - 1]
    wrong = differing(whole, cut, chain, SIMULATED_DAY, first - 1)
    assert not wrong, f"{len(wrong)} columns read the future:\n" + "\n".join(wrong[:40])
    if not sampled:
        # the comparison has something to see: an expiry that is quoted before would change it
        early = [
            table["c4_features"].filter(
                pl.col("symbol") == "NIFTY",
                pl.col("ts_minute") < minute_of(SIMULATED_DAY, first),
                pl.col("dte").is_in(cut["c4_features"]["dte"].unique().to_list()),
            )
            for table in (built(full, history), cut)
        ]
        assert "c4_ts_log_ratio_12" in apart(*[table_bits(table) for table in early])
