"""Reading one landed file of strategies: header, pieces, groups, and a fault for every bad kind."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import polars as pl
import pytest
import zstandard

from mr_platform.errors import InputFileError
from mr_platform.gateways.strategy_files import LandedStrategies, LineEnds
from mr_platform.gateways.wide_export import write_wide

SHEET = b"Date,Day,S1,S2\n2024-01-04,Thursday,1.5,-2\n2024-01-11,Thursday,,3e2\n"
BODY = SHEET.partition(b"\n")[2]
NAMES = ("Date", "Day", "S1", "S2")


def landed(folder: Path, data: bytes, name: str = "s.csv") -> LandedStrategies:
    path = folder / name
    path.write_bytes(data)
    return LandedStrategies(path, f"in/{name}")


@pytest.mark.parametrize(
    "pack",
    [
        lambda data: data,
        gzip.compress,
        zstandard.ZstdCompressor().compress,
        lambda data: b"\xef\xbb\xbf" + data,
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: data.rstrip(b"\n"),
        lambda data: data + b"\n\r\n  \n",
    ],
    ids=["plain", "gzip", "zstd", "BOM", "CR LF", "no last line end", "blank lines at the end"],
)
@pytest.mark.parametrize("size", [1, 7, 50, 1 << 20])
def test_the_same_lines_come_whatever_the_packing_and_the_piece(tmp_path, pack, size):
    source = landed(tmp_path, pack(SHEET))

    pieces = list(source.pieces(size))

    assert source.header.columns == NAMES
    assert b"".join(pieces) == BODY
    assert all(piece.endswith(b"\n") for piece in pieces)


def test_a_byte_order_mark_is_told_and_no_part_of_a_name(tmp_path):
    assert landed(tmp_path, b"\xef\xbb\xbf" + SHEET).header.byte_order_mark
    assert not landed(tmp_path, SHEET).header.byte_order_mark


def test_blank_lines_inside_are_kept_so_that_rows_keep_their_numbers(tmp_path):
    data = b"Date,S1\n2024-01-04,1\n\n2024-01-05,2\n\n\n"

    for size in (3, 1000):
        text = b"".join(landed(tmp_path, data).pieces(size))
        assert text == b"2024-01-04,1\n\n2024-01-05,2\n"


def test_mixed_line_ends_are_read_and_counted(tmp_path):
    source = landed(tmp_path, b"Date,S1\r\n2024-01-04,1\r\n2024-01-05,2\n2024-01-06,3\n")

    assert b"".join(source.pieces()) == b"2024-01-04,1\n2024-01-05,2\n2024-01-06,3\n"
    assert source.line_ends == LineEnds(lf=2, cr_lf=1)
    assert source.line_ends.mixed
    assert not LineEnds(lf=2).mixed


def test_quoted_names_may_hold_the_delimiter(tmp_path):
    source = landed(tmp_path, b'Date,"SENSEX, far ""x""", S2 \n2024-01-04,1,2\n')

    assert source.header.columns == ("Date", 'SENSEX, far "x"', "S2")


def test_a_header_may_be_longer_than_a_piece(tmp_path):
    names = [f"SENSEX {i} SL7%" for i in range(20_000)]
    source = landed(
        tmp_path, ",".join(["Date", *names]).encode() + b"\n2024-01-04" + b",1" * 20_000
    )

    assert source.header.columns == ("Date", *names)
    assert b"".join(source.pieces(1000)) == b"2024-01-04" + b",1" * 20_000 + b"\n"


def test_another_delimiter_is_read_where_it_is_declared(tmp_path):
    path = tmp_path / "s.csv"
    path.write_bytes(b"Date;S1, far;S2\n2024-01-04;1;2\n")

    assert LandedStrategies(path, "s.csv", delimiter=";").header.columns == (
        "Date",
        "S1, far",
        "S2",
    )


def test_the_digest_is_that_of_the_bytes_as_they_lie(tmp_path):
    import hashlib

    assert landed(tmp_path, SHEET).sha256 == hashlib.sha256(SHEET).hexdigest()
    assert landed(tmp_path, gzip.compress(SHEET)).sha256 != hashlib.sha256(SHEET).hexdigest()


@pytest.mark.parametrize("cells", [1, 4, 100])
def test_parquet_comes_in_groups_of_columns(tmp_path, cells):
    table = pl.DataFrame({"Date": ["2024-01-04", "2024-01-05"], " S1 ": [1.0, None], "S2": [3, 4]})
    path = tmp_path / "zone=A[1].parquet"
    table.write_parquet(path)
    source = LandedStrategies(path, path.name)

    frames = list(source.frames(cells))

    assert source.header.container == "parquet"
    assert source.header.columns == ("Date", "S1", "S2")
    assert source.header.types == (pl.String(), pl.Float64(), pl.Int64())
    assert pl.concat(frames, how="horizontal", strict=True).equals(table.rename({" S1 ": "S1"}))
    assert len(frames) == {1: 3, 4: 2, 100: 1}[cells]


def as_parquet(folder: Path, table: pl.DataFrame) -> bytes:
    table.write_parquet(folder / "table.parquet")
    return (folder / "table.parquet").read_bytes()


