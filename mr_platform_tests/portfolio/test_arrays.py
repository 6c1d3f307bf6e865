from __future__ import annotations

import numpy as np
import pytest

from mr_platform.portfolio import legacy_metrics
from mr_platform.portfolio.arrays import deepest_fall
from mr_platform_tests.portfolio.held_arrays import CUPY_NAMES, HeldArrays, held, plain


@pytest.mark.parametrize("rows", [1, 2, 82])
def test_the_deepest_fall_has_the_bits_of_the_drawdown(rows: int) -> None:
    series = np.random.default_rng(rows).normal(size=(50, rows)) * 1e3
    expected = legacy_metrics.drawdown(series)
    by_time = np.ascontiguousarray(series.T)
    np.testing.assert_array_equal(deepest_fall(np, by_time), expected)
    arrays = HeldArrays()
    on_device = deepest_fall(arrays.xp, arrays.xp.asarray(by_time))
    np.testing.assert_array_equal(arrays.to_host(on_device), expected)
    np.testing.assert_array_equal(by_time, series.T)


def test_the_stand_in_refuses_what_a_device_would() -> None:
    arrays = HeldArrays()
    device, host = arrays.xp.asarray(np.arange(3.0)), np.arange(3.0)
    for wrong in (
        lambda: device + host,
        lambda: np.where(device > 1, 1, 0),
        lambda: np.maximum.accumulate(device),
        lambda: arrays.xp.add(device, host),
        lambda: device[host.astype(int)],
    ):
        with pytest.raises(TypeError):
            wrong()
    with pytest.raises(AttributeError):
        _ = arrays.xp.einsum
    assert plain(device + device).tolist() == [0, 2, 4]
    assert float(held(np.arange(3.0)).sum()) == 3
    assert all(hasattr(np, name) for name in CUPY_NAMES)
