"""Every fault changes what its name says, the same way each time, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from polars.testing import assert_frame_equal

from mr_platform.errors import SettingsError
from mr_platform.simulation.chain_day import SimulatedDay
from mr_platform.simulation.day_files import encoded, write_days
from mr_platform.simulation.dialect_tables import OUTPUT_DIALECTS
from mr_platform.simulation.faults import FAULTS, chosen_faults
from mr_platform_tests.simulation.damage import damaged, source

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


def test_the_registry_holds_every_kind_asked_for_with_its_cause() -> None:
    assert set(FAULTS) >= ASKED_FOR
    assert len(FAULTS) >= 35
    for name, fault in FAULTS.items():
        assert fault.name == name
        assert fault.description.endswith(".")
        assert fault.applies_to <= set(OUTPUT_DIALECTS)
        assert (fault.on_frame is None) != (fault.on_file is None)
        assert (fault.kind == "frame") == (fault.on_frame is not None)


def some_dialects(name: str) -> list[str]:
    """Two dialects of a fault, others for each fault, so that all of them are met."""
    dialects = sorted(FAULTS[name].applies_to)
    place = list(FAULTS).index(name)
    return sorted({dialects[(place + step) % len(dialects)] for step in (0, len(dialects) // 2)})


def test_every_dialect_is_met_in_the_sample() -> None:
    met = {dialect for name in FRAME_FAULTS for dialect in some_dialects(name)}
    assert met == {dialect for name in FRAME_FAULTS for dialect in FAULTS[name].applies_to}


@pytest.mark.parametrize("name", FRAME_FAULTS)
@pytest.mark.parametrize("part", ["sampled", pytest.param("whole", marks=pytest.mark.slow)])
def test_frame_faults_change_every_dialect_they_apply_to_and_repeat_themselves(
    few_strikes: SimulatedDay, name: str, part: str
) -> None:
    for dialect in some_dialects(name) if part == "sampled" else sorted(FAULTS[name].applies_to):
        first = damaged(few_strikes, name, dialect)
        before = source(few_strikes, dialect).table
        assert not (first.schema == before.schema and first.equals(before, null_equal=True)), (
            dialect
        )
        assert_frame_equal(first, damaged(few_strikes, name, dialect), check_exact=True)
        assert "_hit" not in first.columns
        form = source(few_strikes, dialect).format
        assert encoded(first, form)


@pytest.mark.parametrize("name", FILE_FAULTS)
def test_file_faults_change_every_dialect_they_apply_to(
    few_strikes: SimulatedDay, name: str, tmp_path: Path
) -> None:
    for dialect in sorted(FAULTS[name].applies_to):
        file = source(few_strikes, dialect)
        sound = encoded(file.table, file.format)
        report = write_days([few_strikes], tmp_path / dialect, dialect, faults=[name])
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


def test_unknown_and_unfit_faults_are_refused_before_anything_is_written(
    few_strikes: SimulatedDay, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=r"no fault gremlin\. Use bom"):
        chosen_faults(["gremlin"], "legacy_csv")
    with pytest.raises(SettingsError, match="truncated_gz does not apply to dialect legacy_csv"):
        write_days([few_strikes], tmp_path, "legacy_csv", faults=["truncated_gz"])
    assert list(tmp_path.iterdir()) == []
