"""Window statistics of single series, by loops."""

from __future__ import annotations

import statistics
from typing import Any

import pytest

from mr_platform.features.c6_series import c6_series
from mr_platform.features.c6_windows import window_statistics
from mr_platform.gateways.frame_engine import CpuEngine
from mr_platform_tests.features.c6_panels import MINUTES, made_inputs

SERIES = c6_series(made_inputs())
SUMS = window_statistics(SERIES, CpuEngine())


def inside(name: str, row: int, w: int) -> list[float]:
    values: list[Any] = SERIES[name].to_list()[:MINUTES]
    return [value for value in values[max(row - w + 1, 0) : row + 1] if value is not None]


@pytest.mark.parametrize("name", ["theta_gap", "partner_r_und"])
@pytest.mark.parametrize(("w", "needed"), [(15, 10), (30, 20), (60, 40)])
def test_sums_need_two_thirds_of_the_window(name: str, w: int, needed: int):
    found = SUMS[f"sum_{name}_{w}"].to_list()
    for row in range(MINUTES):
        values = inside(name, row, w)
        expected = pytest.approx(sum(values), abs=1e-14) if len(values) >= needed else None
        assert found[row] == expected


@pytest.mark.parametrize("name", ["agree_partner", "agree_rsi_3", "together_rsi_5"])
def test_means_are_over_the_valid_minutes(name: str):
    found = SUMS[f"mean_{name}_30"].to_list()
    for row in range(MINUTES):
        values = inside(name, row, 30)
        expected = pytest.approx(sum(values) / len(values)) if len(values) >= 20 else None
        assert found[row] == expected


@pytest.mark.parametrize("name", ["r_strd", "r5_und", "iv_spread"])
@pytest.mark.parametrize(("w", "needed"), [(60, 40), (120, 80)])
def test_variances_have_one_degree_of_freedom_less(name: str, w: int, needed: int):
    found = SUMS[f"var_{name}_{w}"].to_list()
    for row in range(0, MINUTES, 7):
        values = inside(name, row, w)
        if len(values) < needed:
            assert found[row] is None
        else:
            assert found[row] == pytest.approx(statistics.variance(values), rel=1e-8)
