"""Reference of component 6: correlations, previous day and predictive straddle.

Here: the order in which the families of an expiry are built.
Not here: their formulas (c6_pairs, c6_partner, c6_day, c6_straddle, c6_momentum).
"""

from __future__ import annotations

from mr_platform_tests.features.reference.c6_day import (
    fill_columns,
    gap_columns,
    opening_columns,
    previous_columns,
)
from mr_platform_tests.features.reference.c6_momentum import (
    consensus_columns,
    macd_columns,
    rsi_columns,
    straddle_series,
    underlying_series,
)
from mr_platform_tests.features.reference.c6_pairs import (
    anchor_columns,
    core_columns,
    matrix_columns,
    pair_columns,
    score_columns,
)
from mr_platform_tests.features.reference.c6_partner import partner_columns, partner_series
from mr_platform_tests.features.reference.c6_series import Columns, Series6, Sight
from mr_platform_tests.features.reference.c6_straddle import (
    decay_columns,
    model_columns,
    trend_columns,
    variance_columns,
)
from mr_platform_tests.features.reference.day import Day, History, Result
from mr_platform_tests.features.reference.streams import read_past


def c6(day: Day, history: History, partner: Day | None, components: dict[str, Result]) -> Result:
    """Every column of component 6, per expiry and minute.

    Args:
        day: The target day.
        history: Earlier trading days.
        partner: The other symbol's day; None where it is absent.
        components: Values of c1 to c5, column to expiry to 375 values.
    """
    past = read_past(day, history)
    others = {} if partner is None else {e: Series6(partner, e) for e in partner.expiries}
    found: dict = {}
    und: Columns | None = None
    for expiry in day.expiries:
        sight = Sight(day, history, past, components, Series6(day, expiry))
        pair_columns(sight)
        score_columns(sight)
        matrix_columns(sight)
        partner_columns(sight, partner_series(day, expiry, partner, others))
        anchor_columns(sight)
        gap_columns(sight)
        fill_columns(sight)
        opening_columns(sight)
        previous_columns(sight)
        decay_columns(sight)
        model_columns(sight)
        trend_columns(sight)
        variance_columns(sight)
        core_columns(sight)
        if und is None:
            und = underlying_series(sight, past)
        strd = straddle_series(sight, past)
        rsi_columns(sight, und, strd)
        macd_columns(sight, und, strd)
        consensus_columns(sight, und)
        found[expiry] = sight.columns
    names = found[day.expiries[0]]
    return {name: {e: found[e][name] for e in day.expiries} for name in names}
