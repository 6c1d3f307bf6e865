"""One declared family and the columns it becomes."""

from __future__ import annotations

from mr_platform.registry.families import FamilyReader
from mr_platform.registry.faults import FaultList, Source
from mr_platform.registry.marked_yaml import read_marked
from mr_platform.registry.model import FeatureColumn, Lookback

FAMILY = """\
id: ret
block: straddle
axes: {series: [atm, ce], window: [5, 15]}
names: "c1_ret_{series}_{window}m"
count: 4
dtype: FLOAT64
unit: percent
range: [-50, 50]
scope: expiry
definition: "100 * ln(P / P {window} minutes ago), next to c1_level"
lookback: {minutes: "{window}"}
min_periods: {window: {5: 3, 15: 10}}
min_periods_counts: minutes
online: [c1_ret_atm_5m]
reference: own
"""


def read(*edits: tuple[str, str]) -> tuple[tuple[FeatureColumn, ...], list[str]]:
    """Columns of the family after textual edits, and the faults without file and line."""
    text = FAMILY
    for old, new in edits:
        assert old in text
        text = text.replace(old, new, 1)
    faults = FaultList()
    source = Source("x.yaml", read_marked(text), faults)
    reader = FamilyReader(
        source,
        "c1",
        series=["atm", "ce"],
        history={"hist_minute": 3},
        blocks=["straddle", "momentum"],
        null_default="warm-up null",
    )
    columns = reader.read(source.document.data, ())
    return columns, [fault.split(": ", 1)[1] for fault in faults.texts()]


def test_a_family_expands_over_its_axes_in_declared_order() -> None:
    columns, faults = read()
    assert faults == []
    assert [column.name for column in columns] == [
        "c1_ret_atm_5m",
        "c1_ret_atm_15m",
        "c1_ret_ce_5m",
        "c1_ret_ce_15m",
    ]
    assert columns[3].axes == (("series", "ce"), ("window", 15))


def test_a_field_takes_the_value_of_its_axis() -> None:
    columns, _ = read()
    assert [column.min_periods for column in columns] == [3, 10, 3, 10]
    assert [column.lookback for column in columns[:2]] == [Lookback(5), Lookback(15)]
    assert [column.online for column in columns] == [True, False, False, False]


def test_a_field_may_vary_by_the_name_of_the_column() -> None:
    ranges = "{name: {c1_a: [0, 1], c1_b: [0, 4]}}"
    columns, faults = read(
        ("axes: {series: [atm, ce], window: [5, 15]}\n", ""),
        ('"c1_ret_{series}_{window}m"', "[c1_a, c1_b]"),
        ("count: 4", "count: 2"),
        ("range: [-50, 50]", f"range: {ranges}"),
        ("{window} minutes", "5 minutes"),
        ('minutes: "{window}"', "minutes: 5"),
        ("{window: {5: 3, 15: 10}}", "3"),
        ("[c1_ret_atm_5m]", "[c1_b]"),
    )
    assert faults == []
    assert [(column.name, column.high, column.online) for column in columns] == [
        ("c1_a", 1, False),
        ("c1_b", 4, True),
    ]


def test_the_definition_is_filled_and_names_the_axes_it_is_silent_about() -> None:
    column = read()[0][0]
    assert column.definition == ("100 * ln(P / P 5 minutes ago), next to c1_level (series = atm)")
    assert column.reads == ("c1_level",)


def test_a_family_of_its_own_null_policy_keeps_the_default_beside_it() -> None:
    assert read()[0][0].null_policy == "warm-up null"
    own = read(("reference: own", "null_policy: null at the open\nreference: own"))[0][0]
    assert own.null_policy == "null at the open; warm-up null"
    never = read(("reference: own", "null_policy: never null\nreference: own"))[0][0]
    assert never.null_policy == "never null"


def test_what_does_not_fit_is_told_all_at_once() -> None:
    _, faults = read(
        ("count: 4", "count: 5"),
        ("[atm, ce]", "[atm, cee]"),
        ("range: [-50, 50]", "range: [50, -50]"),
        ("{5: 3, 15: 10}", "{5: 3, 16: 10}"),
        ("[c1_ret_atm_5m]", "[c1_ret_atm_6m]"),
        ('minutes: "{window}"', "history: {hist_minute: 4}"),
    )
    assert faults == [
        "unknown series cee. Near: ce",
        "count is 5, but 4 names expand",
        "the range [50, -50] is upside down",
        "a look-back of 4 trading days is outside 1 to 3, the depth of hist_minute",
        "16 is no value of window. Known: 15, 5",
        "min_periods has no value for window 15",
        "the online name c1_ret_atm_6m is no column of this family. Near: c1_ret_atm_5m, "
        "c1_ret_atm_15m, c1_ret_cee_5m",
    ]
