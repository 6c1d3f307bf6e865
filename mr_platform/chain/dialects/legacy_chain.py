"""The legacy HeavyDB export: 48 or 49 columns, call and put side by side, one row a strike."""

from __future__ import annotations

from mr_platform.chain.dialects.dialect import Dialect, Field

_LEG = (
    ("symbol", "text"),
    ("open", "number"),
    ("high", "number"),
    ("low", "number"),
    ("close", "number"),
    ("volume", "number"),
    ("oi", "number"),
    ("coi", "number"),
    ("iv", "number"),
    ("delta", "number"),
    ("gamma", "number"),
    ("theta", "number"),
    ("vega", "number"),
    ("rho", "number"),
)

_DATE = ("%Y-%m-%d",)
# HeavyDB writes HH:MM:SS; Polars and pandas exports of a time column add fractions
_TIME = ("%H:%M:%S", "%H:%M:%S%.f", "%H:%M")


def _legs(side: str) -> list[Field]:
    return [Field(f"{side}_{name}", f"{side}_{name}", kind) for name, kind in _LEG]  # type: ignore[arg-type]


LEGACY_CHAIN = Dialect(
    name="legacy_chain",
    title="legacy HeavyDB option-chain export",
    fields=(
        Field("trade_date", "date", "date", _DATE),
        Field("trade_time", "time", "time", _TIME),
        Field("expiry_date", "expiry_date", "date", _DATE),
        Field("index_name", "symbol", "text"),
        Field("spot", "spot", "number"),
        Field("atm_strike", "atm_strike", "number"),
        Field("strike", "strike", "number"),
        Field("dte", "dte", "number"),
        Field("expiry_bucket", "expiry_bucket", "text"),
        Field("zone_id", "zone_id", "number"),
        Field("zone_name", "zone_name", "text"),
        Field("call_strike_type", "call_strike_type", "text"),
        Field("put_strike_type", "put_strike_type", "text"),
        *_legs("ce"),
        *_legs("pe"),
        *[
            Field(f"future_{name}", f"future_{name}", "number")
            for name in ("open", "high", "low", "close", "volume", "oi", "coi")
        ],
    ),
    legs="wide",
    priority=1,
    # the reference's 49th column; its meaning changed when weeklies ended (base_series.md)
    ignored=("dte_bucket",),
    zero_is_missing=(
        *[f"{side}_{name}" for side in ("ce", "pe") for name in ("open", "high", "low", "close")],
        "ce_iv",
        "pe_iv",
    ),
    # exports of one-minute bars and of snapshots share this header: each file is asked
    snapshots=None,
    volume_cumulative=None,
)
"""Bars or snapshots in the 48-column layout of raw_schema.md; IV in percent or decimal."""
