"""C8, integration of the components' votes: reference of its 48 columns, loops over minutes.

Here: c8, agreement, comparison with the other expiries, synergy. The votes: c8_votes.py.
Not here: persistence, completeness, confidence (c8_stability.py), any raw data.
"""

from __future__ import annotations

import datetime as dt
import math
from itertools import combinations

from mr_platform_tests.features.reference.c8_stability import stability_columns
from mr_platform_tests.features.reference.c8_votes import CHANNELS, votes_of
from mr_platform_tests.features.reference.day import MINUTES, Day, History, Result
from mr_platform_tests.features.reference.plain import (
    lag,
    ols,
    percentile,
    ratio,
    sign,
    sub,
    valid,
)

LEAST_VOTES = 4
PAIRS = ("e1_e5", "e1_e4", "e2_e7", "e5_e7", "e1_e6", "d2_d3", "d3_d5", "d4_d5")
TRIADS = ("e1_e4_e5", "d2_d3_d7", "d3_d5_d7")
DTE_WEIGHT = {1: 0.5, 2: 1.5, 3: 1.0, 4: -0.5, 5: -0.5, 6: 0.0, 7: 0.5}
DTE_DECAY = 7
CLEAR_VOTE = 0.2
DAYS = 20
LEAST_DAYS = 5

Columns = dict[str, list]
Vote = float | None


def c8(day: Day, history: History, components: dict[str, Result]) -> Result:
    """All 48 columns of C8.

    Args:
        day: The day, for presence and dte.
        history: Earlier trading days.
        components: Results of c1 to c7.
    """
    votes = {e: votes_of(day, e, components) for e in day.expiries}
    columns: dict[dt.date, Columns] = {}
    for e in day.expiries:
        columns[e] = agreement_columns(votes[e]) | synergy_columns(votes[e])
        columns[e] |= weighted_columns(votes[e], day.dte[e])
    for e in day.expiries:
        columns[e] |= percentile_columns(day, e, columns[e], history)
        columns[e] |= stability_columns(day, e, columns[e], components)
    others = {e: other_expiry_columns(day, e, columns) for e in day.expiries}
    out: Result = {}
    for e in day.expiries:
        for name, values in (columns[e] | others[e]).items():
            out.setdefault(name, {})[e] = values
    return out


def each_minute(function) -> list:
    """The 375 values of a function of the minute."""
    return [function(j) for j in range(MINUTES)]


def channel_votes(votes: dict[str, list[Vote]], channel: str, j: int) -> list[Vote]:
    """The votes of a channel at a minute, nulls among them."""
    return [votes[name][j] for name in CHANNELS[channel]]


# ---- agreement ----
def agreement_columns(votes: dict[str, list[Vote]]) -> Columns:
    """Statistics of the votes of a minute, and the change of their agreement."""
    out: Columns = {}
    statistics = {
        "c8_consensus_{}": consensus,
        "c8_dispersion_{}": dispersion,
        "c8_majority_share_{}": majority,
        "c8_conflict_pairs_{}": conflict,
    }
    score = {"direction": "c8_component_agreement_score"}
    for channel in CHANNELS:
        ballots = each_minute(lambda j, c=channel: valid(channel_votes(votes, c, j)))
        for name, statistic in statistics.items():
            out[name.format(channel)] = [if_enough(statistic, found) for found in ballots]
        agreement = [if_enough(coherence, found) for found in ballots]
        out[score.get(channel, "c8_expansion_agreement_score")] = agreement
        out[f"c8_agreement_change_15m_{channel}"] = each_minute(
            lambda j, a=agreement: sub(a[j], lag(a, j, 15))
        )
    out["c8_antagonism_ratio"] = each_minute(
        lambda j: if_enough(antagonism, valid(channel_votes(votes, "direction", j)))
    )
    return out


def if_enough(statistic, found: list[float]):
    """The statistic, null below four votes."""
    return statistic(found) if len(found) >= LEAST_VOTES else None


def coherence(found: list[float]) -> float | None:
    """|sum| over the sum of |x|."""
    return ratio(abs(math.fsum(found)), math.fsum(abs(x) for x in found))


def consensus(found: list[float]) -> float:
    """Mean of the votes."""
    return math.fsum(found) / len(found)


def dispersion(found: list[float]) -> float:
    """Population standard deviation of the votes."""
    middle = consensus(found)
    return math.sqrt(math.fsum((x - middle) ** 2 for x in found) / len(found))


def majority(found: list[float]) -> float:
    """Share of the votes with the sign of the consensus; a zero agrees with nothing."""
    side = sign(consensus(found))
    return sum(1 for x in found if side != 0 and sign(x) == side) / len(found)


def conflict(found: list[float]) -> int:
    """Number of pairs of clear votes that oppose each other."""
    above = sum(1 for x in found if x > CLEAR_VOTE)
    below = sum(1 for x in found if x < -CLEAR_VOTE)
    return above * below


