"""Strategy sheets from file to matrix: real files, what is counted, and every kind of bad file."""

from __future__ import annotations

import dataclasses
import datetime as dt
import gzip
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mr_platform.errors import InputFileError
from mr_platform.gateways.strategy_files import LandedStrategies
from mr_platform.portfolio.strategy_headers import StrategyChoice
from mr_platform.portfolio.strategy_sheets import (
    SHEET_STRATEGIES_SCHEMA,
    StrategySheet,
    read_frame_sheet,
    read_text_sheet,
)
from mr_platform.registry.book_declaration import BookDeclaration
from mr_platform.registry.strategy_files import StrategyLimits, load_strategy_files

DECLARED = load_strategy_files()
LENIENT = StrategyChoice(limits=StrategyLimits(1e12, 1.0, 1.0))


def load(path: Path, choice: StrategyChoice | None = None, declared=DECLARED) -> StrategySheet:
    file = LandedStrategies(path, path.name, declared.delimiter)
    columns, place = file.header.columns, file.relative
    if file.header.container == "parquet":
        return read_frame_sheet(
            columns, file.frames(), place=place, declared=declared, choice=choice
        )
    return read_text_sheet(columns, file.pieces(), place=place, declared=declared, choice=choice)


def sheet(text: str, choice: StrategyChoice | None = None, declared=DECLARED) -> StrategySheet:
    header, _, body = text.partition("\n")
    pieces = [body.encode()] if body else []
    return read_text_sheet(
        header.split(","), pieces, place="in/s.csv", declared=declared, choice=choice
    )


# ---------------------------------------------------------------------- real files


@pytest.mark.real_data
def test_the_legacy_files_give_the_production_columns(real_data):
    folder = real_data / "strategies"
    wide = load(folder / "pnl_real_82x2945.parquet")
    small = load(folder / "test_data_small_2500.csv")
    micro = load(folder / "test_data_micro_500.csv")
    names = {name: i for i, name in enumerate(wide.returns.names)}

    assert wide.returns.pnl.shape == (82, 2945)
    assert wide.account.format == "wide_parquet"
    assert (wide.account.duplicates, wide.account.constant) == (98, 0)
    assert small.account.format == micro.account.format == "legacy_csv"
    for part, count in ((small, 2500), (micro, 500)):
        places = [names[name] for name in part.returns.names]
        assert part.returns.strategies == count
        assert np.array_equal(
            part.returns.pnl.view(np.uint64), wide.returns.pnl[:, places].view(np.uint64)
        )
        assert np.array_equal(part.returns.dates, wide.returns.dates)
        assert part.returns.zones is None
    for read in (wide, small, micro):
        account = read.account
        assert (account.missing_cells, account.unreadable_cells, account.names_unparsed) == (0,) * 3
        assert account.day_mismatches == account.warnings == account.days_without_trading == ()
        assert dict(read.strategies.schema) == SHEET_STRATEGIES_SCHEMA
    assert small.returns.names[0] == "SENSEX 1000-1100 SL7%"
    zeros = (wide.returns.pnl == 0).sum()
    assert int(wide.strategies["zero_cells"].sum()) == zeros
    assert round(zeros / wide.returns.pnl.size, 4) == 0.0009


@pytest.mark.real_data
def test_the_sheet_with_zones_keeps_64_of_88_rows_at_70_per_cent(real_data):
    read = load(real_data / "strategies" / "Options_Trading_Sheet1_2023.csv")

    assert read.returns.pnl.shape == (88, 20)
    assert read.account.format == "enhanced_csv"
    assert read.account.pnl_unit == "percent"
    assert read.returns.zones == ("A", "B", "C", "D") * 22
    assert str(read.returns.dates[0]) == "2023-01-02"
    assert str(read.returns.dates[-1]) == "2023-01-31"
    confidence = read.rows["regime_confidence"]
    assert (confidence.min(), confidence.max()) == (0.56, 0.93)
    assert (confidence >= 0.70).sum() == 64
    assert (read.rows["transition_threshold"] > 0.5).sum() == 43
    assert read.account.days_without_trading == (dt.date(2023, 1, 26),)
    assert read.account.day_mismatches == ()
    assert [text for text in read.account.warnings if "no trading day" in text]
    assert read.account.names_unparsed == 20
    assert read.returns.pnl.min() >= -5.5
    assert read.returns.pnl.max() <= 5.92


