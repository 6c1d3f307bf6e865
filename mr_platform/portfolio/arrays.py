"""Where the arrays of heavy work live: in the processor's memory or on a device.

Functions that take :class:`Arrays` use only what NumPy and CuPy both have (no methods of ufuncs
but their call, no modes of ``take``), so that the same lines run on both; they are compared on a
device by ``mr_platform_tests/gpu``.

Here: what such a function needs to know of its arrays, the deepest fall of many series.
Not here: which module it is and whether a device answers (``gateways/array_engine``).
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy.typing as npt


class Arrays(Protocol):
    """An array module, the way home from it, and how much of its memory a step may take."""

    @property
    def xp(self) -> Any:
        """NumPy, or a module with its functions."""
        ...

    @property
    def most_bytes(self) -> int:
        """Bytes that the arrays of one step may take together."""
        ...

    def to_host(self, array: Any, /) -> npt.NDArray[Any]:
        """The same values as an array of NumPy."""
        ...


def deepest_fall(xp: Any, by_time: Any) -> Any:
    """Largest fall of running sums below their peak, as ``legacy_metrics.drawdown``.

    Row after row of time over all series at once: sums are added in the order of time, as on the
    processor, and neither a scan nor a running maximum of the array module is needed.

    Args:
        xp: The array module.
        by_time: Shape (T, S), T at least 1, one row of time after the other.

    Returns:
        Shape (S,), not negative; the peak starts at the first row.
    """
    equity = by_time[0].copy()
    peak, fall = equity.copy(), xp.empty_like(equity)
    deepest = xp.zeros_like(equity)
    for row in by_time[1:]:
        xp.add(equity, row, out=equity)
        xp.maximum(peak, equity, out=peak)
        xp.subtract(peak, equity, out=fall)
        xp.maximum(deepest, fall, out=deepest)
    return deepest
