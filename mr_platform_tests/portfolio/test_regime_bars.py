"""Regime bars: what is refused, and which bar a row takes."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mr_platform.errors import InputFileError
from mr_platform.gateways.regime_files import read_regime_columns
from mr_platform.portfolio.regime_bars import (
    BARS_SCHEMA,
    JOINED_SCHEMA,
    RegimeBars,
    bars_of_rows,
    read_bars,
)
from mr_platform.portfolio.returns import PortfolioError
from mr_platform.registry.regimes import load_regimes

REGIMES = load_regimes()
DAY = dt.date(2024, 1, 1)
NEXT = dt.date(2024, 1, 2)


def columns(*rows: str) -> dict[str, pl.Series]:
    """Text columns of ``date time label confidence threshold`` rows."""
    cells = [row.split(" ") for row in rows]
    fields = BARS_SCHEMA.keys()
    return {
        field: pl.Series([row[place] for row in cells], dtype=pl.String)
        for place, field in enumerate(fields)
    }


def bars(*times: str, known_after: int = 0) -> RegimeBars:
    """Bars at ``date time`` whose confidence counts them: 0.01, 0.02 and so on."""
    found = read_bars(
        columns(*[f"{time} Vol_Crush {place / 100} 0.5" for place, time in enumerate(times, 1)]),
        "bars.csv",
        REGIMES,
    )
    return replace(found, known_after=known_after)


def rows(*starts: tuple[dt.date, dt.time | None]) -> pl.DataFrame:
    return pl.DataFrame(
        {"date": [day for day, _ in starts], "start_time": [time for _, time in starts]},
        schema={"date": pl.Date, "start_time": pl.Time},
    )


def taken(frame: pl.DataFrame) -> list[float | None]:
    return [x if x is None else round(x * 100) for x in frame["regime_confidence"]]


# -- the real files ----------------------------------------------------------------------------


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "height", "odd_days"),
    [("market_regime_jan2023.csv", 862, 6), ("Options_Trading_Sheet2_3_Months.csv", 4_940, 0)],
)
def test_the_real_files(real_data, name, height, odd_days):
    text = read_regime_columns(real_data / "strategies" / name, name, REGIMES.bars)
    found = read_bars(text, name, REGIMES)

    assert dict(found.bars.schema) == BARS_SCHEMA
    assert (found.bars.height, found.rows_moved, found.odd_days) == (height, 0, odd_days)
    assert found.bars["regime_confidence"].is_between(0.55, 0.95).all()


# -- the join ----------------------------------------------------------------------------------


def test_the_latest_bar_that_was_known():
    found = bars("2024-01-01 09:15:00", "2024-01-01 09:20:00", "2024-01-01 09:25:00")
    asked = rows(
        (DAY, dt.time(9, 20)), (DAY, dt.time(9, 24, 59)), (DAY, dt.time(9, 14)),
        (DAY, dt.time(15, 30)), (DAY, None), (NEXT, dt.time(9, 20)), (NEXT, None),
    )  # fmt: skip
    joined = bars_of_rows(asked, found)

    assert dict(joined.schema) == JOINED_SCHEMA
    assert taken(joined) == [2, 2, None, 3, 1, None, None]
    assert joined["bar_age_minutes"].to_list() == [
        0, pytest.approx(4 + 59 / 60), None, 365, 0, None, None,
    ]  # fmt: skip
    assert joined["bar_time"][3] == dt.time(9, 25)


def test_no_bar_is_carried_over_to_the_next_day():
    found = bars("2024-01-01 15:30:00", "2024-01-02 09:30:00")
    asked = rows((NEXT, dt.time(9, 20)), (NEXT, dt.time(9, 30)), (NEXT, None))

    assert taken(bars_of_rows(asked, found)) == [None, 2, None], "a day begins at 09:15"


def test_a_whole_day_knows_no_bar_of_the_afternoon():
    found = bars("2024-01-01 14:00:00", "2024-01-01 14:05:00")
    assert taken(bars_of_rows(rows((DAY, None)), found)) == [None]
    later = bars("2024-01-01 09:15:00", known_after=30)
    assert taken(bars_of_rows(rows((DAY, None)), later)) == [None]


def test_a_bar_that_is_known_later_is_taken_later():
    found = bars("2024-01-01 09:15:00", "2024-01-01 09:20:00", known_after=5)
    asked = rows((DAY, dt.time(9, 19)), (DAY, dt.time(9, 20)), (DAY, dt.time(9, 25)))

    assert taken(bars_of_rows(asked, found)) == [None, 1, 2]


def test_old_bars_are_none_on_demand():
    found = bars("2024-01-01 09:15:00")
    asked = rows((DAY, dt.time(9, 45)), (DAY, dt.time(10, 15)), (DAY, None))

    assert taken(bars_of_rows(asked, found, oldest_minutes=30)) == [1, None, 1]


def test_rows_without_a_column_of_starts_are_whole_days():
    joined = bars_of_rows(rows((DAY, None)).select("date"), bars("2024-01-01 09:15:00"))
    assert taken(joined) == [1]


def test_no_bar_and_no_row():
    none = replace(bars("2024-01-01 09:15:00"), bars=pl.DataFrame(schema=BARS_SCHEMA))
    assert taken(bars_of_rows(rows((DAY, dt.time(9, 20)), (DAY, None)), none)) == [None, None]
    empty = bars_of_rows(rows(), bars("2024-01-01 09:15:00"))
    assert dict(empty.schema) == JOINED_SCHEMA
    assert not empty.height


@pytest.mark.parametrize(
    ("frame", "oldest"),
    [
        (pl.DataFrame({"day": [DAY]}), None),
        (pl.DataFrame({"date": [DAY, None]}), None),
        (rows((DAY, None)), -1.0),
        (rows((DAY, None)), float("nan")),
    ],
)
def test_rows_that_cannot_be_joined(frame, oldest):
    with pytest.raises(PortfolioError):
        bars_of_rows(frame, bars("2024-01-01 09:15:00"), oldest)


MINUTES = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 375)), min_size=1, unique=True)


@given(MINUTES, MINUTES, st.integers(0, 9))
@settings(max_examples=80, deadline=None)
def test_no_row_knows_a_later_bar_and_none_misses_the_latest(stamps, asked, lag):
    def instant(day: int, minute: int) -> dt.datetime:
        return dt.datetime(2024, 1, 1 + day, 9, 15) + dt.timedelta(minutes=minute)

    known = sorted(instant(*stamp) for stamp in stamps)
    found = bars(*[f"{at:%Y-%m-%d %H:%M:%S}" for at in known], known_after=lag)
    starts = [instant(*start) for start in asked]
    joined = bars_of_rows(rows(*[(at.date(), at.time()) for at in starts]), found)
    for start, time in zip(starts, joined["bar_time"], strict=True):
        usable = [
            at for at in known
            if at.date() == start.date() and at + dt.timedelta(minutes=lag) <= start
        ]  # fmt: skip
        assert time == (usable[-1].time() if usable else None)


# -- faults ------------------------------------------------------------------------------------

GOOD = "2024-01-01 09:15:00 Vol_Crush 0.7 0.5"


@pytest.mark.parametrize(
    ("bad", "fault"),
    [
        ("01-01-2024 09:20:00 Vol_Crush 0.7 0.5", "date is not of the form %Y-%m-%d"),
        ("1999-01-01 09:20:00 Vol_Crush 0.7 0.5", "date lies outside the calendar"),
        (" 09:20:00 Vol_Crush 0.7 0.5", "date is missing"),
        ("2024-01-01 9.20 Vol_Crush 0.7 0.5", "time is not of the form %H:%M:%S"),
        ("2024-01-01 09:15:00 Vol_Crush 0.8 0.5", "time stands more than once on its date"),
        ("2024-01-01 09:20:00 Bullish 0.7 0.5", "market_regime is not declared"),
        ("2024-01-01 09:20:00  0.7 0.5", "market_regime is missing"),
        ("2024-01-01 09:20:00 Vol_Crush 70 0.5", "regime_confidence is declared in fraction"),
        ("2024-01-01 09:20:00 Vol_Crush high 0.5", "regime_confidence is no number"),
        ("2024-01-01 09:20:00 Vol_Crush nan 0.5", "regime_confidence is no number"),
        ("2024-01-01 09:20:00 Vol_Crush 0.7 -0.5", "transition_threshold is declared in fraction"),
        ("2024-01-01 09:20:00 Vol_Crush 0.7 ", "transition_threshold is missing"),
    ],
)
def test_a_bad_cell_is_named_with_its_row(bad, fault):
    with pytest.raises(InputFileError, match=r"bars\.csv") as refused:
        read_bars(columns(GOOD, bad), "bars.csv", REGIMES)

    assert fault in refused.value.fault
    assert "row 2 (" in refused.value.fault


def test_a_declared_unit_of_per_cent_is_converted():
    form = replace(REGIMES.bars, confidence_unit="percent")
    found = read_bars(
        columns("2024-01-01 09:15:00 Vol_Crush 70 0.5"), "x", replace(REGIMES, bars=form)
    )
    assert found.bars["regime_confidence"].to_list() == [0.7]


def test_unknown_labels_pass_where_they_are_declared_to():
    lenient = replace(REGIMES, unknown_family="neutral")
    found = read_bars(columns("2024-01-01 09:15:00 Bullish 0.7 0.5"), "x", lenient)
    assert found.bars["market_regime"].to_list() == ["Bullish"]


def test_bars_out_of_order_are_put_in_order_and_counted():
    found = bars("2024-01-01 09:20:00", "2024-01-01 09:15:00", "2024-01-02 09:15:00")
    assert found.bars["time"].to_list() == [dt.time(9, 15), dt.time(9, 20), dt.time(9, 15)]
    assert found.rows_moved == 2
    assert np.isclose(found.bars["regime_confidence"], [0.02, 0.01, 0.03]).all()


def test_days_of_other_distances_are_counted():
    assert bars("2024-01-01 09:15:00", "2024-01-01 09:20:00").odd_days == 0
    assert bars("2024-01-01 09:15:00", "2024-01-01 09:21:00", "2024-01-02 09:15:00").odd_days == 1


def test_a_header_alone():
    with pytest.raises(InputFileError, match="no data row"):
        read_bars(columns(), "bars.csv", REGIMES)
