"""What a search is told on the command line, and the run configuration it becomes.

Here: click parameter types, the options of a search.
Not here: commands (``portfolio_search.py``), what words mean (``orchestration/book_search.py``).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from mr_platform.cli.arguments import NAMES

if TYPE_CHECKING:
    from mr_platform.orchestration.book_search import SearchConfig

_Function = TypeVar("_Function", bound=Callable[..., Any])

OFF: Final = "off"
"""Says that the balanced mode of the settings is not wanted."""


class SizesParameter(click.ParamType[tuple[int, ...]]):
    """``35``, ``35:40`` (both included) or ``35,40,50``."""

    name = "SIZES"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Parse sizes of portfolios."""
        if isinstance(value, tuple):
            return value
        text = str(value)
        if not re.fullmatch(r"\d+(:\d+)?(,\d+(:\d+)?)*", text):
            self.fail(f"{text!r} is no list of sizes; write 37, 35:40 or 35,40,50", param, ctx)
        sizes: set[int] = set()
        for part in text.split(","):
            first, _, last = part.partition(":")
            if int(last or first) < int(first):
                self.fail(f"{part!r} ends before it starts", param, ctx)
            sizes.update(range(int(first), int(last or first) + 1))
        return tuple(sorted(sizes))


class AlgorithmParameter(click.ParamType[tuple[str, str, Any]]):
    """``genetic.population=60``."""

    name = "ALGORITHM.NAME=VALUE"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str, Any]:
        """Parse a parameter of an algorithm."""
        if isinstance(value, tuple):
            return value
        from mr_platform.portfolio.returns import PortfolioError
        from mr_platform.portfolio.search.asked_parameters import parsed_parameter

        try:
            return parsed_parameter(str(value))
        except PortfolioError as wrong:
            self.fail(str(wrong), param, ctx)


class BalanceParameter(click.ParamType[dict[str, int]]):
    """``july.csv=20,august.csv=17``, or ``off``."""

    name = "FILE=N,FILE=N"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> dict[str, int]:
        """Parse counts of source files; names may hold commas."""
        if isinstance(value, dict):
            return value
        text = str(value)
        if text == OFF:
            return {}
        counts: dict[str, int] = {}
        place = 0
        while place < len(text):
            # a count is whole numbers between the last = before a comma and that comma
            found = re.compile(r"(.+?)=(\d+)(?:,|$)").match(text, place)
            if found is None:
                self.fail(
                    f"{text[place:]!r} is no count of a file; write july.csv=20,august.csv=17",
                    param, ctx,
                )  # fmt: skip
            name = found[1].strip()
            if name in counts:
                self.fail(f"{name} is counted twice", param, ctx)
            counts[name] = int(found[2])
            place = found.end()
        if not counts:
            self.fail("no file is counted; write july.csv=20,august.csv=17", param, ctx)
        return counts


class MultiplierParameter(click.ParamType[tuple[str, float]]):
    """``bull=1.1``."""

    name = "FAMILY=FACTOR"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, float]:
        """Parse a multiplier of a family of regimes."""
        if isinstance(value, tuple):
            return value
        family, _, text = str(value).partition("=")
        try:
            factor = float(text)
        except ValueError:
            factor = math.nan
        if not family.strip() or not math.isfinite(factor) or factor < 0:
            self.fail(
                f"{value!r} is no multiplier; write bull=1.1, a family and a number from 0 up",
                param, ctx,
            )  # fmt: skip
        return family.strip(), factor


class AmountParameter(click.FloatRange):
    """A number within bounds that is a number: ``inf`` and ``nan`` are none."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Parse a number."""
        amount = float(super().convert(value, param, ctx))
        if not math.isfinite(amount):
            self.fail(f"{value!r} is not finite; write a number such as 0.5", param, ctx)
        return amount


parameter_option = click.option(
    "--parameter", "parameters", type=AlgorithmParameter(), multiple=True,
    help="A parameter of an algorithm; may be given often. `mr portfolio algorithms` lists them.",
)  # fmt: skip

metric_option = click.option("--metric", help="What the fitness measures.")

correlation_option = click.option(
    "--correlation-weight", type=AmountParameter(min=0), metavar="PRICE",
    help="Price of a mean correlation of 1; 10 in the record, 0 in its fitness of zones.",
)  # fmt: skip

