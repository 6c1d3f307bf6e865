"""Where lazy frames are worked out: on the CPU or on an NVIDIA GPU.

Here: one small protocol and the engines behind it.
Not here: any formula; which operations a feature may use (``features/``).
"""

from __future__ import annotations

from typing import Protocol

import polars as pl

# As written: feature plans name each intermediate column themselves, so there is nothing to find,
# and one pass is wrong for them: it takes away the sort before a group_by whose groups follow
# from a column that is declared sorted.
_AS_WRITTEN = pl.QueryOptFlags.none()


class FrameEngine(Protocol):
    """Works out lazy frames."""

    @property
    def name(self) -> str:
        """``cpu`` or ``gpu``."""
        ...

    def collect(self, frame: pl.LazyFrame) -> pl.DataFrame:
        """The frame's rows, in the frame's order."""
        ...


class CpuEngine:
    """Polars on the CPU, all its threads."""

    name = "cpu"

    def collect(self, frame: pl.LazyFrame) -> pl.DataFrame:
        """The frame's rows, worked out in the order in which it was written."""
        return frame.collect(optimizations=_AS_WRITTEN)
