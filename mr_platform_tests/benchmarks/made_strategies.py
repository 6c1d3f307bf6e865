"""Made strategies as alike as the real ones, in any number, and files of them.

Of the pairs of the real 2,500 strategies 1.04 in a hundred are above 0.7 in size, the mean is 0.14,
that of sizes 0.20; of made ones 1.01, 0.13 and 0.20 (``test_book_memory`` holds them to it). The
number of groups does not grow with the strategies, so that the share does not shrink.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np

from mr_platform.trading_calendar import trading_days

ROWS = 82
GROUPS = 40
"""Groups of strategies that stand for the entry times of the real ones."""

_FACTORS = 24
_FADING = 0.9


def made_returns(strategies: int, rows: int = ROWS) -> np.ndarray:
    """Rows x strategies, rupees: a common movement, shared ones by group, and noise of its own."""
    rng = np.random.default_rng(1)
    scale = _FADING ** np.arange(_FACTORS)
    shared = rng.normal(size=(rows, _FACTORS)) * scale / np.linalg.norm(scale)
    centres = rng.normal(size=(_FACTORS, GROUPS))
    centres[0] += 0.4
    day = rng.normal(size=(rows, 1))
    group = rng.integers(0, GROUPS, strategies)
    weights = centres[:, group] + 0.35 * rng.normal(size=(_FACTORS, strategies))
    noise = rng.uniform(0.3, 1.15, strategies) * rng.normal(size=(rows, strategies))
    return 400 * (shared @ weights + 0.4 * day + noise)


def write_made_sheet(path: Path, strategies: int, rows: int = ROWS) -> None:
    """A file of made strategies in the legacy layout, row by row."""
    names = (f"SENSEX 930-1030 SL{place}%" for place in range(strategies))
    days = trading_days(dt.date(2024, 1, 1), dt.date(2025, 12, 31))[:rows]
    with path.open("w", encoding="utf-8") as file:
        file.write(",".join(["Date", "Day", *names]) + "\n")
        for day, amounts in zip(days, made_returns(strategies, rows), strict=True):
            told = ",".join(f"{amount:.2f}" for amount in amounts.tolist())
            file.write(f"{day},{day:%A},{told}\n")
