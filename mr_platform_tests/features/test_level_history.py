"""Previous days and weeks: which day is read, of which expiry, and what a week is."""

from __future__ import annotations

import datetime as dt

import polars as pl

from mr_platform.features.history import previous_days
from mr_platform.features.level_history import previous_day, previous_week
from mr_platform.features.table_schemas import empty_table

D = dt.date
ONE, TWO = D(2025, 9, 9), D(2025, 9, 30)


def daily(*rows: tuple[dt.date, dt.date, float | None]) -> pl.LazyFrame:
    """hist_daily rows of a date, an expiry and a number: high n + 2, low n - 2, close n."""
    frame = pl.DataFrame(
        rows, schema={"date": pl.Date, "expiry_date": pl.Date, "n": pl.Float64}, orient="row"
    )
    prices = [
        (pl.col("n") + shift).alias(f"{asset}_{what}")
        for asset in ("spot", "strd")
        for what, shift in (("high", 2.0), ("low", -2.0), ("close", 0.0))
    ]
    return frame.select(pl.lit("NIFTY").alias("symbol"), "date", "expiry_date", *prices).lazy()


def days_of(*dates: dt.date) -> pl.LazyFrame:
    return previous_days(dates, 20).lazy()


def test_previous_day_is_the_calendars_and_of_the_same_expiry() -> None:
    # 2025-09-01 is a Monday; 2025-08-29 the Friday before
    history = daily(
        (D(2025, 8, 29), ONE, 10.0), (D(2025, 8, 29), TWO, 20.0), (D(2025, 8, 28), ONE, 30.0)
    )
    found = previous_day(history, days_of(D(2025, 9, 1)), "strd").sort("expiry_date").collect()
    assert found.columns == ["symbol", "date", "expiry_date", "high", "low", "close"]
    assert found.rows() == [
        ("NIFTY", D(2025, 9, 1), ONE, 12.0, 8.0, 10.0),
        ("NIFTY", D(2025, 9, 1), TWO, 22.0, 18.0, 20.0),
    ]
    before = previous_day(history, days_of(D(2025, 9, 1)), "strd", 2).collect()
    assert before.rows() == [("NIFTY", D(2025, 9, 1), ONE, 32.0, 28.0, 30.0)]


def test_a_day_that_was_never_loaded_is_not_skipped() -> None:
    history = daily((D(2025, 8, 29), ONE, 10.0))
    assert previous_day(history, days_of(D(2025, 9, 2)), "strd").collect().is_empty()
    assert (
        previous_day(empty_table("hist_daily"), days_of(D(2025, 9, 2)), "strd").collect().is_empty()
    )


def test_spot_is_the_symbols_whatever_the_expiry() -> None:
    history = daily((D(2025, 8, 29), ONE, None), (D(2025, 8, 29), TWO, 20.0))
    found = previous_day(history, days_of(D(2025, 9, 1)), "spot").collect()
    assert found.rows() == [("NIFTY", D(2025, 9, 1), 22.0, 18.0, 20.0)]


def test_previous_week_ends_before_monday() -> None:
    week = [D(2025, 8, 25), D(2025, 8, 26), D(2025, 8, 28), D(2025, 8, 29)]
    history = daily(
        (D(2025, 8, 22), ONE, 99.0),  # the week before
        *[(day, ONE, n) for day, n in zip(week, (10.0, 15.0, 5.0, 7.0), strict=True)],
        (D(2025, 9, 1), ONE, 88.0),  # the week itself
    )
    for target in (D(2025, 9, 1), D(2025, 9, 3), D(2025, 9, 5)):
        found = previous_week(history, days_of(target), "strd").collect()
        assert found.rows() == [("NIFTY", target, ONE, 17.0, 3.0, 7.0, 4)]


def test_a_week_closes_with_its_last_day_that_has_a_price() -> None:
    history = daily((D(2025, 8, 28), ONE, 5.0), (D(2025, 8, 29), ONE, None))
    found = previous_week(history, days_of(D(2025, 9, 2)), "strd").collect()
    assert found.rows() == [("NIFTY", D(2025, 9, 2), ONE, 7.0, 3.0, 5.0, 1)]


def test_weeks_run_over_the_turn_of_the_year() -> None:
    # 2024-12-30 (Monday) to 2025-01-03 is one ISO week; 2025-01-06 opens the next
    history = daily((D(2024, 12, 31), ONE, 10.0), (D(2025, 1, 2), ONE, 20.0))
    found = previous_week(history, days_of(D(2025, 1, 6)), "spot").collect()
    assert found.rows() == [("NIFTY", D(2025, 1, 6), 22.0, 8.0, 20.0, 2)]
    inside = previous_week(history, days_of(D(2025, 1, 3)), "spot").collect()
    assert inside.is_empty()
