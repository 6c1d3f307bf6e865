"""Reading one landed file: formats, numbering, and a clear fault for every broken kind."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import polars as pl
import pytest
import zstandard

from mr_platform.errors import InputFileError
from mr_platform.gateways.raw_files import RawFile

TABLE = pl.DataFrame({"day": ["2024-01-01", "2024-01-02"], "price": [1.5, 2.5], "name": ["a", "b"]})
TYPES = {"day": pl.String, "price": pl.Float64, "name": pl.String}


def landed(folder: Path, name: str, data: bytes) -> RawFile:
    path = folder / name
    path.write_bytes(data)
    return RawFile(path, f"in/{name}")


def as_csv(frame: pl.DataFrame = TABLE) -> bytes:
    return frame.write_csv().encode()


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("plain.csv", lambda data: data),
        ("packed.csv.gz", gzip.compress),
        ("packed.csv.zst", lambda data: zstandard.ZstdCompressor().compress(data)),
        ("named_wrongly.txt", gzip.compress),
    ],
)
def test_csv_reads_the_same_whatever_the_compression_and_the_name(tmp_path, name, pack):
    rows = landed(tmp_path, name, pack(as_csv())).read(TYPES)

    assert rows.typed
    assert rows.frame.drop("_row").equals(TABLE)
    assert rows.frame["_row"].to_list() == [1, 2]


def test_parquet_reads_its_own_types_and_only_the_columns_asked_for(tmp_path):
    path = tmp_path / "symbol=NIFTY" / "a[1].parquet"
    path.parent.mkdir()
    TABLE.write_parquet(path)
    source = RawFile(path, "symbol=NIFTY/a[1].parquet")

    rows = source.read({"price": pl.String})

    assert source.header.format == "parquet"
    assert rows.frame.columns == ["_row", "price"]
    assert rows.frame.schema["price"] == pl.Float64


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path):
    source = landed(tmp_path, "bom.csv", b"\xef\xbb\xbf" + as_csv())

    assert source.header.columns == ("day", "price", "name")
    assert source.header.byte_order_mark
    assert source.read(TYPES).frame.height == 2


def test_a_cell_of_the_wrong_type_brings_the_file_back_as_text(tmp_path):
    rows = landed(tmp_path, "t.csv", as_csv() + b"2024-01-03,abc,c\n").read(TYPES)

    assert not rows.typed
    assert rows.frame["price"].to_list() == ["1.5", "2.5", "abc"]


def test_lines_with_too_few_or_too_many_fields_are_set_apart_and_numbers_stay_true(tmp_path):
    data = b"day,price,name\n2024-01-01,1,a\n2024-01-02,2\n2024-01-03,3,c\n2024-01-04,4,d,e\n"

    rows = landed(tmp_path, "ragged.csv", data).read(TYPES)

    assert rows.frame["_row"].to_list() == [1, 3]
    assert rows.malformed["_row"].to_list() == [2, 4]
    assert rows.malformed["text"].to_list() == ["2024-01-02,2", "2024-01-04,4,d,e"]
    assert rows.height == 4


def test_a_last_line_cut_off_in_the_middle_is_not_filled_with_nulls(tmp_path):
    rows = landed(tmp_path, "cut.csv", as_csv()[:-5]).read(TYPES)

    assert rows.malformed.height == 1
    assert rows.malformed["detail"].to_list() == ["2 fields, 3 expected"]


def test_null_texts_of_the_dialect_are_null(tmp_path):
    data = b"day,price,name\n2024-01-01,-,a\n"

    assert landed(tmp_path, "n.csv", data).read(TYPES, ["-"]).frame["price"].to_list() == [None]


def test_a_header_without_rows_reads_as_no_rows(tmp_path):
    assert landed(tmp_path, "h.csv", b"day,price,name\n").read(TYPES).height == 0


def broken_parquet() -> bytes:
    return b"PAR1" + bytes(range(200))


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", "is empty"),
        (b"\n1,2\n", "empty first line"),
        (b"<html><body>moved</body></html>", "HTML"),
        ("a,b\n1,2\n".encode("utf-16"), "UTF-16"),
        (b"a,b\xff\n1,2\n", "not UTF-8"),
        (b"a\x00,b\n1,2\n", "binary"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "binary"),
        (b"a;b;c\n1;2;3\n", "semicolons"),
        (b"a\tb\tc\n1\t2\t3\n", "tabs"),
        (b"a,b,a\n1,2,3\n", "more than once: a"),
        (gzip.compress(as_csv() * 400, mtime=0)[:-40], "truncated gzip"),
        (gzip.compress(as_csv() * 400, mtime=0)[:40] + b"\x00" * 60, "gzip"),
        (zstandard.ZstdCompressor().compress(as_csv() * 400)[:-3], "zstd"),
        (broken_parquet(), "damaged Parquet"),
    ],
)
def test_a_broken_file_is_one_clear_fault_that_names_it_and_the_next_step(tmp_path, data, fault):
    source = landed(tmp_path, "broken.bin", data)

    with pytest.raises(InputFileError, match=fault) as told:
        source.read(dict.fromkeys(source.header.columns, pl.String))

    assert told.value.place == "in/broken.bin"
    assert told.value.next_step


def test_nested_parquet_columns_are_named(tmp_path):
    path = tmp_path / "n.parquet"
    pl.DataFrame({"a": [1], "legs": [{"ce": 1.0}], "l": [[1, 2]]}).write_parquet(path)

    with pytest.raises(InputFileError, match=r"nested columns: legs .*, l "):
        _ = RawFile(path, "n.parquet").header


def test_folders_missing_files_and_pipes_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name, fault in ((".", "folder"), ("absent.csv", "does not exist"), ("pipe", "regular")):
        with pytest.raises(InputFileError, match=fault):
            _ = RawFile(tmp_path / name, name).header


def test_the_digest_is_that_of_the_bytes_and_a_known_one_is_not_computed_again(tmp_path):
    source = landed(tmp_path, "a.csv", b"abc")

    assert source.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert RawFile(tmp_path / "absent", "absent", known_sha256="known").sha256 == "known"


def test_blanks_around_parquet_column_names_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "day.parquet"
    pl.DataFrame({" strike ": [24500.0], "spot": [24510.0]}).write_parquet(path)
    file = RawFile(path, "day.parquet")

    assert file.header.columns == ("strike", "spot")
    assert file.header.types == {"strike": pl.Float64(), "spot": pl.Float64()}
    assert file.read({"strike": pl.Float64}).frame.columns == ["_row", "strike"]
    assert file.read({"strike": pl.Float64}).frame["strike"].to_list() == [24500.0]


def test_a_quoted_text_for_a_missing_value_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "day.csv"
    path.write_text('"a","b"\n"1","-"\n"2",""\n')

    rows = RawFile(path, "day.csv").read({"a": pl.Float64, "b": pl.String}, ["-"])

    assert rows.frame["b"].to_list() == [None, None]
