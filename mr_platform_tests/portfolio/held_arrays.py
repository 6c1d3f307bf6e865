"""Arrays that stand for those of a device: NumPy cannot touch them unasked.

An operation that mixes them with NumPy's own arrays fails, as do NumPy's functions on them and
methods of ufuncs; only the functions that the module below hands out work, under names that CuPy
has. What passes here can still differ on a device, where ``mr_platform_tests/gpu`` compares.
"""

from __future__ import annotations

from typing import Any

import numpy as np

CUPY_NAMES = frozenset(
    {
        "abs", "add", "arange", "asarray", "ascontiguousarray", "bincount", "empty_like", "float64",
        "matmul", "maximum", "partition", "stack", "subtract", "sum", "trunc", "where",
        "zeros_like",
    }
)  # fmt: skip
"""Functions and types of CuPy 14.2 that the modules under test may use."""


class Held(np.ndarray):
    """An array of the device."""

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        if method != "__call__":
            raise TypeError(f"{ufunc.__name__}.{method} is not there on a device")
        outputs = options.pop("out", ())
        _refuse_mixed((*inputs, *outputs))
        if outputs:
            options["out"] = tuple(map(plain, outputs))
        found = getattr(ufunc, method)(*map(plain, inputs), **options)
        return outputs[0] if outputs else held(found)

    def __array_function__(self, function: Any, *_: Any) -> Any:
        raise TypeError(f"numpy.{function.__name__} cannot work on an array of a device")

    def __getitem__(self, key: Any) -> Any:
        _refuse_mixed(key if isinstance(key, tuple) else (key,))
        places = tuple(map(plain, key)) if isinstance(key, tuple) else plain(key)
        return held(plain(self)[places])

    def __iter__(self) -> Any:
        return (held(row) for row in plain(self))

    def sum(self) -> Any:
        return held(plain(self).sum())

    def max(self) -> Any:
        return held(plain(self).max())

    def min(self) -> Any:
        return held(plain(self).min())

    def nonzero(self) -> Any:
        return tuple(map(held, plain(self).nonzero()))


class HeldModule:
    """NumPy's functions over held arrays, under CuPy's names alone."""

    def __getattr__(self, name: str) -> Any:
        if name not in CUPY_NAMES:
            raise AttributeError(f"CuPy is not known to have {name}")
        function = getattr(np, name)
        if isinstance(function, type):
            return function

        def call(*inputs: Any, **options: Any) -> Any:
            if name != "asarray":
                _refuse_mixed(inputs)
            into = options.get("out")
            if into is not None:
                options["out"] = plain(into)
            given = [
                [plain(each) for each in one] if isinstance(one, list) else plain(one)
                for one in inputs
            ]
            found = function(*given, **options)
            return (
                into if into is not None else held(np.array(found) if name == "asarray" else found)
            )

        return call


class HeldArrays:
    """Held arrays as an engine hands them out."""

    name = "held"

    def __init__(self, most_bytes: int = 1 << 22) -> None:
        self.xp: Any = HeldModule()
        self.most_bytes = most_bytes

    def to_host(self, array: Any, /) -> np.ndarray:
        assert isinstance(array, Held), "only arrays of the device come home"
        return np.array(plain(array))


def plain(value: Any) -> Any:
    """The same values as an array of NumPy."""
    return value.view(np.ndarray) if isinstance(value, Held) else value


def held(value: Any) -> Any:
    """The same values as an array of the device."""
    return np.asarray(value).view(Held)


def _refuse_mixed(values: Any) -> None:
    for value in values:
        if isinstance(value, np.ndarray) and not isinstance(value, Held):
            raise TypeError("an array of NumPy cannot meet one of a device")
