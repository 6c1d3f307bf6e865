"""Previous trading days beside a row, and streams over them."""

from __future__ import annotations

import datetime as dt

import polars as pl

from mr_platform.features import history
from mr_platform.features.day_history import minute_history
from mr_platform.gateways.frame_engine import CpuEngine
from mr_platform.trading_calendar import SESSION_MINUTES
from mr_platform_tests.features.day_panels import FAR, FRIDAY, MONDAY, NEAR, TUESDAY, minutes, panel


def past_minutes(frame: pl.DataFrame) -> pl.LazyFrame:
    return minute_history(frame, CpuEngine()).lazy()


def days(*dates: dt.date, depth: int = 3) -> pl.LazyFrame:
    return history.previous_days(dates, depth).lazy()


def test_previous_days_follow_the_trading_calendar():
    found = history.previous_days([MONDAY], 3)
    assert found["hist_date"].to_list() == [FRIDAY, dt.date(2025, 8, 28), dt.date(2025, 8, 26)]
    assert found["back"].to_list() == [1, 2, 3]  # 27 August is a holiday, 30 and 31 a weekend


def test_the_first_days_of_the_calendar_have_fewer_days_before_them():
    assert history.previous_days([dt.date(2018, 1, 3)], 5).height == 2


def test_past_gives_each_target_date_the_rows_it_reads():
    table = pl.LazyFrame({"date": [FRIDAY, MONDAY], "symbol": ["NIFTY"] * 2, "x": [1.0, 2.0]})
    found = history.past(table, days(MONDAY, TUESDAY), 2).sort("date", "back").collect()
    assert found.select("date", "back", "x").rows() == [
        (MONDAY, 1, 1.0), (TUESDAY, 1, 2.0), (TUESDAY, 2, 1.0)
    ]  # fmt: skip


def test_wide_lays_past_values_out_by_their_place_in_the_calendar():
    table = pl.LazyFrame({"date": [FRIDAY], "symbol": ["NIFTY"], "x": [7.0]})
    found = history.wide(table, days(TUESDAY), keys=["symbol"], values=["x"], depth=3).collect()
    # Friday is two trading days before Tuesday, though it is the only day there is
    assert found.row(0, named=True) == {
        "date": TUESDAY, "symbol": "NIFTY", "x_1": None, "x_2": 7.0, "x_3": None
    }  # fmt: skip


def test_a_stream_has_every_minute_of_every_day_and_ends_with_the_panels_rows():
    today = panel(minutes(TUESDAY, NEAR, 500.0), minutes(TUESDAY, FAR, 900.0))
    past = past_minutes(minutes(FRIDAY, NEAR, 100.0))
    found = history.stream(today, past, days(TUESDAY), 2, ["strd"]).collect()
    assert found.height == 2 * 3 * SESSION_MINUTES
    near = found.filter(pl.col("g") == 0)
    assert near["s"].to_list() == list(range(3 * SESSION_MINUTES))
    assert near["strd"][:375].to_list() == [100.0 + j for j in range(375)]
    assert near["strd"][375:750].null_count() == 375  # Monday was never loaded
    assert near["strd"][750:].to_list() == today["strd"][:375].to_list()
    far = found.filter(pl.col("g") == 1)
    assert far["strd"][:750].null_count() == 750  # this expiry was not listed before
    assert found["j"].to_list() == list(range(375)) * 6


def test_a_stream_of_the_underlying_is_one_a_symbol_and_day():
    today = panel(minutes(TUESDAY, NEAR, 500.0), minutes(TUESDAY, FAR, 500.0))
    past = past_minutes(pl.concat([minutes(MONDAY, NEAR, 300.0), minutes(MONDAY, FAR, 300.0)]))
    found = history.stream(today, past, days(TUESDAY), 2, ["spot"], by_expiry=False).collect()
    assert found.height == 3 * SESSION_MINUTES
    assert found["spot"][375] == 300.0
    assert found["spot"][750] == 500.0
