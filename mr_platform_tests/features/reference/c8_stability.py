"""C8: persistence, flips, completeness, confidence and the hint of a transition.

Here: stability_columns. Not here: votes, agreement, expiries, synergy (c8_votes.py, c8.py).
"""

from __future__ import annotations

import datetime as dt
import math

from mr_platform_tests.features.reference.c8_votes import REGISTRY, stored
from mr_platform_tests.features.reference.day import MINUTES, Day, Result
from mr_platform_tests.features.reference.plain import (
    clip,
    lag,
    pearson,
    sign,
    std,
    valid,
    window,
    zscore,
)

COMPONENTS = ("c1", "c2", "c3", "c4", "c5", "c6", "c7")
LEAST_Z = 30
Z_CLIP = 3.0

Columns = dict[str, list]


def stability_columns(
    day: Day, e: dt.date, columns: Columns, components: dict[str, Result]
) -> Columns:
    """The twelve columns of stability, confidence and completeness.

    Args:
        day: The day, for presence.
        e: Expiry.
        columns: Agreement columns of the expiry.
        components: Results of c1 to c7.
    """
    js = range(MINUTES)
    out: Columns = {}
    for channel in ("direction", "expansion"):
        x = columns[f"c8_consensus_{channel}"]
        changed = sign_changes(x)
        late = [lag(x, j, 5) for j in js]
        out[f"c8_persistence_{channel}"] = persistence(x)
        out[f"c8_consensus_vol_30m_{channel}"] = [std(window(x, j, 30), 1, 20) for j in js]
        out[f"c8_flips_60m_{channel}"] = [flips(window(changed, j, 60)) for j in js]
        out[f"c8_autocorr5_60m_{channel}"] = [
            pearson(window(x, j, 60), window(late, j, 60), 40) for j in js
        ]
    shares = filled_shares(day, e, components)
    out["c8_data_completeness"] = [
        math.fsum(n / total for n, total in minute) / len(minute) for minute in shares
    ]
    out["c8_weak_components"] = [
        sum(1 for n, total in minute if 5 * n < 4 * total) for minute in shares
    ]
    out["c8_integration_confidence"] = [confidence(out | columns, j) for j in js]
    out["c8_transition_probability_hint"] = transition(day, e, out | columns, components)
    return out


def persistence(x: list) -> list:
    """Minutes since the sign last changed; 0 at the change and at the first value."""
    out, last, since = [], None, 0
    for j, value in enumerate(x):
        if value is None:
            out.append(None)
            continue
        if sign(value) != last:
            last, since = sign(value), j
        out.append(j - since)
    return out


def sign_changes(x: list) -> list:
    """1 where the sign differs from that of the last value before it, null without a value."""
    out, last = [], None
    for value in x:
        if value is None:
            out.append(None)
            continue
        out.append(1 if last is not None and sign(value) != last else 0)
        last = sign(value)
    return out


def flips(changed: list) -> int | None:
    """Sign changes of a window with at least 40 values."""
    found = valid(changed)
    return sum(found) if len(found) >= 40 else None


def filled_shares(day: Day, e: dt.date, components: dict[str, Result]) -> list:
    """Per minute, for c1 to c7: number of non-null features and of declared ones."""
    tables = {
        c: [stored(day, e, components, column.name) for column in REGISTRY.components[c].columns]
        for c in COMPONENTS
    }
    return [
        [
            (sum(1 for column in table if column[j] is not None), len(table))
            for table in tables.values()
        ]
        for j in range(MINUTES)
    ]


def confidence(x: Columns, j: int) -> float | None:
    """Completeness times mean agreement times a saturating age of the signs."""
    scores = (x["c8_component_agreement_score"][j], x["c8_expansion_agreement_score"][j])
    ages = (x["c8_persistence_direction"][j], x["c8_persistence_expansion"][j])
    if None in scores or None in ages:
        return None
    settled = 1 - math.exp(-(1 + min(ages)) / 15)
    return x["c8_data_completeness"][j] * 0.5 * (scores[0] + scores[1]) * settled


def transition(day: Day, e: dt.date, x: Columns, components: dict[str, Result]) -> list:
    """The logistic index."""
    alert = stored(day, e, components, "c6_breakdown_alert")
    kind = stored(day, e, components, "c3_divergence_type")
    change = x["c8_agreement_change_15m_expansion"]
    falling = [None if y is None else -y for y in change]
    out = []
    for j in range(MINUTES):
        z = [
            clip(zscore(series[j], series[: j + 1], LEAST_Z), -Z_CLIP, Z_CLIP)
            for series in (x["c8_consensus_vol_30m_expansion"], falling)
        ]
        if None in z:
            out.append(None)
            continue
        s = 1 if kind[j] is not None and kind[j] != 0 else 0
        total = -1 + 0.6 * z[0] + 0.6 * z[1] + 0.5 * (alert[j] or 0) / 3 + 0.4 * s
        out.append(1 / (1 + math.exp(-total)))
    return out
