"""The declaration of strategy files: what it says, and every fault with its line."""

from __future__ import annotations

import re

import pytest

from mr_platform.errors import RegistryError
from mr_platform.registry.loader import load_registry
from mr_platform.registry.strategy_files import ROW_FIELDS, STRATEGY_FILES, load_strategy_files


@pytest.fixture
def edited(tmp_path):
    """Reads the declaration with one text replaced."""

    def read(old: str, new: str):
        text = STRATEGY_FILES.read_text("utf-8")
        assert old in text
        path = tmp_path / "strategy_files.yaml"
        path.write_text(text.replace(old, new, 1), "utf-8")
        return load_strategy_files(path)

    return read


def test_metadata_are_known_whatever_their_case():
    metadata = load_strategy_files().metadata

    assert metadata["regime_confidence_%"] == "regime_confidence"
    assert set(metadata.values()) == set(ROW_FIELDS)
    assert all(name == name.lower() for name in metadata)


def test_what_a_file_does_not_say_is_declared_for_each_format():
    formats = load_strategy_files().formats

    assert formats["legacy_csv"].date_format == "%Y-%m-%d"
    assert formats["enhanced_csv"].date_format == "%d-%m-%Y"
    assert formats["enhanced_csv"].confidence_unit == "percent"
    assert formats["wide_parquet"].confidence_unit == "fraction"
    assert formats["legacy_csv"].confidence_unit is None
    assert {name: form.pnl_unit for name, form in formats.items()} == {
        "legacy_csv": "rupees",
        "enhanced_csv": "percent",
        "wide_parquet": "rupees",
    }


def test_the_package_declaration_is_read_once_and_a_file_afresh():
    assert load_strategy_files() is load_strategy_files()
    assert load_strategy_files(STRATEGY_FILES) == load_strategy_files()
    assert load_strategy_files(STRATEGY_FILES) is not load_strategy_files()


def test_the_feature_registry_does_not_take_the_file_for_its_own():
    assert load_registry().components


def test_a_setting_can_be_changed(edited):
    declared = edited("missing_in_strategy: 0.10", "missing_in_strategy: 0.5")

    assert declared.limits.missing_in_strategy == 0.5
    assert edited('delimiter: ","', 'delimiter: "\\t"').delimiter == "\t"


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("  Day: day", "  Day: dya", "unknown row field 'dya'. Near: day"),
        ("  Day: day", "  date: day", "date is declared twice, case aside"),
        ("required: [Date]", "required: [Dates]", "Dates is no metadata column"),
        ("required: [Date]", "required: [Day]", "two columns of legacy_csv mean day"),
        ("required: [Date]", "required: []", "legacy_csv must require the date"),
        ("required: [Date]", "required: Date", "required must be a list, was 'Date'"),
        ("container: csv", "container: cvs", "unknown container 'cvs'. Near: csv"),
        ("pnl_unit: rupees", "pnl_unit: dollars", "unknown pnl_unit 'dollars'"),
        ("confidence_unit: percent", "confidence_unit: guess", "unknown confidence_unit 'guess'"),
        ("    confidence_unit: percent\n", "", "must declare confidence_unit: it is never guessed"),
        ("    threshold_unit: fraction\n", "", "must declare threshold_unit: it is never guessed"),
        ('    time_format: "%H:%M:%S"\n', "", "must declare time_format: it is never guessed"),
        ('    date_format: "%Y-%m-%d"\n', "", "the field date_format is missing"),
        ('delimiter: ","', 'delimiter: ";;"', "delimiter must be one ASCII character"),
        ("largest_amount: 1.0e+12", "largest_amount: many", "was 'many'"),
        ("missing_in_all: 0.01", "missing_in_all: 1.5", "a number from 0 to 1, was 1.5"),
        ("missing_in_all: 0.01", "missing_in_every: 0.01", "unknown field missing_in_every"),
        ("share_of_strategies: 0.5", "share_of_strategies: .nan", "was nan"),
        ("zones: [A, B", "zones: [A, 2", "an entry must be text, was 2"),
        ("level:", "levels:", "unknown field levels. Near: level"),
        ("formats:", "formats: [", "not readable as YAML"),
    ],
)  # fmt: skip
def test_a_fault_names_the_file_and_its_line(edited, old, new, fault):
    with pytest.raises(RegistryError) as refused:
        edited(old, new)

    told = [text for text in refused.value.faults if fault in text]
    assert told, refused.value.faults
    assert re.match(r"strategy_files\.yaml:\d+: ", told[0])


def test_every_fault_is_told_at_once(edited):
    with pytest.raises(RegistryError) as refused:
        edited("container: csv\n    required: [Date]", "container: cvs\n    required: [Dates]")

    assert len(refused.value.faults) >= 3
