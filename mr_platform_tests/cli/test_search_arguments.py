"""What a search is told on the command line, one word at a time and together."""

from __future__ import annotations

from typing import Any

import click
import pytest
from click.testing import CliRunner

from mr_platform.cli.search_arguments import (
    AlgorithmParameter,
    AmountParameter,
    BalanceParameter,
    MultiplierParameter,
    SizesParameter,
    search_config,
    search_options,
)
from mr_platform.orchestration.book_search import SearchConfig


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("37", (37,)),
        ("5:7", (5, 6, 7)),
        ("9,5", (5, 9)),
        ("5:6,6,8:8", (5, 6, 8)),
    ],
)
def test_sizes_are_numbers_ranges_and_lists(text: str, sizes: tuple[int, ...]) -> None:
    assert SizesParameter().convert(text, None, None) == sizes
    assert SizesParameter().convert(sizes, None, None) == sizes


@pytest.mark.parametrize("text", ["", "five", "5:", ":5", "5-7", "5,,6", "5.5", "-5", "7:5"])
def test_what_is_no_list_of_sizes_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        SizesParameter().convert(text, None, None)


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("july.csv=20", {"july.csv": 20}),
        ("july.csv=20,august.csv=0", {"july.csv": 20, "august.csv": 0}),
        ("atm/july.csv=20, weeks, all=.csv=3", {"atm/july.csv": 20, "weeks, all=.csv": 3}),
        ("off", {}),
    ],
)
def test_counts_of_files(text: str, counts: dict[str, int]) -> None:
    found = BalanceParameter().convert(text, None, None)
    assert found == counts
    assert BalanceParameter().convert(found, None, None) is found


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no file is counted"),
        ("july.csv", "'july.csv' is no count of a file; write july.csv=20"),
        ("july.csv=", "is no count"),
        ("july.csv=-2", "is no count"),
        ("july.csv=1.5", "is no count"),
        ("july.csv=1,august.csv", "'august.csv' is no count"),
        ("july.csv=1,july.csv=2", "july.csv is counted twice"),
    ],
)
def test_what_counts_no_files_is_refused(text: str, told: str) -> None:
    with pytest.raises(click.BadParameter, match=told):
        BalanceParameter().convert(text, None, None)


def test_multipliers_of_families() -> None:
    assert MultiplierParameter().convert("bull=1.1", None, None) == ("bull", 1.1)
    assert MultiplierParameter().convert(("bull", 1.1), None, None) == ("bull", 1.1)
    assert MultiplierParameter().convert("bull=0", None, None) == ("bull", 0.0)
    for wrong in ("bull", "bull=", "bull=much", "=1.1", "bull=inf", "bull=nan", "bull=-1"):
        with pytest.raises(click.BadParameter, match=r"write bull=1\.1"):
            MultiplierParameter().convert(wrong, None, None)


@pytest.mark.parametrize("text", ["inf", "nan", "-inf", "-1", "much"])
def test_an_amount_is_a_finite_number_within_its_bounds(text: str) -> None:
    assert AmountParameter(min=0).convert("0.25", None, None) == 0.25
    with pytest.raises(click.BadParameter):
        AmountParameter(min=0).convert(text, None, None)
    for option in ("--balance-penalty", "--holdout"):
        result = CliRunner().invoke(command_of_a_search([]), [option, text])
        assert result.exit_code == 2
        assert option in result.output


def test_parameters_of_algorithms() -> None:
    parsed = AlgorithmParameter().convert("genetic.population=60", None, None)
    assert parsed == ("genetic", "population", 60)
    assert AlgorithmParameter().convert(parsed, None, None) is parsed
    with pytest.raises(click.BadParameter, match=r"ALGORITHM\.PARAMETER=VALUE"):
        AlgorithmParameter().convert("population=60", None, None)


def command_of_a_search(found: list[SearchConfig]) -> click.Command:
    """A command with the options of a search, which keeps what it is asked."""

    @click.command()
    @search_options
    def command(**options: Any) -> None:
        found.append(search_config(options))

    return command


def asked(*words: str) -> SearchConfig:
    """What a command with the options of a search asks for."""
    found: list[SearchConfig] = []
    result = CliRunner().invoke(command_of_a_search(found), words)
    assert result.exit_code == 0, result.output
    return found[0]


def test_without_options_everything_comes_from_the_settings() -> None:
    assert asked() == SearchConfig()


def test_every_option_has_its_place_in_the_configuration() -> None:
    words = [
        *("--algorithms", "genetic,bayesian", "--form", "legacy"),
        *("--parameter", "genetic.population=60", "--parameter", "genetic.mutation=0.5"),
        *("--parameter", "bayesian.iterations=9", "--evaluations", "9", "--patience", "0"),
        *("--seed", "0", "--metric", "roi", "--balance", "a.csv=1", "--balance-penalty", "2"),
        *("--holdout", "0.25", "--no-inversion", "--rules", "transition,regime"),
        *("--multiplier", "bull=1.1", "--multiplier", "bear=0.9", "--zones", "collapsed"),
        *("--engine", "gpu", "--workers", "2"),
        *("--correlation-weight", "0", "--drawdown-threshold", "1.5"),
    ]

    assert asked(*words) == SearchConfig(
        algorithms=["genetic", "bayesian"],
        form="legacy",
        parameters={"genetic": {"population": 60, "mutation": 0.5}, "bayesian": {"iterations": 9}},
        evaluations=9,
        patience=0,
        seed=0,
        metric="roi",
        correlation_weight=0.0,
        drawdown_threshold=1.5,
        balance={"desired": {"a.csv": 1}, "penalty_factor": 2.0},
        holdout=0.25,
        inversion=False,
        row_rules=["transition", "regime"],
        regime_multipliers={"bull": 1.1, "bear": 0.9},
        zone_mode="collapsed",
        engine="gpu",
        workers=2,
    )
    assert asked("--balance", "off").balance == {"desired": {}}
    assert asked("--rules", "none").row_rules == ["none"]
    assert asked("--balance-penalty", "2").balance == {"penalty_factor": 2.0}