@pytest.mark.real_data
def test_a_level_is_warned_of_and_not_changed(real_data):
    path = real_data / "strategies" / "quick_test.csv"
    read = load(path)

    assert read.account.like_levels == 10
    assert "10 of 10 strategies look like levels" in read.account.warnings[0]
    assert read.returns.pnl[0, 0] == pl.read_csv(path)["S1"][0]


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("market_regime_jan2023.csv", "'Time' 862, 'Market Regime' 862"),
        ("Options_Trading_Sheet2_3_Months.csv", "'Time' 4,940, 'Market Regime' 4,940"),
        ("pnl_real_10days_dates.csv", "'source' 10"),
        ("legacy_strategy_metrics_25543.parquet", "missing 'Date'"),
        ("pnl_real_10days_x25544_strategy_major.parquet", "missing 'Date'"),
        ("recorded_2025-07-29_workflow_portfolios.json", "is JSON"),
        ("golden_legacy_code.json.gz", "is JSON"),
        ("README.md", "no declared format fits"),
    ],
)
def test_real_files_of_another_kind_are_refused(real_data, name, fault):
    with pytest.raises(InputFileError) as refused:
        load(real_data / "strategies" / name)

    assert fault in refused.value.fault
    assert refused.value.next_step


# ---------------------------------------------------------------------- what is counted


def test_rows_are_sorted_with_their_values():
    read = sheet("Date,Zone,S1,S2\n2024-01-05,A,1,2\n2024-01-04,B,3,4\n2024-01-04,A,5,6\n")

    assert read.returns.pnl.tolist() == [[5, 6], [3, 4], [1, 2]]
    assert read.returns.zones == ("A", "B", "A")
    assert read.rows["file_row"].to_list() == [3, 2, 1]
    assert read.account.rows_moved == 2


def test_cells_without_a_number_are_0_counted_and_warned_of():
    read = sheet("Date,S1,S2\n2024-01-04,,7\n2024-01-05,oops,8\n", LENIENT)

    assert read.returns.pnl.tolist() == [[0, 7], [0, 8]]
    assert (read.account.missing_cells, read.account.unreadable_cells) == (1, 1)
    assert read.strategies["missing_cells"].to_list() == [1, 0]
    assert read.strategies["unreadable_cells"].to_list() == [1, 0]
    [warning] = [text for text in read.account.warnings if "lack a number" in text]
    assert warning == (
        "2 cells lack a number and count as 0: row 1 of 'S1' (missing), row 2 of 'S1' "
        "(no number, 'oops')"
    )


def test_limits_are_shares_of_one_strategy_and_of_all():
    rows = "".join(
        f"{dt.date(2024, 1, 1) + dt.timedelta(days=i)},{'' if i < 10 else i},1\n"
        for i in range(100)
    )
    text = "Date,S1,S2\n" + rows

    assert sheet(text, StrategyChoice(limits=StrategyLimits(1e12, 0.10, 0.05)))
    with pytest.raises(InputFileError, match=r"more than 9% of 100 rows: 'S1' 10; the first are"):
        sheet(text, StrategyChoice(limits=StrategyLimits(1e12, 0.09, 0.05)))
    with pytest.raises(InputFileError, match=r"in 10 of 200 cells, more than 4.9%"):
        sheet(text, StrategyChoice(limits=StrategyLimits(1e12, 0.10, 0.049)))


def test_constant_and_repeated_strategies_are_counted():
    read = sheet("Date,S1,S2,S3,S4,S5\n2024-01-04,1,2,1,0,-0\n2024-01-05,3,2,3,0,0\n")

    assert read.strategies["constant"].to_list() == [False, True, False, True, True]
    assert read.strategies["duplicate_of"].to_list() == [None, None, "S1", None, "S4"]
    assert read.strategies["zero_cells"].to_list() == [0, 0, 0, 2, 2]
    assert (read.account.constant, read.account.duplicates) == (3, 2)


def test_a_choice_keeps_the_columns_numbers_and_skips_the_cells_of_others():
    text = "Date,a 1,b 2,a 3\n2024-01-04,1,x,3\n"
    read = sheet(text, StrategyChoice(include=("a*",)))

    assert read.returns.names == ("a 1", "a 3")
    assert read.returns.pnl.tolist() == [[1, 3]]
    assert read.strategies["col_index"].to_list() == [0, 2]
    assert read.account.excluded == 1
    assert read.account.unreadable_cells == 0
    assert sheet(text, StrategyChoice(exclude=("b*",))).returns.names == ("a 1", "a 3")


def test_metadata_may_stand_anywhere():
    read = sheet("S1,DAY,S2,date\n1,Friday,2,2024-01-04\n")

    assert read.returns.names == ("S1", "S2")
    assert read.returns.pnl.tolist() == [[1, 2]]
    assert read.account.day_mismatches == (1,)
    assert [text for text in read.account.warnings if "another weekday" in text]