BAD_TEXT: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty (0 bytes)"),
    "blank first line": (b"\n1,2\n", "has an empty first line"),
    "UTF-16": (SHEET.decode().encode("utf-16"), "is UTF-16 text"),
    "UTF-16 without a mark": (SHEET.decode().encode("utf-16-le"), "is binary data, not text"),
    "binary": (bytes(range(256)) * 40, "is binary data, not text"),
    "HTML": (b"<!DOCTYPE html><html>\n", "is an HTML or XML page"),
    "JSON": (b'{"Date": 1}\n', "is JSON, not a table"),
    "semicolons": (SHEET.replace(b",", b";"), "separates its columns by semicolons, not by commas"),
    "semicolons and decimal commas": (
        b"Date;S1;S2\n04-01-2024;1,5;2,5\n", "separates its columns by semicolons"),
    "tabs": (SHEET.replace(b",", b"\t"), "separates its columns by tabs"),
    "bars": (SHEET.replace(b",", b"|"), "separates its columns by vertical bars"),
    "other encoding": ("Date,Stratégie\n2024-01-04,1\n".encode("latin-1"), "is not UTF-8 text"),
    "other encoding in a row": (
        SHEET + "2024-01-18,Donnerstag für,1,2\n".encode("latin-1"),
        "is not UTF-8 text (a byte of row 3)"),
    "NUL bytes": (SHEET + b"2024-01-18,\x00\x00,1,2\n", "holds NUL bytes, the first in row 3"),
    "bare carriage returns": (
        SHEET.replace(b"\n", b"\r"), "ends lines by bare carriage returns"),
    "some bare carriage returns": (
        SHEET + b"2024-01-18,Thursday,1,2\r2024-01-25,Thursday,1,2\n",
        "ends lines by bare carriage returns, the first in row 3"),
    "open quote in the header": (b'Date,"S1\n2024-01-04,1\n', "has a header whose quotes"),
    "truncated gzip": (
        gzip.compress(SHEET * 99)[:-30], "is a damaged or truncated gzip file"),
    "damaged gzip": (
        gzip.compress(SHEET)[:12] + b"zzzz" + gzip.compress(SHEET)[16:],
        "is a damaged or truncated gzip file"),
    "truncated zstd": (
        zstandard.ZstdCompressor().compress(os.urandom(9999).hex().encode())[:4000],
        "is a damaged or truncated zstd file"),
    "damaged zstd": (b"\x28\xb5\x2f\xfd" + b"junk" * 9, "is a damaged or truncated zstd file"),
    "truncated Parquet": (b"PAR1" + b"junk" * 9, "is a damaged Parquet file"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD_TEXT)
def test_a_bad_file_is_named_with_its_fault_and_a_next_step(tmp_path, kind):
    data, fault = BAD_TEXT[kind]
    source = landed(tmp_path, data)

    with pytest.raises(InputFileError) as refused:
        list(source.pieces() if source.header.container == "csv" else source.frames())

    assert refused.value.place == "in/s.csv"
    assert fault in refused.value.fault
    assert refused.value.next_step


def test_a_name_may_hold_other_delimiters(tmp_path):
    assert landed(tmp_path, b"Date,a|b|c;d;e\n").header.columns == ("Date", "a|b|c;d;e")


def test_a_file_that_cannot_be_opened_says_why(tmp_path):
    with pytest.raises(InputFileError, match="does not exist"):
        _ = LandedStrategies(tmp_path / "none.csv", "none.csv").header
    with pytest.raises(InputFileError, match="is a folder"):
        _ = LandedStrategies(tmp_path, "folder").header
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputFileError, match="not a regular file"):
        _ = LandedStrategies(tmp_path / "pipe", "pipe").header
    with pytest.raises(InputFileError, match="cannot be read"):
        _ = LandedStrategies(tmp_path / "none.csv", "none.csv").sha256


def test_nested_and_repeated_parquet_columns_are_refused(tmp_path):
    import pyarrow as pa
    from pyarrow import parquet

    nested = landed(tmp_path, as_parquet(tmp_path, pl.DataFrame({"Date": ["x"], "S1": [[1.0]]})))
    with pytest.raises(InputFileError, match=r"nested columns: S1 \(List"):
        _ = nested.header
    twice = pa.table([[1.0], [2.0]], names=["S1", "S1"])
    parquet.write_table(twice, tmp_path / "twice.parquet")
    with pytest.raises(InputFileError, match="names a column more than once: S1"):
        _ = LandedStrategies(tmp_path / "twice.parquet", "twice").header


def test_a_parquet_file_damaged_inside_is_found_when_it_is_read(tmp_path):
    data = bytearray(as_parquet(tmp_path, pl.DataFrame({"Date": ["x"] * 999, "S1": range(999)})))
    data[4:200] = b"\xff" * 196
    source = landed(tmp_path, bytes(data), "s.parquet")

    with pytest.raises(InputFileError, match="is a damaged Parquet file"):
        list(source.frames())


def test_a_parquet_file_tells_the_unit_that_its_export_wrote_and_others_none(tmp_path):
    frame = pl.DataFrame({"Date": ["2024-01-04"], "S1": [1.5]})
    write_wide(frame, tmp_path / "told.parquet", "percent")
    frame.write_parquet(tmp_path / "silent.parquet")

    told = LandedStrategies(tmp_path / "told.parquet", "told.parquet").header
    silent = LandedStrategies(tmp_path / "silent.parquet", "silent.parquet").header

    assert (told.pnl_unit, silent.pnl_unit) == ("percent", None)
    assert landed(tmp_path, SHEET).header.pnl_unit is None
