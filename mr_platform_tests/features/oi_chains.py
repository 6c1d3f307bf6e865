"""Chains for the tests of open interest: one minute by hand, and random days with every fault."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from mr_platform.features.chain_grid import ChainGrid, lay_out
from mr_platform.features.oi_series import oi_series
from mr_platform.features.price_series import price_series
from mr_platform.gateways.frame_engine import CpuEngine
from mr_platform_tests.features.chain_days import hand_chain

ENGINE = CpuEngine()
CENTRE = 24_500.0
STEP = 50.0
RANKS = range(-7, 8)
DAY = dt.date(2025, 8, 29)
EXPIRY = dt.date(2025, 9, 2)

_SCALES = {
    "ce_oi": (75_000, 400), "pe_oi": (75_000, 400), "ce_volume": (75, 60), "pe_volume": (75, 60),
}  # fmt: skip


def minute(
    j: int, values: Mapping[str, Sequence[object]], *, centre: float = CENTRE, **same: object
) -> list[dict[str, object]]:
    """Rows of one minute, ranks -7 to 7, with 15 values a column and others equal in all rows."""
    rows = [{"j": j, "k": k, "strike": centre + STEP * k, **same} for k in RANKS]
    for name, column in values.items():
        for row, value in zip(rows, column, strict=True):
            row[name] = value
    return rows


def ranked(others: object = 0, **at: object) -> list[object]:
    """15 values by rank: ``m3`` is rank -3, ``p2`` rank 2, ``z`` rank 0."""
    values = [others] * 15
    for name, value in at.items():
        rank = 0 if name == "z" else int(name[1:]) * (-1 if name[0] == "m" else 1)
        values[rank + 7] = value
    return values


def grid(rows: list[dict[str, object]], **day: object) -> ChainGrid:
    return lay_out(hand_chain(rows, **day), ENGINE)  # type: ignore[arg-type]


def random_day(
    seed: int,
    *,
    minutes: int = 100,
    symbol: str = "NIFTY",
    day: dt.date = DAY,
    expiries: Sequence[dt.date] = (EXPIRY, dt.date(2025, 9, 9)),
    futures: bool = True,
    open_interest: bool = True,
    missing: Sequence[int] = (),
) -> pl.DataFrame:
    """A made-up day: the money wanders, values are missing here and there, far strikes too."""
    draw = np.random.default_rng(seed)
    spot = CENTRE + np.cumsum(draw.normal(0, 12, minutes)).round(2)
    rows: list[dict[str, object]] = []
    for expiry in expiries:
        strikes = CENTRE + STEP * np.arange(-16, 17)
        oi = {leg: draw.integers(5, 400, len(strikes)) * 7500 for leg in ("ce", "pe")}
        for j in range(minutes):
            kept = draw.random(len(strikes)) > 0.03
            for leg in oi:
                oi[leg] = np.maximum(oi[leg] + draw.integers(-9, 12, len(strikes)) * 75, 0)
            if j in missing:
                continue
            centre = round(spot[j] / STEP) * STEP
            future = {
                "future_close": spot[j] + 40.0, "future_high": spot[j] + 42.0 + j % 5,
                "future_low": spot[j] + 37.0 - j % 3, "future_volume": int(75 * (50 + j % 17)),
                "future_oi": 9_000_000 + 150 * int(draw.integers(-80, 90)),
            } if futures else {}  # fmt: skip
            for at, strike in enumerate(strikes):
                if not kept[at]:
                    continue
                row: dict[str, object] = {
                    "j": j, "k": round((strike - centre) / STEP), "strike": strike,
                    "spot": spot[j], "atm_strike": centre, "expiry_date": expiry, **future,
                }  # fmt: skip
                for leg, sign in (("ce", 1.0), ("pe", -1.0)):
                    premium = 150.0 + max(0.0, sign * (spot[j] - strike)) + draw.normal(0, 2)
                    values = {
                        "close": round(premium, 2), "volume": int(draw.integers(0, 60)) * 75,
                        "oi": int(oi[leg][at]) if open_interest else None,
                    }  # fmt: skip
                    for name, value in values.items():
                        row[f"{leg}_{name}"] = None if draw.random() < 0.02 else value
                rows.append(row)
    return hand_chain(rows, symbol=symbol, day=day, expiry=expiries[0])


def panel_of(chain: pl.DataFrame, previous_close: pl.DataFrame | None = None) -> pl.DataFrame:
    """Prices and open interest of a chain, the part of the panel that C3 reads."""
    laid = lay_out(chain, ENGINE)
    base = price_series(laid)
    section = oi_series(laid, previous_close)
    return base.join(section, on="cell", how="left", maintain_order="left")