def test_a_percent_that_looks_like_a_fraction_is_taken_as_declared_and_warned_of():
    header = ("Date,start_time,end_time,day,zone,market_regime,Regime_Confidence_%,"
              "Market_regime_transition_threshold,capital,S1\n")  # fmt: skip
    row = "02-01-2023,09:15:00,10:15:00,Monday,A,Vol_Crush,{},0.5,100,1\n"

    read = sheet(header + row.format("0.72"))
    assert read.rows["regime_confidence"].to_list() == [0.72 / 100]
    assert [text for text in read.account.warnings if "above 1 per cent" in text]
    blank = sheet(header + row.format(""))
    assert blank.account.rows_without_confidence == 1
    assert [text for text in blank.account.warnings if "no regime confidence" in text]
    form = dataclasses.replace(DECLARED.formats["enhanced_csv"], confidence_unit="fraction")
    fractions = dataclasses.replace(DECLARED, formats={"enhanced_csv": form})
    assert sheet(header + row.format("0.72"), declared=fractions).rows[
        "regime_confidence"
    ].to_list() == [0.72]


def test_a_sheet_of_the_production_width_is_read_piece_by_piece(tmp_path):
    names = [f"SENSEX {915 + i % 40}-{1000 + i % 60} SL{i + 1}%" for i in range(25_544)]
    values = np.random.default_rng(5).normal(0, 900, (3, 25_544))
    body = [
        f"2024-01-0{day},{','.join(map(repr, row.tolist()))}\n".encode()
        for day, row in enumerate(values, start=1)
    ]

    read = read_text_sheet(["Date", *names], body, place="wide", declared=DECLARED)

    assert np.array_equal(read.returns.pnl.view(np.uint64), values.view(np.uint64))
    assert read.strategies["name_parsed"].all()
    assert read.strategies["col_index"].to_list() == list(range(25_544))


# ---------------------------------------------------------------------- bad files

GOOD = "Date,Day,S1,S2\n2024-01-04,Thursday,1,2\n2024-01-11,Thursday,3,4\n"
ZONES = ("Date,start_time,end_time,day,zone,market_regime,Regime_Confidence_%,"
         "Market_regime_transition_threshold,capital,S1\n"
         "02-01-2023,09:15:00,10:15:00,Monday,A,Vol_Crush,72,0.5,100,1\n"
         "02-01-2023,09:15:00,10:15:00,Monday,B,Vol_Crush,93,0.5,100,1\n")  # fmt: skip


def changed(text: str, old: str, new: str) -> bytes:
    assert old in text
    return text.replace(old, new, 1).encode()


