"""What portfolios were searched for and on which rows, in words.

Here: measures; portfolios of zones beside the other portfolios of their book.
Not here: the steps before a search (``book_preparation.py``), pages (``pictures``).
"""

from __future__ import annotations

import shlex

import polars as pl

from mr_platform.orchestration.book_measure import Measure
from mr_platform.orchestration.book_preparation import Preparation
from mr_platform.portfolio.search.asked_parameters import NONE


def measure_text(measure: Measure) -> str:
    """What a search maximised, in full."""
    weight, threshold = measure.correlation_weight, measure.drawdown_threshold
    told = measure.metric
    if weight:
        told += f" − {weight:g} × mean correlation"
    if weight and threshold:
        told += f" (ratio and less max dd pay half of it below a drawdown of {threshold:g})"
    if measure.balance is not None:
        wanted = ", ".join(f"{count} of {name}" for name, count in measure.balance.desired.items())
        told += f" − {measure.balance.penalty_factor:g} × members more or fewer than {wanted}"
    return told


def zone_search_text(zones: pl.DataFrame) -> str:
    """By what, on which dates and rows the portfolios of zones were searched, in sentences.

    Args:
        zones: Rows of ``zone_portfolios``, one at least.
    """
    first = zones.row(0, named=True)
    if first["preparation"] is None:
        return (
            "They were searched by an earlier version, which did not note the measure, the dates "
            "and the rules of regimes."
        )
    steps = Preparation.parse(first["preparation"])
    done = "; ".join(steps.steps())
    rows = f"{done[:1].upper()}{done[1:]}." if done else "No date was held out, no row weighed."
    return (
        f"They were searched for {measure_text(_measure(zones))} on {first['first_date']} to "
        f"{first['last_date']}. {rows}"
    )


def zone_differences(zones: pl.DataFrame, steps: Preparation, measure: Measure, book: str) -> str:
    """How portfolios of zones were searched otherwise than the others, with what to do.

    Whether zones are added up, losing strategies inverted or files balanced is not asked: none of
    it is ever done to zones that are searched alone.

    Args:
        zones: Rows of ``zone_portfolios``, one at least.
        steps: Steps before the search of the others.
        measure: What these were searched for.
        book: The book of both.

    Returns:
        A sentence; empty where they were searched alike.
    """
    if zones["preparation"][0] is None:
        again = zone_command(steps, measure, book)
        return (
            "it was not noted by which measure, on which dates and rows the portfolios of the "
            f"zones were searched; search them again: {again}"
        )
    own = Preparation.parse(zones["preparation"][0])
    alone = Measure(measure.metric, measure.correlation_weight, measure.drawdown_threshold)
    pairs = (
        (_dates(own), _dates(steps)),
        (_rules(own), _rules(steps)),
        (f"for {measure_text(_measure(zones))}", f"for {measure_text(alone)}"),
    )
    unlike = [f"{one}, the others {other}" for one, other in pairs if one != other]
    if not unlike:
        return ""
    return (
        f"the portfolios of the zones were searched {'; '.join(unlike)}; search them alike: "
        f"{zone_command(steps, measure, book)}"
    )


def zone_command(steps: Preparation, measure: Measure, book: str) -> str:
    """The command that searches zones as other portfolios were, whatever the settings say."""
    words = ["mr", "portfolio", "zones", book, "--metric", measure.metric]
    words += ["--correlation-weight", _in_full(measure.correlation_weight)]
    words += ["--drawdown-threshold", _in_full(measure.drawdown_threshold)]
    words += ["--holdout", _in_full(steps.holdout)]
    words += ["--rules", ",".join(steps.row_rules) or NONE]
    for family, factor in sorted(steps.regime_multipliers.items()):
        words += ["--multiplier", f"{family}={_in_full(factor)}"]
    return shlex.join(words)


def _in_full(value: float) -> str:
    """All digits: a share that is rounded may hold out another number of dates."""
    return repr(float(value)).removesuffix(".0")


def _measure(zones: pl.DataFrame) -> Measure:
    """What portfolios of zones were searched for, which are never balanced."""
    first = zones.row(0, named=True)
    return Measure(first["metric"], first["correlation_weight"], first["drawdown_threshold"])


def _dates(steps: Preparation) -> str:
    if not steps.holdout:
        return "on all dates"
    return f"on all dates but the last {100 * steps.holdout:g} %"


def _rules(steps: Preparation) -> str:
    if not steps.row_rules:
        return "by no rule of regimes"
    factors = [f"{name} × {value:g}" for name, value in sorted(steps.regime_multipliers.items())]
    return f"by {', '.join((*steps.row_rules, *factors))}"
