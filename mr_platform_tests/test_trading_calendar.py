"""Trading days, expiries and buckets, against known dates and every real file."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from mr_platform import trading_calendar as tc
from mr_platform.errors import CalendarError
from mr_platform.trading_calendar_declared import (
    CONTRACT_RULES,
    EVENING_SESSIONS,
    LIBRARY_LAST,
    SPECIAL_SESSIONS,
)

D = dt.date


def real_chain_days(real_data: Path) -> pl.DataFrame:
    files = sorted((real_data / "options" / "chain").glob("*/*.parquet"))
    assert len(files) == 48
    columns = ["index_name", "trade_date", "expiry_date", "expiry_bucket", "dte"]
    return pl.concat([pl.read_parquet(file, columns=columns).unique() for file in files])


# --- trading days ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "day",
    [
        D(2020, 2, 1),
        D(2024, 1, 20),
        D(2024, 3, 2),
        D(2024, 5, 18),
        D(2025, 2, 1),
        D(2026, 2, 1),
        D(2025, 10, 21),
        D(2018, 1, 1),
        D(2025, 8, 29),
    ],
)
def test_special_and_ordinary_sessions_trade(day: dt.date) -> None:
    assert tc.is_trading_day(day)
    assert tc.why_closed(day) is None


@pytest.mark.parametrize(
    ("day", "reason"),
    [
        (D(2019, 6, 5), "exchange holiday"),
        (D(2019, 9, 2), "exchange holiday"),
        (D(2019, 9, 10), "exchange holiday"),
        (D(2024, 1, 22), "exchange holiday"),
        (D(2024, 5, 20), "exchange holiday"),
        (D(2024, 11, 20), "exchange holiday"),
        (D(2023, 6, 29), "exchange holiday"),
        (D(2024, 1, 21), "weekend"),
        (D(2026, 1, 31), "weekend"),
        (D(2022, 10, 24), "Muhurat evening session only, outside 09:15 to 15:29"),
        (D(2023, 11, 12), "Muhurat evening session only, outside 09:15 to 15:29"),
    ],
)
def test_closed_days_say_why(day: dt.date, reason: str) -> None:
    assert not tc.is_trading_day(day)
    assert tc.why_closed(day) == reason


def test_every_real_chain_date_is_a_trading_day(real_data: Path) -> None:
    days = real_chain_days(real_data)["trade_date"].unique().to_list()
    assert len(days) == 27
    assert [day for day in days if not tc.is_trading_day(day)] == []


def test_every_date_in_the_raw_folders_is_a_trading_day(real_data: Path) -> None:
    raw = real_data / "options" / "raw"
    named = {D.fromisoformat(file.stem[-10:]) for file in raw.glob("rohmhatre*/*/*.parquet")}
    named |= {
        D(int(stem[:4]), int(stem[4:6]), int(stem[6:]))
        for stem in (file.stem[-8:] for file in raw.glob("[!ir]*/*_20??????.parquet"))
    }
    assert len(named) == 20 + 5 + 1 + 1
    assert [day for day in named if not tc.is_trading_day(day)] == []


@pytest.mark.parametrize("symbol", tc.SYMBOLS)
def test_the_year_2022_has_exactly_the_dates_of_the_index_file(
    real_data: Path, symbol: str
) -> None:
    index = pl.read_parquet(
        real_data / "options" / "raw" / "index_1min" / f"{symbol}_2022.parquet", columns=["ts"]
    )
    inside = index.filter(pl.col("ts").dt.time().is_between(dt.time(9, 15), dt.time(15, 30)))
    assert inside["ts"].dt.date().unique().sort().to_list() == tc.trading_days(
        D(2022, 1, 1), D(2022, 12, 31)
    )
    evenings = set(index["ts"].dt.date().unique()) - set(inside["ts"].dt.date().unique())
    assert evenings == {D(2022, 10, 24)}
    assert evenings <= set(EVENING_SESSIONS)


def test_trading_days_per_year_are_the_known_numbers() -> None:
    # NSE's own counts of sessions, less evening Muhurat sessions, plus the afternoon one of 2025
    counts = {
        year: len(tc.trading_days(D(year, 1, 1), D(year, 12, 31))) for year in range(2018, 2027)
    }
    assert counts == {
        2018: 245,
        2019: 244,
        2020: 251,
        2021: 247,
        2022: 247,
        2023: 245,
        2024: 248,
        2025: 249,
        2026: 246,
    }


def test_the_library_knows_the_holidays_up_to_the_last_day() -> None:
    import exchange_calendars

    bound = exchange_calendars.calendar_utils.global_calendar_dispatcher  # the library's registry
    factory = bound._calendar_factories["XBOM"]
    assert factory.bound_max().date() >= LIBRARY_LAST


def test_after_the_library_every_weekday_that_is_no_fixed_holiday_trades():
    assert tc.is_trading_day(dt.date(2027, 1, 1))
    assert not tc.is_trading_day(dt.date(2027, 1, 2))
    assert not tc.is_trading_day(dt.date(2027, 1, 26))
    assert tc.CALENDAR_LAST > LIBRARY_LAST


def test_evening_and_special_sessions_are_disjoint() -> None:
    assert not set(EVENING_SESSIONS) & set(SPECIAL_SESSIONS)
    assert not any(tc.is_trading_day(day) for day in EVENING_SESSIONS)


def test_previous_and_next_step_over_holidays_and_take_special_sessions() -> None:
    assert tc.previous_trading_day(D(2024, 1, 23)) == D(2024, 1, 20)
    assert tc.next_trading_day(D(2024, 1, 20)) == D(2024, 1, 23)
    assert tc.previous_trading_day(D(2024, 1, 23), 3) == D(2024, 1, 18)
    assert tc.next_trading_day(D(2019, 6, 4)) == D(2019, 6, 6)
    assert tc.previous_trading_day(D(2024, 1, 21)) == D(2024, 1, 20)


def test_exclusions_and_special_sessions_complete_the_weekdays() -> None:
    first, last = D(2024, 1, 1), D(2024, 12, 31)
    weekdays = {
        day for day in (first + dt.timedelta(days=n) for n in range(366)) if day.weekday() < 5
    }
    excluded = tc.non_trading_weekdays(first, last)
    special = tc.special_sessions(first, last)
    assert D(2024, 11, 20) in excluded
    assert special == [D(2024, 1, 20), D(2024, 3, 2), D(2024, 5, 18)]
    assert sorted((weekdays - set(excluded)) | set(special)) == tc.trading_days(first, last)


def test_an_afternoon_muhurat_is_no_exclusion() -> None:
    assert D(2025, 10, 21) not in tc.non_trading_weekdays(D(2025, 10, 1), D(2025, 10, 31))
    assert tc.special_sessions(D(2025, 10, 1), D(2025, 10, 31)) == [D(2025, 10, 21)]


@pytest.mark.parametrize("day", [D(2017, 12, 31), D(2028, 1, 1)])
def test_a_day_outside_the_calendar_names_the_next_step(day: dt.date) -> None:
    with pytest.raises(CalendarError, match=r"outside the trading calendar.*exchange-calendars"):
        tc.is_trading_day(day)


def test_faulty_questions_are_refused() -> None:
    with pytest.raises(CalendarError, match="earlier date first"):
        tc.trading_days(D(2024, 1, 2), D(2024, 1, 1))
    with pytest.raises(CalendarError, match="Count from 1"):
        tc.next_trading_day(D(2024, 1, 2), 0)
    with pytest.raises(CalendarError, match="leaves the trading calendar"):
        tc.previous_trading_day(tc.CALENDAR_FIRST)
    with pytest.raises(CalendarError, match="leaves the trading calendar"):
        tc.next_trading_day(tc.CALENDAR_LAST)
    with pytest.raises(CalendarError, match="Use one of NIFTY, BANKNIFTY"):
        tc.expiries("FINNIFTY", D(2024, 1, 1))
    with pytest.raises(CalendarError, match="outside the trading calendar"):
        tc.expiries("NIFTY", D(2017, 1, 1))


# --- partition keys -------------------------------------------------------------------------


def test_a_partition_key_reads_back_from_its_text() -> None:
    key = tc.PartitionKey(D(2025, 8, 29), "NIFTY")
    assert str(key) == "2025-08-29|NIFTY"
    assert tc.PartitionKey.parse(str(key)) == key


@pytest.mark.parametrize("text", ["", "2025-08-29", "2025-08-29|", "2025-8-29|NIFTY", "NIFTY|x"])
def test_a_faulty_partition_key_is_refused(text: str) -> None:
    with pytest.raises(CalendarError, match=r"Write it as|Use one of"):
        tc.PartitionKey.parse(text)


def test_partition_keys_are_ordered_by_date_then_symbol() -> None:
    keys = tc.partition_keys(D(2024, 1, 19), D(2024, 1, 23))
    assert [str(key) for key in keys] == [
        "2024-01-19|NIFTY",
        "2024-01-19|BANKNIFTY",
        "2024-01-20|NIFTY",
        "2024-01-20|BANKNIFTY",
        "2024-01-23|NIFTY",
        "2024-01-23|BANKNIFTY",
    ]


# --- zones ----------------------------------------------------------------------------------


def test_zones_tile_the_session() -> None:
    assert tc.ZONES[0].start == tc.SESSION_OPEN
    assert tc.ZONES[-1].end == tc.SESSION_CLOSE
    for zone, following in zip(tc.ZONES, tc.ZONES[1:], strict=False):
        assert zone.end == following.start
        assert zone.zone_id + 1 == following.zone_id


# --- expiries -------------------------------------------------------------------------------


def test_every_expiry_in_the_real_files_is_listed(real_data: Path) -> None:
    days = real_chain_days(real_data)
    unknown = [
        (symbol, day, expiry)
        for symbol, day, expiry in days.select("index_name", "trade_date", "expiry_date").rows()
        if expiry not in tc.expiries(symbol, day)
    ]
    assert unknown == []


def test_the_whole_chain_of_2025_08_29_is_listed_and_nothing_else(real_data: Path) -> None:
    folder = real_data / "options" / "raw" / "sanjot_20250829_1min"
    for symbol, expected in (("NIFTY", 18), ("BANKNIFTY", 6)):
        quoted = (
            pl.read_parquet(folder / f"{symbol}_20250829.parquet", columns=["Expiry_Date"])
            .select(pl.col("Expiry_Date").str.to_date("%d-%b-%Y").unique().sort())
            .to_series()
            .to_list()
        )
        assert len(quoted) == expected
        assert tc.expiries(symbol, D(2025, 8, 29)) == quoted


def test_nifty_has_no_weeklies_before_they_were_introduced() -> None:
    assert tc.expiries("NIFTY", D(2019, 2, 8))[:2] == [D(2019, 2, 28), D(2019, 3, 28)]
    assert tc.expiries("NIFTY", D(2019, 2, 11))[:3] == [
        D(2019, 2, 14),
        D(2019, 2, 21),
        D(2019, 2, 28),
    ]
    assert tc.expiry_buckets("NIFTY", D(2019, 2, 8))[D(2019, 2, 28)] == "CM"


def test_the_move_to_tuesday_renames_what_is_quoted_from_29_august_2025() -> None:
    before = tc.expiries("NIFTY", D(2025, 8, 28))
    after = tc.expiries("NIFTY", D(2025, 8, 29))
    assert before[:4] == [D(2025, 8, 28), D(2025, 9, 4), D(2025, 9, 11), D(2025, 9, 18)]
    assert after[:4] == [D(2025, 9, 2), D(2025, 9, 9), D(2025, 9, 16), D(2025, 9, 23)]
    assert D(2025, 9, 25) in before
    assert D(2025, 9, 30) in after
    assert D(2025, 10, 1) in before  # Thursday 2 October was a holiday
    assert D(2025, 10, 1) not in after


@pytest.mark.parametrize(
    ("as_of", "expected"),
    [
        (D(2023, 9, 1), [D(2023, 9, 7), D(2023, 9, 14), D(2023, 9, 21), D(2023, 9, 28)]),
        (D(2023, 9, 4), [D(2023, 9, 6), D(2023, 9, 13), D(2023, 9, 20), D(2023, 9, 28)]),
        (D(2024, 2, 29), [D(2024, 2, 29), D(2024, 3, 6), D(2024, 3, 13), D(2024, 3, 20)]),
        (D(2024, 3, 1), [D(2024, 3, 6), D(2024, 3, 13), D(2024, 3, 20), D(2024, 3, 27)]),
        (D(2024, 11, 13), [D(2024, 11, 13), D(2024, 11, 27), D(2024, 12, 24), D(2025, 1, 29)]),
        (D(2025, 1, 1), [D(2025, 1, 30), D(2025, 2, 27), D(2025, 3, 27), D(2025, 6, 26)]),
        (D(2025, 9, 1), [D(2025, 9, 30), D(2025, 10, 28), D(2025, 11, 25), D(2025, 12, 30)]),
    ],
)
def test_banknifty_expiries_follow_the_rule_of_the_date(
    as_of: dt.date, expected: list[dt.date]
) -> None:
    assert tc.expiries("BANKNIFTY", as_of)[:4] == expected


@pytest.mark.parametrize(
    ("symbol", "as_of", "expiry"),
    [
        ("NIFTY", D(2023, 6, 26), D(2023, 6, 28)),  # Thursday 29 was a holiday
        ("NIFTY", D(2024, 8, 12), D(2024, 8, 14)),
        ("NIFTY", D(2025, 10, 15), D(2025, 10, 20)),  # the afternoon Muhurat takes no expiry
        ("NIFTY", D(2026, 3, 27), D(2026, 3, 30)),
        ("NIFTY", D(2026, 11, 18), D(2026, 11, 23)),
        ("BANKNIFTY", D(2018, 3, 26), D(2018, 3, 28)),
        ("BANKNIFTY", D(2024, 12, 16), D(2024, 12, 24)),
    ],
)
def test_a_holiday_moves_the_expiry_to_the_day_before(
    symbol: str, as_of: dt.date, expiry: dt.date
) -> None:
    assert tc.expiries(symbol, as_of)[0] == expiry


def test_a_movable_holiday_counts_only_once_it_is_published() -> None:
    assert D(2026, 3, 31) in tc.expiries("NIFTY", D(2025, 8, 29))
    assert D(2026, 3, 30) in tc.expiries("NIFTY", D(2026, 1, 5))
    assert D(2029, 12, 24) in tc.expiries("NIFTY", D(2025, 8, 29))


@pytest.mark.parametrize("symbol", tc.SYMBOLS)
def test_listed_expiries_ascend_and_never_precede_their_date(symbol: str) -> None:
    for day in tc.trading_days(tc.CALENDAR_FIRST, tc.CALENDAR_LAST)[::7]:
        listed = tc.expiries(symbol, day)
        assert listed == sorted(set(listed))
        assert listed[0] >= day
        assert len(listed) >= 6
        assert all(expiry.weekday() < 5 for expiry in listed)


@pytest.mark.parametrize("symbol", tc.SYMBOLS)
def test_a_contract_once_nearest_expires_on_a_trading_day(symbol: str) -> None:
    last = D(2026, 11, 30)
    nearest = {tc.expiries(symbol, day)[0] for day in tc.trading_days(D(2018, 1, 1), last)}
    assert all(tc.is_trading_day(expiry) for expiry in nearest)
    assert not nearest & set(SPECIAL_SESSIONS)


def test_contract_rules_ascend_from_the_first_day() -> None:
    for rules in CONTRACT_RULES.values():
        starts = [rule.quoted_from for rule in rules]
        assert starts == sorted(set(starts))
        assert starts[0] == tc.CALENDAR_FIRST


@pytest.mark.parametrize(
    ("symbol", "day", "as_of", "answer"),
    [
        ("NIFTY", D(2025, 8, 28), None, True),
        ("NIFTY", D(2025, 9, 30), None, True),
        ("NIFTY", D(2025, 9, 25), None, False),
        ("NIFTY", D(2025, 9, 25), D(2025, 7, 1), True),
        ("NIFTY", D(2025, 9, 23), None, False),
        ("BANKNIFTY", D(2024, 12, 24), None, True),
        ("BANKNIFTY", D(2023, 9, 27), None, False),
    ],
)
def test_month_end_contracts_are_told_from_weeklies(
    symbol: str, day: dt.date, as_of: dt.date | None, answer: bool
) -> None:
    assert tc.is_monthly_expiry(symbol, day, as_of) is answer


def test_month_end_expiries_are_those_of_the_date() -> None:
    assert tc.monthly_expiries("BANKNIFTY", D(2024, 11, 14), 3) == [
        D(2024, 11, 27),
        D(2024, 12, 24),
        D(2025, 1, 29),
    ]
    assert tc.monthly_expiries("BANKNIFTY", D(2025, 1, 1), 1) == [D(2025, 1, 30)]


def test_days_to_expiry_are_calendar_days(real_data: Path) -> None:
    days = real_chain_days(real_data)
    assert all(
        tc.dte(day, expiry) == given
        for day, expiry, given in days.select("trade_date", "expiry_date", "dte").rows()
    )
    assert tc.dte(D(2025, 8, 29), D(2025, 8, 28)) == -1


# --- buckets --------------------------------------------------------------------------------


def test_buckets_equal_those_of_every_real_file(real_data: Path) -> None:
    days = real_chain_days(real_data)
    wrong = []
    for (symbol, day), part in days.group_by("index_name", "trade_date"):
        buckets = tc.expiry_buckets(str(symbol), day, part["expiry_date"])
        wrong += [
            (symbol, day, expiry, given)
            for expiry, given in part.select("expiry_date", "expiry_bucket").rows()
            if buckets[expiry] != given
        ]
    assert wrong == []


def test_a_month_end_that_is_first_or_second_stays_weekly() -> None:
    buckets = tc.expiry_buckets("NIFTY", D(2026, 8, 17))
    assert buckets[D(2026, 8, 18)] == "CW"
    assert buckets[D(2026, 8, 25)] == "NW"
    assert buckets[D(2026, 9, 1)] is None
    assert buckets[D(2026, 9, 29)] == "NM"
    assert "CM" not in buckets.values()


def test_banknifty_has_no_weekly_buckets_once_weeklies_ended() -> None:
    assert tc.expiry_bucket("BANKNIFTY", D(2024, 11, 13), D(2024, 11, 13)) == "CW"
    assert tc.expiry_bucket("BANKNIFTY", D(2024, 11, 14), D(2024, 11, 27)) == "CM"
    assert tc.expiry_bucket("BANKNIFTY", D(2024, 11, 14), D(2024, 12, 24)) == "NM"
    assert tc.expiry_bucket("BANKNIFTY", D(2024, 11, 14), D(2025, 1, 29)) is None


def test_an_expiry_that_is_not_present_has_no_bucket() -> None:
    present = [D(2026, 8, 18)]
    assert tc.expiry_bucket("NIFTY", D(2026, 8, 17), D(2026, 8, 25), present) is None
    assert tc.expiry_buckets("NIFTY", D(2026, 8, 17), present) == {D(2026, 8, 18): "CW"}
