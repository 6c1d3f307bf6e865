"""Every rolling correlation of C6 against numpy, window by window."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from mr_platform.features.c6_pairs import (
    ANCHORS,
    COMPONENT_PAIRS,
    TREND,
    correlations,
    pairs,
    pairs_needed,
)
from mr_platform.features.c6_series import c6_series
from mr_platform.gateways.frame_engine import CpuEngine
from mr_platform.registry.loader import load_registry
from mr_platform_tests.features.c6_panels import MINUTES, made_inputs

SERIES = c6_series(made_inputs())
PAIRS = correlations(SERIES, CpuEngine())
FIRST, SECOND = slice(0, MINUTES), slice(MINUTES, 2 * MINUTES)


def window_values(name: str, group: slice) -> np.ndarray:
    return SERIES[name].cast(pl.Float64).to_numpy()[group].astype(float)


@pytest.mark.parametrize("windows", sorted({pair.windows for pair in pairs().values()}))
@pytest.mark.parametrize("group", [FIRST, SECOND], ids=["near", "mid"])
def test_each_pair_is_what_numpy_finds_in_its_window(windows: tuple[int, ...], group: slice):
    for head, pair in pairs().items():
        if pair.windows != windows:
            continue
        x, y = window_values(pair.x, group), window_values(pair.y, group)
        for w in windows:
            rho = PAIRS[f"{head}_{w}m"].to_list()[group]
            for row in (*range(0, 130, 3), *range(130, MINUTES, 11)):
                a, b = x[max(row - w + 1, 0) : row + 1], y[max(row - w + 1, 0) : row + 1]
                both = ~(np.isnan(a) | np.isnan(b))
                if both.sum() < pairs_needed(w) or np.ptp(a[both]) == 0 or np.ptp(b[both]) == 0:
                    assert rho[row] is None, (head, w, row)
                    continue
                expected = np.corrcoef(a[both], b[both])[0, 1]
                assert rho[row] == pytest.approx(expected, abs=1e-10), (head, w, row)
                if w in pair.slopes:
                    steepness = PAIRS[f"slope_{head}_{w}m"].to_list()[group][row]
                    assert steepness == pytest.approx(np.polyfit(a[both], b[both], 1)[0], rel=1e-8)


def test_nothing_is_kept_that_no_pair_asks_for():
    rhos = [f"{head}_{w}m" for head, pair in pairs().items() for w in pair.windows]
    slopes = [f"slope_{head}_{w}m" for head, pair in pairs().items() for w in pair.slopes]
    assert sorted(PAIRS.columns) == sorted(rhos + slopes)


def test_the_heads_are_declared_features():
    declared = {column.name for column in load_registry().components["c6"].columns}
    made = {name for name in PAIRS.columns if name.startswith("c6_")}
    assert made < declared
    assert len(made) == 12 + 18 + 48 + 22 + 18
    assert len(COMPONENT_PAIRS) == 10
    assert len(ANCHORS) == 6
    assert f"slope_{TREND}_15m" in PAIRS.columns


def test_a_window_needs_two_thirds_of_its_minutes():
    assert [pairs_needed(w) for w in (5, 15, 30, 60, 120)] == [4, 10, 20, 40, 80]


def test_lead_sets_the_own_return_of_the_minute_before_against_the_partner():
    own, other = window_values("r_und", FIRST), window_values("partner_r_und", FIRST)
    a, b = own[139:199], other[140:200]
    both = ~(np.isnan(a) | np.isnan(b))
    lead = PAIRS["c6_xsym_lead_corr_60m"][199]
    assert lead == pytest.approx(np.corrcoef(a[both], b[both])[0, 1], abs=1e-12)
    a, b = own[140:200], other[139:199]
    both = ~(np.isnan(a) | np.isnan(b))
    lag = PAIRS["c6_xsym_lag_corr_60m"][199]
    assert lag == pytest.approx(np.corrcoef(a[both], b[both])[0, 1], abs=1e-12)
