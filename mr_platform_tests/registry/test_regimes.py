"""The declaration of market regimes: what it says, and every fault with its line."""

from __future__ import annotations

import csv
import re

import pytest

from mr_platform.errors import RegistryError
from mr_platform.registry.loader import load_registry
from mr_platform.registry.regimes import BAR_FIELDS, REGIMES, load_regimes


@pytest.fixture
def edited(tmp_path):
    """Reads the declaration with one text replaced."""

    def read(old: str, new: str):
        text = REGIMES.read_text("utf-8")
        assert old in text
        path = tmp_path / "regimes.yaml"
        path.write_text(text.replace(old, new, 1), "utf-8")
        return load_regimes(path)

    return read


def test_limits_and_multipliers_are_those_of_the_source():
    regimes = load_regimes()

    assert regimes.minimum_confidence == 0.70
    assert (regimes.transition_threshold, regimes.transition_factor) == (0.5, 0.5)
    multipliers = {name: family.multiplier for name, family in regimes.families.items()}
    assert multipliers == {"bull": 1.2, "bear": 0.8, "volatile": 0.6, "neutral": 1.0}
    assert set(regimes.bars.columns.values()) == set(BAR_FIELDS)
    assert (regimes.bars.confidence_unit, regimes.bars.threshold_unit) == ("fraction", "fraction")


def test_twelve_labels_each_with_a_family_and_a_reason():
    regimes = load_regimes()

    assert len(regimes.labels) == 12
    assert {label.family for label in regimes.labels.values()} == set(regimes.families)
    assert regimes.multiplier("Bullish_Grind") == 1.2
    assert regimes.multiplier("Bearish_Linear_Decay") == 0.8
    assert regimes.multiplier("Bullish_Vol_Expansion") == 0.6
    assert regimes.multiplier("Vol_Crush") == 1.0


def test_unknown_labels_are_refused_unless_a_family_is_declared(edited):
    assert load_regimes().multiplier("Bullish") is None
    assert load_regimes().multiplier(None) is None

    lenient = edited("unknown_label: refuse", "unknown_label: neutral")
    assert lenient.multiplier("Bullish") == 1.0
    assert lenient.multiplier(None) == 1.0


@pytest.mark.real_data
def test_every_label_of_the_sources_is_declared_and_no_other(real_data):
    folder = real_data / "strategies"
    found = set()
    for name, column in (
        ("market_regime_jan2023.csv", "Market Regime"),
        ("Options_Trading_Sheet2_3_Months.csv", "Market Regime"),
        ("Options_Trading_Sheet1_2023.csv", "market_regime"),
    ):
        with (folder / name).open(encoding="utf-8", newline="") as source:
            found |= {row[column] for row in csv.DictReader(source)}

    assert found == set(load_regimes().labels)


def test_the_package_declaration_is_read_once_and_a_file_afresh():
    assert load_regimes() is load_regimes()
    assert load_regimes(REGIMES) == load_regimes()
    assert load_regimes(REGIMES) is not load_regimes()


def test_the_feature_registry_does_not_take_the_file_for_its_own():
    assert load_registry().components


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("minimum: 0.70", "minimum: 70", "minimum must be a number from 0 to 1, was 70"),
        ("minimum: 0.70", "minimum: true", "was True"),
        ("minimum: 0.70", "least: 0.70", "the field minimum is missing"),
        ("factor: 0.5", "factor: -0.5", "was -0.5"),
        ("threshold: 0.5", "threshold: .nan", "was nan"),
        ("multiplier: 1.2", "multiplier: 12", "from 0 to 10, was 12"),
        ("multiplier: 1.2", "multiplier: many", "was 'many'"),
        ("family: bull\n", "family: bulls\n", "unknown family 'bulls'. Near: bull"),
        ("    reason: a slow rise\n", "", "the field reason is missing"),
        ("  Bullish_Linear_Decay:", "  Bullish_Grind:", "the key Bullish_Grind is declared twice"),
        ("unknown_label: refuse", "unknown_label: ignore", "unknown family 'ignore'"),
        ("unknown_label: refuse", "unknown_labels: refuse", "unknown field unknown_labels. Near"),
        ("    Time: time\n", "", "0 columns mean time, not 1"),
        ("Time: time", "Time: date", "2 columns mean date, not 1"),
        ("Time: time", "Time: tim", "unknown bar field 'tim'. Near: time"),
        ("confidence_unit: fraction", "confidence_unit: guess", "unknown confidence_unit 'guess'"),
        ("  threshold_unit: fraction\n", "", "the field threshold_unit is missing"),
        ("minutes: 5", "minutes: 0", "minutes must be at least 1"),
        ("known_after: 0", "known_after: -5", "known_after must be an integer of at least 0"),
        ('delimiter: ","', 'delimiter: ";;"', "delimiter must be one ASCII character"),
        ("confidence:\n", "confidence: [\n", "not readable as YAML"),
    ],
)
def test_a_fault_names_the_file_and_its_line(edited, old, new, fault):
    with pytest.raises(RegistryError) as refused:
        edited(old, new)

    told = [text for text in refused.value.faults if fault in text]
    assert told, refused.value.faults
    assert re.match(r"regimes\.yaml:\d+: ", told[0])


def test_every_fault_is_told_at_once(tmp_path):
    path = tmp_path / "regimes.yaml"
    path.write_text("confidence: 1\nfamilies: {}\nlabels: []\nbars: no\n", "utf-8")

    with pytest.raises(RegistryError) as refused:
        load_regimes(path)

    assert len(refused.value.faults) >= 8
    assert any("families names nothing" in fault for fault in refused.value.faults)
