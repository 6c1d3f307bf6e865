"""What a person means by names and selections, and in which order it is made."""

import dagster as dg
import pytest

from mr_platform.definitions import defs
from mr_platform.errors import PlatformError
from mr_platform.orchestration.asset_selection import (
    named_assets,
    require_assets,
    stages,
)
from mr_platform.orchestration.derived_tables import derived_tables
from mr_platform.orchestration.ingestion import TABLES
from mr_platform.orchestration.partitions import PARTITIONS

EVERYTHING = {*TABLES, *(table.name for table in derived_tables())}


def in_data_order(assets: tuple[str, ...]) -> bool:
    graph = defs.resolve_asset_graph()
    seen: set[str] = set()
    for name in assets:
        parents = {key.to_user_string() for key in graph.get(dg.AssetKey(name)).parent_keys}
        if parents & set(assets) - seen:
            return False
        seen.add(name)
    return True


def test_assets_of_one_computation_are_made_together() -> None:
    assert set(require_assets(defs, ["option_chain"])) == set(TABLES)


def test_a_derived_table_is_made_alone() -> None:
    assert require_assets(defs, ["c3_features"]) == ("c3_features",)


def test_names_come_back_in_data_order_and_once() -> None:
    names = ["c8_features", "hist_c8_zone", "minute_panel", "c1_features", "c8_features"]
    assert require_assets(defs, names) == (
        "minute_panel",
        "c1_features",
        "hist_c8_zone",
        "c8_features",
    )


def test_a_group_is_all_of_its_assets() -> None:
    found = require_assets(defs, ["group:features"])
    assert set(found) == {table.name for table in derived_tables() if table.group == "features"}
    assert in_data_order(found)


def test_a_plus_before_a_name_takes_all_that_it_reads() -> None:
    found = require_assets(defs, ["+c8_features"])
    assert set(found) == EVERYTHING
    assert in_data_order(found)
    # the audit is nothing that history reads, but the chain is not made without it
    assert set(require_assets(defs, ["+hist_c3_close"])) == {"hist_c3_close", *TABLES}


def test_a_plus_after_a_name_takes_all_that_reads_it() -> None:
    assert require_assets(defs, ["c7_features+"]) == (
        "c7_features",
        "hist_c8_zone",
        "c8_features",
    )


def test_a_selection_and_a_name_are_taken_together() -> None:
    found = require_assets(defs, ["group:panel", "c2_features"])
    assert found == ("minute_panel", "c2_features")


def test_what_is_named_to_be_shown_brings_nothing_along() -> None:
    assert named_assets(defs, ["option_chain"]) == ("option_chain",)
    assert named_assets(defs, ["c2_features", "group:panel"]) == ("minute_panel", "c2_features")


def test_an_unknown_asset_names_the_near_one() -> None:
    with pytest.raises(PlatformError, match=r"c3_feature: no such asset\. Near: c3_features"):
        require_assets(defs, ["c3_feature"])


def test_a_name_near_to_nothing_lists_the_assets() -> None:
    with pytest.raises(PlatformError, match=r"zzz: no such asset\. Assets: .*option_chain"):
        require_assets(defs, ["zzz"])


@pytest.mark.parametrize(
    "text",
    ["+c8_featurs", "c8_featurs+", "+c8_featurs+", "*c8_featurs", "key:c8_featurs", '"c8_featurs"'],
)
def test_an_unknown_asset_in_a_selection_names_the_near_one(text: str) -> None:
    with pytest.raises(PlatformError) as told:
        require_assets(defs, [text])
    assert told.value.place == text
    assert told.value.fault == "there is no asset c8_featurs"
    assert str(told.value.next_step).startswith("Near: c8_features, ")
    assert "`mr status` lists all" in str(told.value.next_step)


def test_an_unknown_asset_in_a_selection_near_to_nothing_lists_the_assets() -> None:
    with pytest.raises(
        PlatformError, match=r"\+zzz: there is no asset zzz\. Assets: .*c8_features"
    ):
        require_assets(defs, ["+zzz"])


def test_a_group_misspelt_names_the_near_one() -> None:
    with pytest.raises(PlatformError, match=r"selects no asset\. Near: group:features\. Groups: "):
        require_assets(defs, ["group:featurs"])


def test_an_empty_selection_names_the_groups() -> None:
    with pytest.raises(PlatformError, match=r"selects no asset\. Groups: .*features.*raw"):
        require_assets(defs, ["group:nonsense"])


@pytest.mark.parametrize("text", ["group:(", "kind:x and", '"'])
def test_what_is_no_selection_is_told_in_one_line(text: str) -> None:
    with pytest.raises(PlatformError, match="cannot be read as a selection") as told:
        require_assets(defs, [text])
    assert "\n" not in str(told.value)
    assert "Invalid selection string" not in str(told.value), "Dagster's words"


def test_raw_then_panel_and_history_then_components() -> None:
    cut = stages(require_assets(defs, ["+c8_features"]))
    assert [set(stage) for stage in cut] == [
        set(TABLES),
        {"minute_panel", *(t.name for t in derived_tables() if t.group == "history")}
        - {"hist_c8_zone"},
        {"hist_c8_zone", *(t.name for t in derived_tables() if t.group == "features")},
    ]
    assert all(in_data_order(stage) for stage in cut)


def test_no_stage_reads_another_symbol_or_an_earlier_day_of_a_later_stage() -> None:
    cut = stages(require_assets(defs, ["+c8_features"]))
    stage_of = {name: number for number, stage in enumerate(cut) for name in stage}
    for table in derived_tables():
        for reading in table.readings:
            if reading.both_symbols:
                assert stage_of[reading.table] < stage_of[table.name]
            assert stage_of[reading.table] <= stage_of[table.name]


def test_empty_stages_are_left_out() -> None:
    assert stages(("c1_features",)) == [("c1_features",)]
    assert stages(()) == []


def test_assets_of_other_definitions_are_a_stage_of_their_own() -> None:
    @dg.multi_asset(
        specs=[dg.AssetSpec(name) for name in ("account", "chain")], partitions_def=PARTITIONS
    )
    def ingest(): ...

    definitions = dg.Definitions(assets=[ingest])
    found = require_assets(definitions, ["chain"])
    assert found == ("account", "chain")
    assert stages(found) == [("account", "chain")]
    with pytest.raises(PlatformError, match=r"chan: no such asset\. Near: chain"):
        require_assets(definitions, ["chan"])