BAD_FILES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty (0 bytes)"),
    "blank": (b"\n\n", "has an empty first line"),
    "header only": (b"Date,Day,S1\n", "has a header and no data row"),
    "header only, no line end": (b"Date,Day,S1", "has a header and no data row"),
    "no date column": (changed(GOOD, "Date", "When"), "missing 'Date'"),
    "date column misspelt": (changed(GOOD, "Date", "Dates"), "'Dates' may be meant for 'Date'"),
    "no strategy column": (b"Date,Day\n2024-01-04,Thursday\n", "has no strategy column"),
    "columns of two formats": (changed(GOOD, "S1", "capital"), "not part of it 'capital'"),
    "semicolons": (GOOD.replace(",", ";").encode(), "separates its columns by semicolons"),
    "tabs": (GOOD.replace(",", "\t").encode(), "separates its columns by tabs"),
    "decimal commas": (changed(GOOD, ",1,2", ',"1,5","2,5"'), "row 1 of 'S1' (no number, '1,5')"),
    "UTF-16": (GOOD.encode("utf-16"), "is UTF-16 text"),
    "Latin 1": ("Date,Größe\n2024-01-04,1\n".encode("latin-1"), "is not UTF-8 text"),
    "binary": (b"\x00\x01\x02" * 99, "is binary data"),
    "NUL bytes": (GOOD.encode() + b"\x00" * 40 + b"\n", "holds NUL bytes, the first in row 3"),
    "truncated gzip": (gzip.compress(GOOD.encode())[:-9], "truncated gzip file"),
    "truncated Parquet": (b"PAR1" + b"\x00" * 50, "is a damaged Parquet file"),
    "bare carriage returns": (GOOD.replace("\n", "\r").encode(), "bare carriage returns"),
    "row cut off": (GOOD.encode()[:-5] + b"\n", "has 2 fields in row 2, the header 4"),
    "row too long": (changed(GOOD, ",1,2", ",1,2,3"), "has 5 fields in row 1, the header 4"),
    "blank row": (changed(GOOD, "\n2024-01-11", "\n\n2024-01-11"), "has 1 fields in row 2"),
    "open quote": (changed(GOOD, "Thursday", '"Thursday'), "has a quote in row 1 that does not"),
    "open quote in the header": (changed(GOOD, "S1", '"S1'), "a header whose quotes do not close"),
    "two columns of one name": (changed(GOOD, "S2", "S1"), "'S1' at 3, 4"),
    "names that differ in blanks": (changed(GOOD, "S2", " S1 "), "'S1' at 3, 4"),
    "two date columns": (changed(GOOD, "S2", "DATE"), "'date' at 1, 4"),
    "unnamed column": (b"Date,S1,\n2024-01-04,1,\n", "has 1 columns without a name: 3"),
    "index column": (b",Date,S1\n0,2024-01-04,1\n", "has 1 columns without a name: 1"),
    "name of blanks": (changed(GOOD, "S1", "  "), "has 1 columns without a name: 3"),
    "date twice": (changed(GOOD, "01-11", "01-04"), "2024-01-04 in rows 1, 2"),
    "date and zone twice": (changed(ZONES, ",B,", ",A,"), "2023-01-02 A in rows 1, 2"),
    "date missing": (changed(GOOD, "2024-01-11", ""), "Date is missing in 1 of 2 rows: row 2"),
    "no date at all": (changed(GOOD, "2024-01-11", "total"), "row 2 ('total')"),
    "day first": (changed(GOOD, "2024-01-11", "11-01-2024"), "not of the form %Y-%m-%d"),
    "year first": (changed(ZONES, "02-01-2023", "2023-01-02"), "not of the form %d-%m-%Y"),
    "no such date": (changed(GOOD, "2024-01-11", "2024-02-30"), "row 2 ('2024-02-30')"),
    "date outside the calendar": (changed(GOOD, "2024", "1999"), "lies outside the calendar"),
    "text for a number": (changed(GOOD, ",3,", ",three,"), "row 2 of 'S1' (no number, 'three')"),
    "infinite": (changed(GOOD, ",3,", ",inf,"), "row 2 of 'S1' (infinite, 'inf')"),
    "NaN": (changed(GOOD, ",3,", ",nan,"), "row 2 of 'S1' (missing, 'nan')"),
    "too large for a float": (changed(GOOD, ",3,", ",1e400,"), "(too large, '1e400')"),
    "no amount": (changed(GOOD, ",3,", ",9e99,"), "(too large, '9e99')"),
    "column without numbers": (
        b"Date,S1,S2\n2024-01-04,,1\n2024-01-05,,1\n", "'S1' 2; the first are row 1 of 'S1'"),
    "text column": (changed(GOOD, "Day", "Weekday"), "'Weekday' 2"),
    "percent above 100": (changed(ZONES, "72", "172"), "lies outside 0 to 100 per cent"),
    "negative capital": (changed(ZONES, "100", "-100"), "capital is negative in 1 of 2 rows"),
    "unknown zone": (changed(ZONES, ",A,", ",Z,"), "zone is none of A, B, C, D"),
    "no zone": (changed(ZONES, ",A,", ",,"), "zone is missing in 1 of 2 rows"),
    "time": (changed(ZONES, "09:15:00", "25:00:00"), "start_time is not of the form"),
    "threshold in percent": (changed(ZONES, "0.5", "50"), "lies outside 0 to 1"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD_FILES)
def test_a_bad_file_ends_in_its_name_its_fault_and_a_next_step(tmp_path, kind):
    data, fault = BAD_FILES[kind]
    path = tmp_path / "bad.csv"
    path.write_bytes(data)

    with pytest.raises(InputFileError) as refused:
        load(path)

    assert refused.value.place == "bad.csv"
    assert fault in refused.value.fault
    assert refused.value.next_step
    assert refused.value.permanent


