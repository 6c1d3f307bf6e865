"""What portfolios were searched for and on which rows, in words."""

from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl
import pytest

from mr_platform.config.settings import BalanceSettings, ZoneSettings
from mr_platform.orchestration.book_measure import Measure
from mr_platform.orchestration.book_preparation import Preparation
from mr_platform.orchestration.search_wording import (
    measure_text,
    zone_command,
    zone_differences,
    zone_search_text,
)

RATIO = Measure("ratio", 10.0, 0.0)


def zones(steps: Preparation | None = None, **changed: Any) -> pl.DataFrame:
    """Two zones that were searched after some steps."""
    told = {
        "zone": ["A", "B"],
        "metric": "ratio",
        "correlation_weight": 10.0,
        "drawdown_threshold": 0.0,
        "preparation": (steps or Preparation()).text(),
        "first_date": dt.date(2024, 1, 4),
        "last_date": dt.date(2024, 9, 26),
    }
    return pl.DataFrame(told | changed)


def test_the_measure_is_told_in_full() -> None:
    assert measure_text(Measure("roi", 0, 0)) == "roi"
    assert measure_text(Measure("ratio", 2.5, 300)) == (
        "ratio − 2.5 × mean correlation (ratio and less max dd pay half of it below a drawdown of "
        "300)"
    )
    balance = BalanceSettings(desired={"july.csv": 20, "august.csv": 17}, penalty_factor=0.5)
    assert measure_text(Measure("ratio", 0, 0, balance)) == (
        "ratio − 0.5 × members more or fewer than 20 of july.csv, 17 of august.csv"
    )


def test_zones_tell_by_what_and_on_which_dates_they_were_searched() -> None:
    assert zone_search_text(zones()) == (
        "They were searched for ratio − 10 × mean correlation on 2024-01-04 to 2024-09-26. No date "
        "was held out, no row weighed."
    )
    steps = Preparation(("regime",), regime_multipliers={"bull": 1.1}, holdout=0.25)
    assert zone_search_text(zones(steps)).endswith(
        "2024-09-26. The last 25 % of the dates were held out; rows were left out or weighted by: "
        "regime, bull × 1.1."
    )
    unknown = zones(preparation=None, metric=None)
    assert "earlier version, which did not note the measure" in zone_search_text(unknown)


def test_zones_that_were_searched_as_the_others_do_not_differ() -> None:
    steps = Preparation(("transition",), holdout=0.2)
    # what is never done to zones alone makes no difference
    others = Preparation(("transition",), "collapsed", True, ZoneSettings(count=3), holdout=0.2)
    balanced = Measure("ratio", 10.0, 0.0, BalanceSettings(desired={"a.csv": 3}))
    assert zone_differences(zones(steps), others, balanced, "sensex") == ""


@pytest.mark.parametrize(
    ("steps", "measure", "told"),
    [
        (Preparation(holdout=0.25), RATIO, "on all dates, the others on all dates but the last"),
        (
            Preparation(("regime",), regime_multipliers={"bull": 1.1}), RATIO,
            "by no rule of regimes, the others by regime, bull × 1.1",
        ),
        (
            Preparation(), Measure("roi", 0, 0),
            "for ratio − 10 × mean correlation, the others for roi",
        ),
        (
            Preparation(), Measure("ratio", 10, 5),
            "for ratio − 10 × mean correlation, the others for ratio − 10 × mean correlation (",
        ),
    ],
    ids=["dates", "rules", "metric", "threshold"],
)  # fmt: skip
def test_differences_are_told_with_the_command_that_ends_them(
    steps: Preparation, measure: Measure, told: str
) -> None:
    sentence = zone_differences(zones(), steps, measure, "sensex")
    assert sentence.startswith(f"the portfolios of the zones were searched {told}")
    assert sentence.endswith(f"search them alike: {zone_command(steps, measure, 'sensex')}")


def test_zones_of_an_earlier_version_did_not_note_it() -> None:
    unknown = zones(preparation=None, metric=None, correlation_weight=None)
    sentence = zone_differences(unknown, Preparation(), RATIO, "sensex")
    assert sentence.startswith("it was not noted by which measure, on which dates")
    assert sentence.endswith(
        "mr portfolio zones sensex --metric ratio --correlation-weight 10 --drawdown-threshold 0 "
        "--holdout 0 --rules none"
    )


def test_a_command_says_all_that_settings_might_say_otherwise() -> None:
    rules = ("confidence filter", "regime")
    steps = Preparation(rules, regime_multipliers={"neutral": 2.0, "bull": 1.1}, holdout=1 / 3)
    assert zone_command(steps, Measure("win percentage", 0.5, 2), "b") == (
        "mr portfolio zones b --metric 'win percentage' --correlation-weight 0.5 "
        "--drawdown-threshold 2 --holdout 0.3333333333333333 --rules "
        "'confidence filter,regime' --multiplier bull=1.1 --multiplier neutral=2"
    )
