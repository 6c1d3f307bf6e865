"""Streams by name, numbers that belong to a key, the first-order autoregression."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from mr_platform.simulation.random_streams import (
    autoregressive,
    keyed_normals,
    keyed_uniforms,
    stream,
)

DAY = dt.date(2025, 8, 29)


def test_a_stream_depends_on_its_seed_and_name_and_not_on_what_was_drawn_before() -> None:
    first = stream(1, "spot", "NIFTY", DAY).random(4)
    stream(1, "spot", "BANKNIFTY", DAY).random(1000)
    assert np.array_equal(stream(1, "spot", "NIFTY", DAY).random(4), first)
    for other in (stream(2, "spot", "NIFTY", DAY), stream(1, "spot", "NIFTY")):
        assert not np.array_equal(other.random(4), first)


def test_the_numbers_of_a_stream_are_fixed_for_good() -> None:
    # other numbers would make every simulated day another one
    assert stream(20250829, "spot", "NIFTY", DAY).integers(0, 1000, 4).tolist() == [
        195,
        878,
        575,
        860,
    ]


def test_a_key_keeps_its_number_whatever_stands_around_it() -> None:
    keys = np.array([24_500, 24_550, 24_600], dtype=np.int64)
    whole = keyed_uniforms(keys, 7, "oi", "CE")
    assert keyed_uniforms(keys[::-1][:1], 7, "oi", "CE")[0] == whole[2]
    assert not np.isin(keyed_uniforms(keys, 7, "oi", "PE"), whole).any()


def test_neighbouring_keys_get_uniform_and_normal_numbers() -> None:
    keys = np.arange(50_000, dtype=np.int64)
    uniforms = keyed_uniforms(keys, 3, "test")
    assert 0 < uniforms.min() < uniforms.max() < 1
    assert np.bincount((uniforms * 10).astype(int)) == pytest.approx(5_000, rel=0.06)
    assert abs(np.corrcoef(uniforms[:-1], uniforms[1:])[0, 1]) < 0.02
    normals = keyed_normals(keys, 3, "test")
    assert normals.mean() == pytest.approx(0, abs=0.02)
    assert normals.std() == pytest.approx(1, abs=0.02)
    assert np.mean(np.abs(normals) < 1) == pytest.approx(0.6827, abs=0.01)


def test_an_autoregression_starts_at_zero_and_fades_by_its_persistence() -> None:
    assert autoregressive(np.array([1.0, 0.0, 0.0, 2.0]), 0.5) == pytest.approx(
        [1.0, 0.5, 0.25, 2.125]
    )