BAD_TABLES: dict[str, tuple[dict[str, list[object]], str]] = {
    "no rows": ({"Date": [], "S1": []}, "has a header and no data row"),
    "no date": ({"S1": [1.0]}, "missing 'Date'"),
    "dates as numbers": ({"Date": [20240104], "S1": [1.0]}, "stored as Int64 and holds no dates"),
    "truth values": ({"Date": ["2024-01-04"], "S1": [True]}, "hold no numbers: 'S1' (Boolean)"),
    "percent for a fraction": (
        {"Date": ["2024-01-04"], "regime_confidence": [72.0], "S1": [1.0]}, "lies outside 0 to 1"),
    "confidence in per cent": (
        {"Date": ["2024-01-04"], "Regime_Confidence_%": [72.0], "S1": [1.0]}, "not part of it"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD_TABLES)
def test_a_bad_table_ends_in_its_name_its_fault_and_a_next_step(tmp_path, kind):
    table, fault = BAD_TABLES[kind]
    pl.DataFrame(table).write_parquet(tmp_path / "bad.parquet")

    with pytest.raises(InputFileError) as refused:
        load(tmp_path / "bad.parquet")

    assert refused.value.place == "bad.parquet"
    assert fault in refused.value.fault
    assert refused.value.next_step


@pytest.mark.parametrize(
    "data",
    [
        GOOD.encode(),
        b"\xef\xbb\xbf" + GOOD.encode(),
        GOOD.replace("\n", "\r\n").encode(),
        GOOD.replace("\n", "\r\n", 1).encode(),
        gzip.compress(GOOD.encode()),
        GOOD.rstrip("\n").encode(),
        GOOD.encode() + b"\n\n",
        GOOD.replace("S1", '"S1"').replace("Thursday", '"Thursday"').encode(),
    ],
    ids=["plain", "BOM", "CR LF", "mixed", "gzip", "no last end", "blank end", "quoted"],
)
def test_what_is_unusual_but_clear_is_read_alike(tmp_path, data):
    (tmp_path / "s.csv").write_bytes(data)

    read = load(tmp_path / "s.csv")

    assert read.returns.names == ("S1", "S2")
    assert read.returns.pnl.tolist() == [[1, 2], [3, 4]]
    assert read.rows["day"].to_list() == ["Thursday", "Thursday"]


def test_a_name_may_hold_commas_and_quotes(tmp_path):
    (tmp_path / "s.csv").write_bytes(b'Date,"NIFTY, far",a%-b\n2024-01-04,1,2\n')

    assert load(tmp_path / "s.csv").returns.names == ("NIFTY, far", "a%-b")


def test_the_unit_that_a_file_says_is_taken_before_that_of_its_format():
    frame = pl.DataFrame({"Date": [dt.date(2024, 1, 4)], "S1": [1.5]})

    def unit(told: str | None) -> str:
        given = {"place": "in/s.parquet", "declared": DECLARED, "pnl_unit": told}
        return read_frame_sheet(frame.columns, [frame], **given).account.pnl_unit

    assert [unit(None), unit("rupees"), unit("percent")] == ["rupees", "rupees", "percent"]
    with pytest.raises(InputFileError, match=r"values are in 'lots'. Units: rupees, percent"):
        unit("lots")


@pytest.mark.parametrize(
    ("text", "choice", "step"),
    [
        ("Date,a,b\n2024-01-01,x,1\n", None, "--exclude 'a'"),
        ("Date,a,b\n2024-01-01,x,1\n2024-01-02,2,1\n", None, "--missing-in-strategy SHARE"),
        (
            "Date,a,b\n2024-01-01,x,1\n2024-01-02,2,1\n",
            StrategyChoice(limits=StrategyLimits(1e12, 0.9, 0.1)),
            "--missing-in-all SHARE",
        ),
        ("Date,a\n2024-01-01,1\n", StrategyChoice(include=("b",)), "--include, --exclude"),
    ],
)
def test_what_a_person_can_do_about_too_many_bad_cells_is_an_option(text, choice, step):
    with pytest.raises(InputFileError) as refused:
        sheet(text, choice)
    assert step in str(refused.value.next_step)


def test_strategies_that_the_choice_leaves_out_are_named():
    read = sheet("Date,b,a 1,x\n2024-01-01,1,2,3\n", StrategyChoice(include=("a*",)))
    assert read.left_out == ("b", "x")
    assert sheet("Date,b\n2024-01-01,1\n").left_out == ()


def test_a_book_may_not_contradict_the_unit_that_a_file_says():
    frame = pl.DataFrame({"Date": ["2024-01-01"], "a": [1.0]})

    def read(unit):
        return read_frame_sheet(
            frame.columns, [frame], place="s", declared=DECLARED, pnl_unit="percent",
            choice=StrategyChoice(own=BookDeclaration(pnl_unit=unit)),
        )  # fmt: skip

    assert read("percent").account.pnl_unit == "percent"
    with pytest.raises(InputFileError, match="values are in percent, its book declares rupees"):
        read("rupees")
