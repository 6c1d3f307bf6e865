"""Files of regime bars: what is read, and every fault of the file as a whole."""

from __future__ import annotations

import gzip
from dataclasses import replace

import polars as pl
import pytest

from mr_platform.errors import InputFileError, UnknownDialectError
from mr_platform.gateways.regime_files import read_regime_columns
from mr_platform.registry.regimes import BAR_FIELDS, load_regimes

DECLARED = load_regimes().bars
HEADER = "Date,Time,Market Regime,Confidence Score,Transition Threshold Score\n"
ROW = "2024-01-01,09:15:00,Vol_Crush,0.7,0.5\n"


@pytest.fixture
def read(tmp_path):
    """Reads bytes or text as a landed file."""

    def reader(content: str | bytes, declared=DECLARED):
        path = tmp_path / "bars.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_regime_columns(path, "in/bars.csv", declared)

    return reader


def test_columns_by_the_field_they_mean(read):
    found = read(HEADER + ROW + ROW.replace("09:15", "09:20") + "\n\n")

    assert tuple(found) == BAR_FIELDS
    assert found["time"].to_list() == ["09:15:00", "09:20:00"]
    assert all(series.dtype == pl.String for series in found.values())


def test_order_case_and_other_columns_do_not_matter(read):
    found = read(
        "note,CONFIDENCE SCORE,date,Time,Market Regime,Transition Threshold Score\n"
        'x,0.7,2024-01-01,09:15:00,"Vol_Crush",0.5\n'
    )
    assert found["regime_confidence"].to_list() == ["0.7"]
    assert found["market_regime"].to_list() == ["Vol_Crush"]


def test_packed_text_and_windows_line_ends(read):
    assert read(gzip.compress((HEADER + ROW).encode()))["date"].to_list() == ["2024-01-01"]
    assert read((HEADER + ROW).replace("\n", "\r\n"))["transition_threshold"].to_list() == ["0.5"]
    assert read((HEADER + ROW).rstrip("\n"))["transition_threshold"].to_list() == ["0.5"]


def test_another_delimiter_is_declared_not_guessed(read):
    text = (HEADER + ROW).replace(",", ";")
    assert read(text, replace(DECLARED, delimiter=";"))["date"].len() == 1
    with pytest.raises(InputFileError, match="semicolons"):
        read(text)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("", "is empty"),
        ("\n" + ROW, "empty first line"),
        (HEADER.replace("Time", "Tme") + ROW, "'Tme' may be meant for 'Time'"),
        (HEADER.replace("Date,", "") + ROW, "lacks Date of regime bars"),
        (HEADER.replace("Date,Time", "Date,date") + ROW, "more than once"),
        (HEADER + ROW + "2024-01-01,09:20:00,Vol_Crush,0.7\n", "has 4 fields in row 2"),
        (HEADER + ROW + ROW.replace("\n", ",1\n"), "has 6 fields in row 2"),
        (HEADER + ROW.replace("Vol_Crush", '"Vol_Crush'), "quote in row 1 that does not close"),
        (HEADER + ROW + "\n" + ROW, "fields in row 2"),
        ((HEADER + ROW).encode() + b"\x00", "NUL bytes"),
        ((HEADER + ROW).encode("utf-16"), "UTF-16"),
        ((HEADER + ROW.replace("Vol", "V\u00f6l")).encode("latin-1"), "not UTF-8"),
        (gzip.compress((HEADER + ROW * 99).encode(), mtime=0)[:-9], "damaged or truncated gzip"),
        ("<html></html>\n", "HTML"),
    ],
)
def test_bad_files_end_in_clear_errors(read, content, fault):
    with pytest.raises(InputFileError) as refused:
        read(content)

    assert fault in str(refused.value)
    assert str(refused.value).startswith("in/bars.csv: ")
    assert refused.value.next_step


def test_a_missing_column_is_an_unknown_dialect(read):
    with pytest.raises(UnknownDialectError, match=r"regimes\.yaml"):
        read("a,b\n1,2\n")


def test_a_file_that_is_not_there_or_a_folder(tmp_path):
    with pytest.raises(InputFileError, match="does not exist"):
        read_regime_columns(tmp_path / "none.csv", "none.csv", DECLARED)
    with pytest.raises(InputFileError, match="is a folder"):
        read_regime_columns(tmp_path, "in", DECLARED)


def test_parquet_is_refused(tmp_path):
    path = tmp_path / "bars.parquet"
    pl.DataFrame({"Date": ["2024-01-01"]}).write_parquet(path)
    with pytest.raises(InputFileError, match="read from CSV"):
        read_regime_columns(path, "bars.parquet", DECLARED)