def antagonism(found: list[float]) -> float | None:
    """Opposed products over all products, pairs of votes."""
    products = [x * y for x, y in combinations(found, 2)]
    return ratio(math.fsum(max(0.0, -p) for p in products), math.fsum(abs(p) for p in products))


# ---- the other expiries ----
def other_expiry_columns(day: Day, e: dt.date, columns: dict[dt.date, Columns]) -> Columns:
    """The row's consensus against that of the other expiries of the minute."""
    out: Columns = {}
    for channel in CHANNELS:
        series = {other: columns[other][f"c8_consensus_{channel}"] for other in day.expiries}
        for name, function in (
            ("c8_dte_deviation", deviation),
            ("c8_dte_sign_agreement", sign_agreement),
            ("c8_dte_term_slope", term_slope),
            ("c8_dte_vs_nearest", against_nearest),
        ):
            out[f"{name}_{channel}"] = each_minute(
                lambda j, f=function, series=series: f(
                    day, e, {o: x[j] for o, x in series.items() if day.present(o, j)}
                )
            )
    return out


def deviation(_: Day, e: dt.date, minute: dict[dt.date, Vote]) -> float | None:
    """Own consensus less the mean of the others."""
    others = valid([x for other, x in minute.items() if other != e])
    return sub(minute.get(e), consensus(others)) if others else None


def sign_agreement(_: Day, e: dt.date, minute: dict[dt.date, Vote]) -> float | None:
    """Share of the others with the own sign."""
    others = valid([x for other, x in minute.items() if other != e])
    own = sign(minute.get(e))
    if own is None or not others:
        return None
    return sum(1 for x in others if own != 0 and sign(x) == own) / len(others)


def term_slope(day: Day, _: dt.date, minute: dict[dt.date, Vote]) -> float | None:
    """Least-squares slope of consensus on sqrt(dte)."""
    days = [math.sqrt(day.dte[other]) for other in minute]
    line = ols(days, list(minute.values()), 2)
    return None if line is None else line[0]


def against_nearest(day: Day, e: dt.date, minute: dict[dt.date, Vote]) -> float | None:
    """Own consensus less that of the nearest other expiry of the minute."""
    others = [other for other in minute if other != e and minute[other] is not None]
    if not others or e not in minute:
        return None
    nearest = min(others, key=lambda o: (abs(day.dte[o] - day.dte[e]), day.dte[o]))
    return sub(minute[e], minute[nearest])


def weighted_columns(votes: dict[str, list[Vote]], days: int) -> Columns:
    """Mean of the votes, weighed by component and dte."""
    out: Columns = {}
    for channel, names in CHANNELS.items():
        weights = {n: 1 + DTE_WEIGHT[int(n[1])] * math.exp(-days / DTE_DECAY) for n in names}
        values = []
        for j in range(MINUTES):
            found = [n for n in names if votes[n][j] is not None]
            top = math.fsum(weights[n] * votes[n][j] for n in found)
            bottom = math.fsum(weights[n] for n in found)
            values.append(ratio(top, bottom) if len(found) >= LEAST_VOTES else None)
        out[f"c8_dte_weighted_consensus_{channel}"] = values
    return out


def percentile_columns(day: Day, e: dt.date, columns: Columns, history: History) -> Columns:
    """Rank of consensus among the means of the same bucket and zone of 20 days."""
    dates = set(history.dates(DAYS).values())
    table = history.tables.get("hist_c8_zone")
    rows = [] if table is None else list(table.iter_rows(named=True))
    out: Columns = {}
    for channel in CHANNELS:
        past: dict[str, list] = {}
        for row in rows:
            key = (row["symbol"], row["dte_bucket"])
            if key == (day.symbol, day.bucket(e)) and row["date"] in dates:
                past.setdefault(row["zone_name"], []).append(row[f"consensus_{channel}"])
        own = columns[f"c8_consensus_{channel}"]
        out[f"c8_dte_pctl_20d_{channel}"] = each_minute(
            lambda j, own=own, past=past: percentile(own[j], past.get(day.zone(j), []), LEAST_DAYS)
        )
    return out


# ---- synergy ----
def synergy_columns(votes: dict[str, list[Vote]]) -> Columns:
    """Products of two votes, and agreeing triads."""
    out: Columns = {}
    for pair in PAIRS:
        out[f"c8_synergy_{pair}"] = each_minute(
            lambda j, pair=pair: product([votes[n][j] for n in pair.split("_")])
        )
    for triad in TRIADS:
        out[f"c8_triad_{triad}"] = each_minute(
            lambda j, triad=triad: agreeing([votes[n][j] for n in triad.split("_")])
        )
    return out


def product(found: list[Vote]) -> float | None:
    """Product of the votes, null if one is."""
    return None if None in found else math.prod(found)


def agreeing(found: list[Vote]) -> float | None:
    """Signed geometric mean of three votes of one sign, else 0."""
    if None in found:
        return None
    signs = {sign(x) for x in found}
    if len(signs) > 1 or signs == {0}:
        return 0.0
    return signs.pop() * abs(math.prod(found)) ** (1 / 3)
