"""Every fault changes what its name says, the same way each time, and nothing else."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mr_platform.errors import SettingsError
from mr_platform.simulation.chain_day import SimulatedDay
from mr_platform.simulation.day_files import encoded, write_days
from mr_platform.simulation.dialect_tables import OUTPUT_DIALECTS, DialectFile, dialect_files
from mr_platform.simulation.faults import FAULTS, chosen_faults
from mr_platform.simulation.random_streams import stream
from mr_platform.trading_calendar import is_trading_day

FILE_FAULTS = [name for name, fault in FAULTS.items() if fault.kind == "file"]
FRAME_FAULTS = [name for name, fault in FAULTS.items() if fault.kind == "frame"]
ASKED_FOR = {
    "truncated_gz",
    "wrong_delimiter",
    "bom",
    "day_first_dates",
    "duplicate_header",
    "mixed_iv_units",
    "mixed_oi_units",
    "nan_values",
    "inf_values",
    "negative_prices",
    "extra_column",
    "missing_column",
    "outside_session",
    "holiday_file",
    "swapped_expiries",
    "unknown_symbol",
    "empty_file",
    "header_only",
    "directory_instead_of_file",
    "unreadable_file",
    "nested_parquet",
    "corrupt_parquet",
    "duplicate_rows",
    "conflicting_duplicates",
    "low_above_high",
    "two_spots_in_a_minute",
    "text_in_numbers",
    "ragged_rows",
    "fractional_oi",
    "wrong_dte",
    "unmirrored_labels",
    "utf16_file",
    "missing_minutes",
    "cut_off_last_line",
    "html_instead_of_csv",
    "foreign_file",
}


@pytest.fixture(scope="module")
def day(ordinary_day: SimulatedDay) -> SimulatedDay:
    """A few strikes of two expiries."""
    chain = ordinary_day.chain.filter(
        ((pl.col("strike") / 24500 - 1).abs() < 0.01) & (pl.col("dte") < 20)
    )
    return SimulatedDay(ordinary_day.key, chain, ordinary_day.regimes, ordinary_day.lot_size)


def source(day: SimulatedDay, dialect: str) -> DialectFile:
    return next(dialect_files(day, dialect))


def damaged(day: SimulatedDay, name: str, dialect: str = "legacy_csv") -> pl.DataFrame:
    file = source(day, dialect)
    inject = FAULTS[name].on_frame
    assert inject is not None
    return inject(file.table, file.roles, stream(1, name))


def changed(table: pl.DataFrame, before: pl.DataFrame) -> set[str]:
    return {
        name
        for name in before.columns
        if not table[name].cast(pl.String).equals(before[name].cast(pl.String))
    }


def test_the_registry_holds_every_kind_asked_for_with_its_cause() -> None:
    assert set(FAULTS) >= ASKED_FOR
    assert len(FAULTS) >= 35
    for name, fault in FAULTS.items():
        assert fault.name == name
        assert fault.description.endswith(".")
        assert fault.applies_to <= set(OUTPUT_DIALECTS)
        assert (fault.on_frame is None) != (fault.on_file is None)
        assert (fault.kind == "frame") == (fault.on_frame is not None)


@pytest.mark.parametrize("name", FRAME_FAULTS)
def test_frame_faults_change_every_dialect_they_apply_to_and_repeat_themselves(
    day: SimulatedDay, name: str
) -> None:
    for dialect in sorted(FAULTS[name].applies_to):
        first = damaged(day, name, dialect)
        before = source(day, dialect).table
        assert not (first.schema == before.schema and first.equals(before, null_equal=True)), (
            dialect
        )
        assert_frame_equal(first, damaged(day, name, dialect), check_exact=True)
        assert "_hit" not in first.columns
        form = source(day, dialect).format
        assert encoded(first, form)


@pytest.mark.parametrize("name", FILE_FAULTS)
def test_file_faults_change_every_dialect_they_apply_to(
    day: SimulatedDay, name: str, tmp_path: Path
) -> None:
    for dialect in sorted(FAULTS[name].applies_to):
        file = source(day, dialect)
        sound = encoded(file.table, file.format)
        report = write_days([day], tmp_path / dialect, dialect, faults=[name])
        path = report.files[0].path
        assert report.files[0].fault == name
        if name == "unreadable_file":
            assert path.stat().st_mode & 0o777 == 0
        elif name == "broken_link":
            assert path.is_symlink()
            assert not path.exists()
        elif name == "directory_instead_of_file":
            assert path.is_dir()
        else:
            assert path.read_bytes() != sound


def test_rows_keep_all_but_the_columns_a_fault_names(day: SimulatedDay) -> None:
    before = source(day, "legacy_csv").table
    expected = {
        "day_first_dates": {"trade_date", "expiry_date"},
        "mixed_iv_units": {"ce_iv", "pe_iv"},
        "mixed_oi_units": {"ce_oi", "pe_oi"},
        "nan_values": {"ce_close", "pe_close", "ce_iv", "pe_iv"},
        "inf_values": {"ce_close", "ce_iv", "pe_iv"},
        "negative_prices": {"ce_close", "pe_close"},
        "negative_volume": {"ce_volume", "pe_volume"},
        "holiday_file": {"trade_date"},
        "swapped_expiries": {"expiry_date"},
        "expiry_before_date": {"expiry_date"},
        "unknown_symbol": {"index_name"},
        "null_strikes": {"strike"},
        "low_above_high": {"ce_low", "ce_high"},
        "two_spots_in_a_minute": {"spot"},
        "text_in_numbers": {"ce_close", "pe_close"},
        "fractional_oi": {"ce_oi", "pe_oi"},
        "wrong_dte": {"dte"},
        "unmirrored_labels": {"put_strike_type"},
    }
    for name, columns in expected.items():
        after = damaged(day, name)
        assert after.height == before.height, name
        assert changed(after, before) == columns, name


FrameCheck = Callable[[pl.DataFrame, pl.DataFrame], bool]
CHECKS: dict[str, FrameCheck] = {
    "nan_values": lambda after, _: after["ce_close"].is_nan().any(),
    "inf_values": lambda after, _: after["ce_iv"].is_infinite().any(),
    "negative_prices": lambda after, _: (after["pe_close"] < 0).any(),
    "negative_volume": lambda after, _: (after["ce_volume"] < 0).any(),
    "extra_column": lambda after, before: after.columns == [*before.columns, "vendor_score"],
    "missing_column": lambda after, before: set(before.columns) - set(after.columns) == {"strike"},
    "outside_session": lambda after, _: (
        (after["trade_time"].min(), after["trade_time"].max()) == (dt.time(8, 59), dt.time(15, 45))
    ),
    "holiday_file": lambda after, _: not is_trading_day(after["trade_date"][0]),
    "swapped_expiries": lambda after, before: (
        after["expiry_date"][0] == before["expiry_date"].unique().sort()[1]
    ),
    "expiry_before_date": lambda after, _: (after["expiry_date"] < after["trade_date"]).any(),
    "unknown_symbol": lambda after, _: "SENSEX" in after["index_name"],
    "null_strikes": lambda after, _: after["strike"].null_count() > 0,
    "header_only": lambda after, before: after.height == 0 and after.columns == before.columns,
    "low_above_high": lambda after, _: (after["ce_low"] > after["ce_high"]).any(),
    "two_spots_in_a_minute": lambda after, _: (
        after.group_by("trade_time").agg(pl.col("spot").n_unique())["spot"].max() == 2
    ),
    "text_in_numbers": lambda after, _: (
        "n/a" in after["ce_close"] and "1,234.50" in after["pe_close"]
    ),
    "fractional_oi": lambda after, _: ((after["ce_oi"] % 1) == 0.5).any(),
    "wrong_dte": lambda after, before: (after["dte"] - before["dte"]).max() == 3,
    "unmirrored_labels": lambda after, _: "OTM99" in after["put_strike_type"],
    "missing_minutes": lambda after, _: after["trade_time"].n_unique() == 355,
    "day_first_dates": lambda after, _: after["trade_date"][0] == "29-08-2025",
    "mixed_iv_units": lambda after, _: after["ce_iv"][-500:].max() < 1 < after["ce_iv"][0],
    "mixed_oi_units": lambda after, before: (
        after["ce_oi"][-1] * 75 == before["ce_oi"][-1] and after["ce_oi"][0] == before["ce_oi"][0]
    ),
}


@pytest.mark.parametrize("name", CHECKS)
def test_a_frame_fault_does_what_it_says(day: SimulatedDay, name: str) -> None:
    assert CHECKS[name](damaged(day, name), source(day, "legacy_csv").table)


def test_duplicates_repeat_keys_with_equal_or_other_prices(day: SimulatedDay) -> None:
    keys = ["trade_time", "expiry_date", "strike"]
    same = damaged(day, "duplicate_rows")
    assert same.select(keys).is_duplicated().any()
    assert same.unique().height == day.chain.height
    other = damaged(day, "conflicting_duplicates")
    assert other.select(keys).is_duplicated().any()
    assert other.unique().height == other.height > day.chain.height
    for leg in ("ce", "pe"):
        assert (other[f"{leg}_low"] <= other[f"{leg}_close"]).all()
        assert (other[f"{leg}_close"] <= other[f"{leg}_high"]).all()


def test_nested_parquet_holds_structs_and_lists(day: SimulatedDay) -> None:
    table = damaged(day, "nested_parquet", "legacy_parquet")
    assert isinstance(table.schema["strike"], pl.Struct)
    assert isinstance(table.schema["ce_close"], pl.List)


def test_other_dialects_shift_their_own_columns(day: SimulatedDay) -> None:
    collected = damaged(day, "outside_session", "nse_collected")
    assert collected["Fetch_Time"][0] == "29-Aug-2025 08:59:45"
    assert collected["Fetch_Time"][-1] == "29-Aug-2025 15:45:45"
    long = damaged(day, "holiday_file", "long_quotes")
    assert long["timestamp"][0] == "202508300915"
    past = damaged(day, "expiry_before_date", "long_quotes")
    assert past["expiry"].str.to_date("%d-%b-%Y").min() < dt.date(2025, 8, 29)


def written(day: SimulatedDay, folder: Path, name: str, dialect: str = "legacy_csv") -> Path:
    return write_days([day], folder, dialect, faults=[name]).files[0].path


def test_a_file_fault_does_what_it_says(day: SimulatedDay, tmp_path: Path) -> None:
    sound = encoded(day.chain, "csv")
    lines = sound.count(b"\n")
    header = sound.split(b"\n", 1)[0]
    assert written(day, tmp_path / "1", "bom").read_bytes() == b"\xef\xbb\xbf" + sound
    assert written(day, tmp_path / "2", "utf16_file").read_text("utf-16").encode() == sound
    assert b"," not in written(day, tmp_path / "3", "wrong_delimiter").read_bytes()
    twice = written(day, tmp_path / "4", "duplicate_header").read_bytes()
    assert twice.count(header) == 2
    assert twice.count(b"\n") == lines + 1
    ragged = written(day, tmp_path / "5", "ragged_rows").read_bytes().splitlines()
    assert {line.count(b",") for line in ragged} == {45, 47, 48}
    cut = written(day, tmp_path / "6", "cut_off_last_line").read_bytes()
    assert sound.startswith(cut)
    assert cut.count(b"\n") == lines - 1
    assert cut.rsplit(b"\n", 1)[1].count(b",") < 47
    assert written(day, tmp_path / "7", "empty_file").read_bytes() == b""
    assert b"<html>" in written(day, tmp_path / "8", "html_instead_of_csv").read_bytes()
    assert written(day, tmp_path / "9", "foreign_file").read_bytes().startswith(b"employee,")
    assert written(day, tmp_path / "10", "gzip_named_csv").read_bytes()[:2] == b"\x1f\x8b"
    whole = encoded(day.chain, "csv.gz")
    short = written(day, tmp_path / "11", "truncated_gz", "legacy_csv_gz").read_bytes()
    assert whole.startswith(short)
    assert len(short) < len(whole)


@pytest.mark.parametrize("name", ["corrupt_parquet", "truncated_parquet"])
def test_damaged_parquet_cannot_be_read(day: SimulatedDay, tmp_path: Path, name: str) -> None:
    path = written(day, tmp_path, name, "legacy_parquet")
    with pytest.raises(pl.exceptions.ComputeError):
        pl.read_parquet(path)


def test_files_take_several_faults_in_turn_and_the_list_is_kept(
    day: SimulatedDay, tmp_path: Path
) -> None:
    names = ["bom", "empty_file", "nan_values"]
    report = write_days([day] * 4, tmp_path, "legacy_csv", faults=names)
    assert [file.fault for file in report.files] == [*names, "bom"]
    listed = pl.read_csv(tmp_path / "_ground_truth/faults.csv")
    assert listed["fault"].to_list() == [*names, "bom"]
    assert not (tmp_path / "sound" / "_ground_truth").exists()


def test_unknown_and_unfit_faults_are_refused_before_anything_is_written(
    day: SimulatedDay, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=r"no fault gremlin\. Use bom"):
        chosen_faults(["gremlin"], "legacy_csv")
    with pytest.raises(SettingsError, match="truncated_gz does not apply to dialect legacy_csv"):
        write_days([day], tmp_path, "legacy_csv", faults=["truncated_gz"])
    assert list(tmp_path.iterdir()) == []
