from __future__ import annotations

import polars as pl
import pytest

from mr_platform.pictures.source_gaps import source_gaps
from mr_platform.registry.loader import load_registry
from mr_platform_tests.pictures import picture_days as days

EVERY_15 = [minute for minute in range(days.MINUTES) if minute % 15]


def c6(**changes: object) -> pl.DataFrame:
    frame = days.features("c6")
    return frame.with_columns(
        pl.lit(value, frame.schema[name]).alias(name) for name, value in changes.items()
    )


def without_partner() -> pl.DataFrame:
    columns = load_registry().components["c6"].columns
    return c6(**{column.name: None for column in columns if column.block == "cross_symbol"})


def test_a_day_with_everything_lacks_nothing() -> None:
    assert source_gaps(days.symbol_day(components={"c6": c6()})) == ()
    # a single minute is seen in the map of nulls
    assert source_gaps(days.symbol_day(panel=days.panel(gap=(100,)))) == ()


def test_a_file_without_futures_is_named_once() -> None:
    gaps = source_gaps(days.symbol_day(panel=days.panel(futures=False)))
    assert gaps == ("no futures in the file: families of the future are null",)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (("fut_volume",), "no volume of the future in the file"),
        (("oi_ce", "oi_pe"), "no open interest in the file"),
        (("chain_volume",), "no option volume in the file"),
        (("iv_atm",), "no implied volatility in the file"),
    ],
)
@pytest.mark.parametrize("value", [None, 0])
def test_a_series_without_values_is_named(
    columns: tuple[str, ...], said: str, value: int | None
) -> None:
    panel = days.panel()
    empty = panel.with_columns(pl.lit(value, panel.schema[name]).alias(name) for name in columns)
    (gap,) = source_gaps(days.symbol_day(panel=empty))
    assert gap.startswith(f"{said}: ")


def test_one_side_of_open_interest_is_not_called_none() -> None:
    panel = days.panel().with_columns(oi_ce=pl.lit(None, pl.Float64))
    assert source_gaps(days.symbol_day(panel=panel)) == ()


def test_a_panel_without_the_column_says_nothing_of_the_file() -> None:
    assert source_gaps(days.symbol_day(panel=days.panel().drop("chain_volume"))) == ()


def test_the_rhythm_of_sparse_quotes_is_told() -> None:
    (gap,) = source_gaps(days.symbol_day(panel=days.panel(gap=EVERY_15)))
    assert gap.startswith("a quote every 15 minutes (25 of 375): windows that need more minutes")
    uneven = [minute for minute in EVERY_15 if minute not in (2, 34, 35, 77, 123, 124)]
    (gap,) = source_gaps(days.symbol_day(panel=days.panel(gap=uneven)))
    assert gap.startswith("a quote about every 15 minutes (31 of 375)")


@pytest.mark.parametrize(
    ("gap", "told"),
    [
        (range(100, 130), "345 of 375 minutes are quoted, the longest gap from 10:55 to 11:24"),
        (range(50), "325 of 375 minutes are quoted, the longest gap from 09:15 to 10:04"),
        (range(300, 375), "300 of 375 minutes are quoted, the longest gap from 14:15 to 15:29"),
    ],
)
def test_the_longest_gap_of_a_dense_day_is_told(gap: range, told: str) -> None:
    (found,) = source_gaps(days.symbol_day(panel=days.panel(gap=gap)))
    assert found.startswith(told)


def test_a_partner_that_was_not_there_is_named() -> None:
    (gap,) = source_gaps(days.symbol_day(components={"c6": without_partner()}))
    assert gap.startswith("no BANKNIFTY that day when c6 was made: cross-symbol families")
    # without its own volatility the day cannot tell
    panel = days.panel().with_columns(iv_atm=pl.lit(None, pl.Float64))
    gaps = source_gaps(days.symbol_day(panel=panel, components={"c6": without_partner()}))
    assert not any("BANKNIFTY" in each for each in gaps)


def test_a_day_without_a_quoted_minute_says_only_that() -> None:
    (gap,) = source_gaps(days.bare_day())
    assert gap.startswith("no minute of this expiry is quoted")
