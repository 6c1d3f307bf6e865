"""Reference of component 6: NIFTY against BANKNIFTY."""

from __future__ import annotations

from dataclasses import dataclass

from mr_platform_tests.features.reference.c6_series import (
    MINUTES,
    Expiry,
    Series6,
    Sight,
    least,
    rolling_pearson,
)
from mr_platform_tests.features.reference.day import Day
from mr_platform_tests.features.reference.plain import (
    lag,
    no_variance,
    pairs,
    sign,
    sub,
    total,
    window,
    zscore,
)
from mr_platform_tests.features.reference.streams import Series, Value

CORRELATED = {
    "spot": "r_und",
    "strd": "r_strd",
    "iv": "d_iv",
    "pcr": "d_pcr",
    "optvol": "optvol",
    "fvol": "fvol",
}


def nearest_expiry(day: Day, expiry: Expiry, partner: Day, j: int) -> Expiry | None:
    """The partner's expiry of the same minute nearest in dte, the smaller dte on a tie."""
    own = day.dte[expiry]
    there = [e for e in partner.expiries if partner.present(e, j)]
    if not there:
        return None
    return min(there, key=lambda e: (abs(partner.dte[e] - own), partner.dte[e]))


@dataclass
class Partner:
    """The other symbol's series, as a row of one expiry meets them minute by minute."""

    by_expiry: dict[Expiry, Series6]
    chosen: list[Expiry | None]

    def get(self, name: str) -> Series:
        """A series of the expiry that is nearest at each minute."""
        return [
            None if e is None else self.by_expiry[e].get(name)[j] for j, e in enumerate(self.chosen)
        ]


def partner_series(
    day: Day, expiry: Expiry, partner: Day | None, by_expiry: dict[Expiry, Series6]
) -> Partner | None:
    """The partner of an expiry; null without the other symbol."""
    if partner is None:
        return None
    return Partner(by_expiry, [nearest_expiry(day, expiry, partner, j) for j in range(MINUTES)])


def slope(own: Series, other: Series, n_min: int) -> Value:
    """cov(own, other) / var(other)."""
    y, x = pairs(own, other)
    if len(x) < n_min or no_variance(x):
        return None
    x_mean, y_mean = sum(x) / len(x), sum(y) / len(y)
    above = sum((a - x_mean) * (b - y_mean) for a, b in zip(x, y, strict=True))
    return above / sum((a - x_mean) ** 2 for a in x)


def agreement(own: Series, other: Series, n_min: int) -> Value:
    """Share of equal signs among the minutes where neither return is zero."""
    same = 0
    counted = 0
    for x, y in zip(own, other, strict=True):
        a, b = sign(x), sign(y)
        if a is None or b is None or a == 0 or b == 0:
            continue
        counted += 1
        same += 1 if a == b else 0
    return same / counted if counted >= n_min else None


def partner_columns(sight: Sight, other: Partner | None) -> None:
    """Every cross-symbol column; all null without the partner."""
    out, own = sight.columns, sight.series

    def theirs(name: str) -> Series:
        return [None] * MINUTES if other is None else other.get(name)

    for name, series in CORRELATED.items():
        for w in (30, 60, 120):
            out[f"c6_xsym_corr_{name}_{w}m"] = rolling_pearson(own.get(series), theirs(series), w)
    for name in ("spot", "strd"):
        x, y = own.get(CORRELATED[name]), theirs(CORRELATED[name])
        for w in (30, 60):
            out[f"c6_xsym_beta_{name}_{w}m"] = [
                slope(window(x, j, w), window(y, j, w), least(w)) for j in range(MINUTES)
            ]
    x, y = own.get("r_und"), theirs("r_und")
    for w in (15, 30, 60):
        values: Series = []
        for j in range(MINUTES):
            gap = sub(total(window(x, j, w), least(w)), total(window(y, j, w), least(w)))
            values.append(None if gap is None else 100 * gap)
        out[f"c6_xsym_relative_strength_{w}m"] = values
    spread = [sub(a, b) for a, b in zip(own.get("iv"), theirs("iv"), strict=True)]
    out["c6_xsym_iv_spread"] = spread
    out["c6_xsym_iv_spread_z_60m"] = [
        zscore(spread[j], window(spread, j, 60), 40) for j in range(MINUTES)
    ]
    x_before = [lag(x, j, 1) for j in range(MINUTES)]
    y_before = [lag(y, j, 1) for j in range(MINUTES)]
    out["c6_xsym_lead_corr_60m"] = rolling_pearson(x_before, y, 60)
    out["c6_xsym_lag_corr_60m"] = rolling_pearson(x, y_before, 60)
    out["c6_xsym_sign_agreement_30m"] = [
        agreement(window(x, j, 30), window(y, j, 30), least(30)) for j in range(MINUTES)
    ]
