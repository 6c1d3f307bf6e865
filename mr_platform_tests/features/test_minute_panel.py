"""The minute panel as a whole: its declared columns, its grid, and numbers that come and go."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from mr_platform.features.chain_grid import GROUP_KEYS
from mr_platform.features.minute_panel import (
    NUMBERS,
    PANEL_KEYS,
    minute_panel,
    numbered,
    stored,
)
from mr_platform.features.table_schemas import MINUTE_PANEL, table_schema
from mr_platform.gateways.frame_engine import CpuEngine
from mr_platform_tests.features.chain_days import hand_chain

DAY = dt.date(2025, 8, 29)
NEXT_DAY = dt.date(2025, 9, 1)
EXPIRIES = (dt.date(2025, 9, 2), dt.date(2025, 9, 9))
ENGINE = CpuEngine()


def leg(price: float, j: int) -> dict[str, object]:
    return {
        "open": price, "high": price + 1, "low": price - 1, "close": price + j % 3, "volume": 75,
        "oi": 7_500 + 75 * j, "iv": 0.12, "delta": 0.5, "gamma": 0.0005, "theta": -4.0, "vega": 8.0,
    }  # fmt: skip


def chain(
    *, symbol: str = "NIFTY", day: dt.date = DAY, minutes: tuple[int, ...] = (0, 1, 2, 5)
) -> pl.DataFrame:
    """Two expiries of 21 strikes, everything quoted."""
    rows = []
    for expiry in EXPIRIES:
        for j in minutes:
            for k in range(-10, 11):
                row: dict[str, object] = {
                    "j": j, "k": k, "strike": 24_500.0 + 50 * k, "expiry_date": expiry,
                    "spot": 24_500.0 + j, "atm_strike": 24_500.0, "future_close": 24_520.0,
                    "future_open": 24_519.0, "future_high": 24_525.0, "future_low": 24_510.0,
                    "future_volume": 750, "future_oi": 75_000,
                }  # fmt: skip
                for side, price in (("ce", 600.0 - 50 * k), ("pe", 600.0 + 50 * k)):
                    row |= {f"{side}_{name}": value for name, value in leg(price, j).items()}
                row |= {"pe_delta": -0.5}
                rows.append(row)
    return hand_chain(rows, symbol=symbol, day=day)


@pytest.fixture(scope="module")
def panel() -> pl.DataFrame:
    """Two days and two symbols."""
    days = [
        chain(symbol=symbol, day=day)
        for symbol in ("NIFTY", "BANKNIFTY")
        for day in (DAY, NEXT_DAY)
    ]
    return minute_panel(pl.concat(days), ENGINE)


def nothing_but_calls() -> pl.DataFrame:
    """One strike, one price: every sum lacks its strikes."""
    return hand_chain([{"j": 3, "k": 0, "strike": 24_500.0, "ce_close": 100.0}])


@pytest.mark.parametrize(
    "rows", [chain(), nothing_but_calls(), chain().clear()], ids=["whole", "poor", "empty"]
)
def test_the_stored_panel_has_exactly_the_declared_columns(rows: pl.DataFrame) -> None:
    panel = minute_panel(rows, ENGINE)
    found, declared = stored(panel).schema, table_schema(MINUTE_PANEL)
    assert set(panel.columns) == {*NUMBERS, *declared.names()}, "nothing that is not declared"
    assert found.names() == declared.names()
    assert {n: (found[n], declared[n]) for n in found if found[n] != declared[n]} == {}


def test_every_expiry_has_every_minute_of_its_day(panel: pl.DataFrame) -> None:
    sizes = panel.group_by(GROUP_KEYS).agg(pl.len(), pl.col("j").min(), j_last=pl.col("j").max())
    assert sizes.height == 8
    assert sizes.select("len", "j", "j_last").unique().rows() == [(375, 0, 374)]
    assert panel.filter("present")["j"].unique().sort().to_list() == [0, 1, 2, 5]
    quoted = panel.filter(pl.col("strd").is_not_null())
    assert quoted.filter(~pl.col("present")).is_empty()


def test_rows_ascend_and_are_numbered_within_the_frame(panel: pl.DataFrame) -> None:
    assert panel.columns[: len(NUMBERS) + len(PANEL_KEYS)] == [*NUMBERS, *PANEL_KEYS]
    assert panel["cell"].to_list() == list(range(8 * 375))
    assert panel.select(*GROUP_KEYS, "j").equals(panel.select(*GROUP_KEYS, "j").sort(pl.all()))
    first = panel.filter(pl.col("j") == 0)
    assert first["g"].to_list() == list(range(8))
    assert first["u"].to_list() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert first["symbol"].to_list() == ["BANKNIFTY"] * 4 + ["NIFTY"] * 4


def test_a_stored_panel_comes_back_numbered_as_it_was(panel: pl.DataFrame) -> None:
    kept = stored(panel)
    assert not set(NUMBERS) & set(kept.columns)
    for order in (kept, kept.reverse(), kept.sample(fraction=1.0, shuffle=True, seed=3)):
        assert numbered(order).equals(panel)
        assert numbered(order).schema == panel.schema


def test_a_part_of_a_stored_panel_is_numbered_from_zero(panel: pl.DataFrame) -> None:
    part = numbered(stored(panel).filter(pl.col("symbol") == "NIFTY"))
    assert part["cell"].to_list() == list(range(4 * 375))
    assert part["g"].unique().sort().to_list() == [0, 1, 2, 3]
    assert part["u"].unique().sort().to_list() == [0, 1]


def test_an_empty_panel_can_be_numbered(panel: pl.DataFrame) -> None:
    none = numbered(stored(panel).clear())
    assert none.schema == panel.schema


def test_days_worked_out_together_are_those_worked_out_alone(panel: pl.DataFrame) -> None:
    for symbol in ("NIFTY", "BANKNIFTY"):
        for day in (DAY, NEXT_DAY):
            alone = stored(minute_panel(chain(symbol=symbol, day=day), ENGINE))
            own = (pl.col("symbol") == symbol) & (pl.col("date") == day)
            assert stored(panel).filter(own).equals(alone)


def test_the_order_of_the_chain_s_rows_does_not_matter(panel: pl.DataFrame) -> None:
    rows = chain()
    mixed = rows.sample(fraction=1.0, shuffle=True, seed=5)
    assert minute_panel(mixed.lazy(), ENGINE).equals(minute_panel(rows, ENGINE))


def test_no_minute_knows_a_later_one() -> None:
    rows = chain()
    opening = rows.filter(pl.col("ts_minute") <= rows["ts_minute"].unique().sort()[2])
    until = pl.col("j") <= 2
    early = stored(minute_panel(opening, ENGINE)).filter(until)
    assert stored(minute_panel(rows, ENGINE)).filter(until).equals(early)


def test_the_close_of_the_day_before_is_read_where_there_is_one() -> None:
    rows = chain()
    before = (
        rows.select(*GROUP_KEYS, "strike")
        .unique()
        .with_columns(ce_oi=pl.lit(1_000, pl.Int64), pe_oi=pl.lit(2_000, pl.Int64))
    )
    without, with_it = minute_panel(rows, ENGINE), minute_panel(rows, ENGINE, before)
    changed = [c for c in without.columns if not without[c].equals(with_it[c], null_equal=True)]
    assert changed
    assert all(name.startswith("o3_") for name in changed)
    assert minute_panel(rows, ENGINE, before.clear()).equals(without)
