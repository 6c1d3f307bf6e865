"""How long something has been as it is.

Here: minutes since a value last changed.
Not here: runs that a gap ends (``windows.run_length``), ages of price levels (C7).
"""

from __future__ import annotations

import polars as pl

from mr_platform.features.column_plan import ColumnPlan
from mr_platform.features.kernels.windows import forward_filled, lag, minutes_since


def minutes_unchanged(p: ColumnPlan, value: str | pl.Expr) -> pl.Expr:
    """Rows since the value last differed from its last valid one; a column.

    0 at the change and at the group's first valid row; rows without a value count as minutes but
    change nothing, and are null themselves.

    Args:
        p: The plan; its group is the session or the stream.
        value: A code: numbers that are equal or are not.
    """
    column = p.let(value)
    before = p.let(lag(p, forward_filled(p, column), 1))
    changed = p.let(column.is_not_null() & column.ne_missing(before))
    return p.let(pl.when(column.is_not_null()).then(minutes_since(p, changed)))
