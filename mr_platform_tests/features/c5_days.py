"""The made days on which C5 is checked, and how its tests read them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import polars as pl

from mr_platform.features.c5_atr_ema_cpr import c5_features
from mr_platform.features.streams import streams
from mr_platform_tests.features.stream_panels import (
    FAR,
    NEAR,
    daily_rows,
    made_inputs,
    made_panel,
    trading_dates,
)

MIDDLE = dt.date(2025, 9, 16)
DATES = trading_dates(26)
PANEL = made_panel(DATES, expiries=(NEAR, MIDDLE, FAR))
INPUTS = made_inputs(PANEL)
FEATURES = c5_features(INPUTS)


def of_expiry(expiry: dt.date = NEAR) -> pl.DataFrame:
    """Panel, features and the streams they are made of, of one expiry of the target day."""
    names = [f"{what}_{asset}" for asset in ("strd", "und") for what in (
        "a14", "atrp_14", "atrp_50", "ema_20", "ema_50", "ema_100", "ema_200")]  # fmt: skip
    frame = INPUTS.panel.hstack(FEATURES.get_columns()).hstack(streams(INPUTS, names).get_columns())
    return frame.filter(pl.col("expiry_date") == expiry)


ROWS = of_expiry()


def by_loop(rule: Callable[[int], Any]) -> list[Any]:
    return [rule(i) for i in range(375)]


def values(name: str) -> list[Any]:
    return ROWS[name].to_list()


def day(back: int) -> dt.date:
    return DATES[-1 - back]


def daily(asset: str) -> dict[tuple[dt.date, dt.date], tuple[float, float, float, str]]:
    """High, low, close and bucket by date and expiry."""
    rows = daily_rows(PANEL)
    return {
        (row["date"], row["expiry_date"]): (
            row[f"{asset}_high"], row[f"{asset}_low"], row[f"{asset}_close"], row["dte_bucket"],
        )
        for row in rows.iter_rows(named=True)
    }  # fmt: skip


def pivot_lines(high: float, low: float, close: float) -> tuple[float, float, float]:
    middle, pivot = (high + low) / 2, (high + low + close) / 3
    return pivot, middle, 2 * pivot - middle
