"""The declaration of recorded figures: what it says, and every fault with its line."""

from __future__ import annotations

import re

import pytest

from mr_platform.errors import RegistryError
from mr_platform.gateways.recorded_portfolios import read_recorded
from mr_platform.parity.portfolio_figures import account, compared
from mr_platform.portfolio.recorded_figures import figure_pairs
from mr_platform.registry.loader import load_registry
from mr_platform.registry.recorded_figures import (
    FIGURES,
    FILES,
    REASONS,
    RECORDED_FIGURES,
    load_recorded_figures,
)
from mr_platform_tests.portfolio.recorded import real_returns


@pytest.fixture
def edited(tmp_path):
    """Reads the declaration with one text replaced."""

    def read(old: str, new: str):
        text = RECORDED_FIGURES.read_text("utf-8")
        assert old in text
        path = tmp_path / "recorded_figures.yaml"
        path.write_text(text.replace(old, new, 1), "utf-8")
        return load_recorded_figures(path)

    return read


def test_what_is_declared():
    declared = load_recorded_figures()

    assert declared.tolerance == 1e-5
    assert declared.production_rows == 82
    assert tuple(declared.files) == FILES
    assert tuple(declared.figures) == FIGURES
    assert tuple(declared.reasons) == REASONS
    assert declared.figures["golden"].kind == "computed"
    assert declared.figures["strategy_metrics"].kind == "recorded"


def test_every_figure_that_cannot_be_compared_has_a_reason():
    declared = load_recorded_figures()

    assert len(declared.unreproducible) >= 10
    assert all(entry.figure and entry.source and entry.reason for entry in declared.unreproducible)
    told = " ".join(entry.figure for entry in declared.unreproducible)
    assert all(text in told for text in ("30.45764862187442", "97.6", "0.328133", "cuDF"))


@pytest.mark.real_data
def test_every_declared_file_is_there(real_data):
    folder = real_data / "strategies"
    assert [
        name for name in load_recorded_figures().files.values() if not (folder / name).is_file()
    ] == []


@pytest.mark.real_data
def test_what_was_observed_is_what_comparing_gives(real_data):
    declared, folder = load_recorded_figures(), real_data / "strategies"
    pairs = figure_pairs(real_returns(folder), read_recorded(folder, declared), declared)
    found = account(compared(pairs, declared.tolerance))

    columns = ("figure", "measure", "compared", "not_reproducible")
    assert found.select(columns).rows() == [
        tuple(getattr(one, name) for name in columns) for one in declared.observed
    ]
    assert found["within"].to_list() == found["compared"].to_list()
    for one, worst in zip(declared.observed, found["worst"], strict=True):
        assert worst is None or worst <= one.below, one


def test_the_package_declaration_is_read_once_and_a_file_afresh():
    assert load_recorded_figures() is load_recorded_figures()
    assert load_recorded_figures(RECORDED_FIGURES) == load_recorded_figures()
    assert load_registry().components


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("tolerance: 1.0e-5", "tolerance: 5", "tolerance must lie between 0 and 1, was 5"),
        ("tolerance: 1.0e-5", "tolerance: true", "was True"),
        ("tolerance: 1.0e-5", "tolerance: small", "was 'small'"),
        ("tolerance: 1.0e-5\n", "", "the field tolerance is missing"),
        ("production_rows: 82", "production_rows: 0", "production_rows must be at least 1"),
        ("universe_shift_days: 180", "universe_shift_days: x", "universe_shift_days must be"),
        ("  golden: golden_legacy_code.json.gz\n", "", "the field golden is missing"),
        ("  golden: golden_legacy", "  goldn: golden_legacy", "unknown field goldn. Near: golden"),
        (
            "    kind: recorded",
            "    kind: guessed",
            "unknown kind 'guessed'. Known",
        ),
        ("  universe:\n    title", "  univers:\n    title", "unknown field univers. Near"),
        ("    title: Five figures of each strategy\n", "", "the field title is missing"),
        ("{held} of {size} members", "some members", "must count {held} of {size}"),
        ("  - figure: any result of cuDF\n", "  - figures: any\n", "unknown field figures. Near"),
        ("unreproducible:", "unreproducibles:", "unknown field unreproducibles. Near"),
        ("unreproducible:\n", "unreproducible: [\n", "not readable as YAML"),
        ("    ROI: [2944, 1.0e-14, 1]", "    ROI: 2944", "ROI must be [compared, below, "),
        ("    ROI: [2944, 1.0e-14, 1]", "    ROI: [2944, 1.0e-14]", "ROI must be [compared, "),
        ("    ROI: [2944, 1.0e-14, 1]", "    ROI: [2944, near, 1]", "below must be a number"),
        ("    ROI: [2944, 1.0e-14, 1]", "    ROI: [2944, -1, 1]", "below must be a number"),
        ("    ROI: [2944, 1.0e-14, 1]", "    ROI: [many, 1.0e-14, 1]", "compared must be"),
        ("  golden_searches:\n    fitness", "  searches:\n    fitness", "unknown field searches"),
    ],
)
def test_a_fault_names_the_file_and_its_line(edited, old, new, fault):
    with pytest.raises(RegistryError) as refused:
        edited(old, new)

    told = [text for text in refused.value.faults if fault in text]
    assert told, refused.value.faults
    assert re.match(r"recorded_figures\.yaml:\d+: ", told[0])


def test_every_fault_is_told_at_once(tmp_path):
    path = tmp_path / "recorded_figures.yaml"
    path.write_text("tolerance: 2\nfiles: 1\nunreproducible: no\n", "utf-8")
    with pytest.raises(RegistryError) as refused:
        load_recorded_figures(path)
    assert len(refused.value.faults) >= 6


def test_a_file_that_is_not_there_is_a_fault(tmp_path):
    with pytest.raises(RegistryError, match="cannot be read"):
        load_recorded_figures(tmp_path / "none.yaml")