drawdown_option = click.option(
    "--drawdown-threshold", type=AmountParameter(min=0), metavar="DRAWDOWN",
    help="Drawdown below which that price is halved, in the unit of the results; 0 never.",
)  # fmt: skip

holdout_option = click.option(
    "--holdout", type=AmountParameter(min=0, max=0.5), metavar="SHARE",
    help="Share of the last dates that the search does not see, for the report to judge by.",
)  # fmt: skip

rules_option = click.option(
    "--rules", type=NAMES,
    help='Rules of regimes by which rows are left out or weighted: "confidence filter", '
    '"confidence weight", transition, regime; or none, whatever the settings say.',
)  # fmt: skip

multiplier_option = click.option(
    "--multiplier", "multipliers", type=MultiplierParameter(), multiple=True,
    help="Factor of a family of regimes in place of the declared one; may be given often. "
    "Families that are not named keep those of the settings.",
)  # fmt: skip

_OPTIONS: Final = (
    click.option("--algorithms", type=NAMES, help="Only these; without it those of the settings."),
    click.option(
        "--form", type=click.Choice(["improved", "legacy"]), help="Form of the algorithms."
    ),
    parameter_option,
    click.option(
        "--evaluations", type=click.IntRange(min=1), help="Portfolios each algorithm may judge."
    ),
    click.option(
        "--patience", type=click.IntRange(min=0),
        help="Evaluations without a better portfolio before stopping early; 0 never.",
    ),
    click.option("--seed", type=click.IntRange(min=0, max=2**63 - 1), help="Root of all chance."),
    metric_option,
    correlation_option,
    drawdown_option,
    click.option(
        "--balance", type=BalanceParameter(),
        help=f"Balanced mode: members wanted of each source file, or {OFF}.",
    ),
    click.option(
        "--balance-penalty", type=AmountParameter(min=0), metavar="FACTOR",
        help="Price of one member too many or too few (default: 1).",
    ),
    holdout_option,
    click.option(
        "--inversion/--no-inversion", default=None, help="Invert losing strategies first."
    ),
    rules_option,
    multiplier_option,
    click.option(
        "--zones", type=click.Choice(["rows", "collapsed"]),
        help="Take each row as it is, or add the zones of a day up.",
    ),
    click.option(
        "--engine", type=click.Choice(["cpu", "gpu"]),
        help="Where batches of portfolios are judged; gpu fails where no device answers.",
    ),
    click.option(
        "--workers", type=click.IntRange(min=1), help="Processes that search side by side."
    ),
)  # fmt: skip


def search_options(function: _Function) -> _Function:
    """Give a command the options of a search, for :func:`search_config`."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def by_algorithm(given: Iterable[tuple[str, str, Any]]) -> dict[str, dict[str, Any]]:
    """Parameters as they were given, by algorithm; of one given twice the last counts."""
    parameters: dict[str, dict[str, Any]] = {}
    for algorithm, name, value in given:
        parameters.setdefault(algorithm, {})[name] = value
    return parameters


def search_config(asked: Mapping[str, Any]) -> SearchConfig:
    """What the options of a search ask for; what was not given comes from the settings.

    Args:
        asked: Values by the names that :func:`search_options` gives them.
    """
    from mr_platform.orchestration.book_search import SearchConfig

    parameters = by_algorithm(asked["parameters"])
    balance = {"desired": asked["balance"], "penalty_factor": asked["balance_penalty"]}
    balance = {name: value for name, value in balance.items() if value is not None}
    return SearchConfig(
        algorithms=list(asked["algorithms"] or ()),
        form=asked["form"],
        parameters=parameters,
        evaluations=asked["evaluations"],
        patience=asked["patience"],
        seed=asked["seed"],
        metric=asked["metric"],
        correlation_weight=asked["correlation_weight"],
        drawdown_threshold=asked["drawdown_threshold"],
        balance=balance or None,
        holdout=asked["holdout"],
        inversion=asked["inversion"],
        row_rules=list(asked["rules"] or ()),
        regime_multipliers=dict(asked["multipliers"]),
        zone_mode=asked["zones"],
        engine=asked["engine"],
        workers=asked["workers"],
    )
