from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from mr_platform.pictures.null_map import INPUT_SERIES, INPUTS, NullRow, null_map
from mr_platform.registry.loader import load_registry
from mr_platform_tests.pictures import picture_days as days

REGISTRY = load_registry()


def rows(**changes: object) -> dict[tuple[str, str], NullRow]:
    grouping = changes.pop("grouping", "family")
    found = null_map(days.symbol_day(**changes), REGISTRY, grouping)  # type: ignore[arg-type]
    return {(row.component, row.name): row for row in found}


def test_shares_count_the_null_columns_of_a_family_at_each_minute() -> None:
    # four columns: one null for 10 minutes, another for 30
    late = {"c1_premium_pct_atm": 10, "c1_premium_pct_ce": 30}
    frame = days.features("c1", gap=(200,), nulls=late)
    found = rows(components={"c1": frame})["c1", "premium_pct"]
    assert found.columns == 4
    assert found.shares[:10].tolist() == [0.5] * 10
    assert found.shares[10:30].tolist() == [0.25] * 20
    assert found.first_full_minute == 30
    assert np.flatnonzero(np.isnan(found.shares)).tolist() == [200]
    assert found.day_share == pytest.approx((10 * 0.5 + 20 * 0.25) / 374)


def test_a_component_is_the_mean_over_its_columns() -> None:
    frame = days.features("c1", nulls={"c1_premium_pct_atm": 1})
    found = rows(components={"c1": frame}, grouping="component")["c1", "triple_straddle"]
    assert found.columns == 150
    assert found.shares[0] == pytest.approx(1 / 150)
    assert found.shares[1] == 0


@pytest.mark.parametrize("grouping", ["component", "block", "family"])
def test_every_grouping_counts_every_feature_once(grouping: str) -> None:
    found = rows(grouping=grouping).values()
    assert sum(row.columns for row in found if row.component != INPUTS) == 932


def test_a_missing_table_has_rows_without_shares() -> None:
    found = rows()["c2", "net_chg_open"]
    assert np.isnan(found.shares).all()
    assert found.day_share is None
    assert found.first_full_minute is None


def test_a_column_that_an_older_table_lacks_is_null() -> None:
    frame = days.features("c1").drop("c1_premium_pct_atm")
    found = rows(components={"c1": frame})["c1", "premium_pct"]
    assert found.shares.tolist() == [0.25] * 375


def test_inputs_tell_a_missing_series_from_a_minute_that_is_not_quoted() -> None:
    found = rows(panel=days.panel(gap=(5,), futures=False))
    futures, spot = found[INPUTS, "futures"], found[INPUTS, "spot"]
    assert np.isnan(futures.shares[5])
    assert futures.day_share == 1.0
    assert np.isnan(spot.shares[5])
    assert spot.day_share == 0.0


def test_inputs_are_columns_of_the_panel() -> None:
    declared = {column.name for column in REGISTRY.panel}
    assert {name for names in INPUT_SERIES.values() for name in names} <= declared


def test_a_panel_of_fewer_columns_shows_the_inputs_it_has() -> None:
    small = days.panel().drop("chain_volume", "spot")
    found = rows(panel=small)
    assert (INPUTS, "volume") not in found
    assert isinstance(small, pl.DataFrame)
    assert (INPUTS, "futures") in found
