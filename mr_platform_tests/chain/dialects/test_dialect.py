"""Detection by header and parsing of cells: nothing is guessed, everything unread is named."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from mr_platform.chain.dialects import (
    DIALECTS,
    LEGACY_CHAIN,
    LONG_QUOTES,
    NSE_COLLECTED,
    NSE_SNAPSHOT,
    NSE_SNAPSHOT_DAY,
    WIDE_QUOTES,
)
from mr_platform.chain.dialects.dialect import detect_dialect, parse_fields
from mr_platform.errors import InputFileError, UnknownDialectError


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_a_dialects_own_header_is_detected_whatever_the_file_is_called(dialect):
    found, extra = detect_dialect(dialect.required, DIALECTS, "misleading/NIFTY_long_quotes.csv")

    assert found is dialect
    assert extra == ()


def test_the_49th_column_is_known_and_a_50th_is_reported():
    header = [*LEGACY_CHAIN.required, "dte_bucket", "vix"]

    assert detect_dialect(header, DIALECTS, "a.csv") == (LEGACY_CHAIN, ("vix",))


def test_an_unknown_header_names_the_nearest_dialect_and_what_differs():
    header = [name for name in LEGACY_CHAIN.required if name != "ce_iv"] + ["ce_implied_vol"]

    with pytest.raises(
        UnknownDialectError, match=r"nearest is legacy_chain .*missing 'ce_iv'"
    ) as told:
        detect_dialect(header, DIALECTS, "in/odd.csv")

    assert "unknown 'ce_implied_vol'" in str(told.value)
    assert told.value.place == "in/odd.csv"


@pytest.mark.parametrize(
    "header",
    [["Date", "Day", "SENSEX 930-1030 SL38%"], ["date", "start_time", "mine"]],
)
def test_results_of_strategies_are_sent_to_their_own_command(header):
    with pytest.raises(UnknownDialectError) as told:
        detect_dialect(header, DIALECTS, "weekly.csv")

    assert "call mr portfolio load FILE" in str(told.value.next_step)


@pytest.mark.parametrize("header", [["who", "what"], ["Date", "Day"], ["Date", "zone", "capital"]])
def test_a_header_without_strategies_is_not_sent_there(header):
    with pytest.raises(UnknownDialectError) as told:
        detect_dialect(header, DIALECTS, "weekly.csv")

    assert "Land option-chain files" in str(told.value.next_step)


def test_the_legacy_layout_has_the_48_columns_of_the_reference():
    assert len(LEGACY_CHAIN.required) == 48
    assert len(set(LEGACY_CHAIN.required)) == 48


def test_names_of_parsed_columns_are_unique_in_every_dialect():
    for dialect in (*DIALECTS, WIDE_QUOTES, NSE_COLLECTED):
        names = [item.name for item in dialect.fields]
        assert len(names) == len(set(names)), dialect.name


def long_rows(**columns: list[object]) -> pl.DataFrame:
    base: dict[str, list[object]] = {
        "_row": [1, 2],
        "timestamp": ["202608181438", "2026-08-18 14:39:30"],
        "symbol": ["NIFTY50", "NIFTY50"],
        "expiry": ["01-Sep-2026", "2026-09-01"],
        "strike": ["22550.0", "22550"],
        "option_type": ["CE", "PE"],
        "spot": ["24197.2", " 24197.2 "],
        "ltp": ["4.6", "0"],
        "volume": ["40", ""],
        "oi": ["56", "nan"],
        "oi_chg": ["15", "-15"],
        "iv": ["18.02", "0"],
    }
    greeks = {name: ["0.1", "0.1"] for name in ("delta", "gamma", "theta", "vega", "rho")}
    return pl.DataFrame(base | greeks | columns)


def test_cells_are_read_in_every_declared_format_and_zero_prices_are_missing():
    parsed = parse_fields(long_rows(), LONG_QUOTES)
    frame = LONG_QUOTES.finish(parsed.frame)

    assert parsed.unreadable.is_empty()
    assert frame["time"].to_list() == [dt.time(14, 38), dt.time(14, 39, 30)]
    assert frame["expiry_date"].to_list() == [dt.date(2026, 9, 1)] * 2
    assert frame["symbol"].to_list() == ["NIFTY", "NIFTY"]
    assert frame["close"].to_list() == [4.6, None]
    assert frame["iv"].to_list() == [18.02, None]
    assert frame["oi"].to_list() == [56.0, None]


def test_a_cell_that_is_no_number_is_named_with_its_row_and_text():
    parsed = parse_fields(long_rows(ltp=["4.6", "four"]), LONG_QUOTES)

    assert parsed.unreadable.rows() == [(2, "ltp", "four was not a number")]
    assert parsed.frame["close"].to_list() == [4.6, None]


def test_an_nse_page_takes_symbol_instant_and_expiry_from_its_path():
    facts = NSE_SNAPSHOT.facts_of_name("index/NIFTY/23MAY2019/NIFTY_23-05-2019_09:15.csv")
    assert facts == {"expiry": "23MAY2019", "symbol": "NIFTY", "instant": "23-05-2019_09:15"}

    assert NSE_SNAPSHOT_DAY.facts_of_name("NIFTY_2019-05-20.parquet") == {"symbol": "NIFTY"}
    with pytest.raises(InputFileError, match="Name it EXPIRY/SYMBOL"):
        NSE_SNAPSHOT.facts_of_name("page1.csv")
