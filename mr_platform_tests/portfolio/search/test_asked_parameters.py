"""Parameters that a run asks for, over those of the settings."""

from __future__ import annotations

import pytest

from mr_platform.portfolio.returns import PortfolioError
from mr_platform.portfolio.search.algorithms import ALGORITHMS
from mr_platform.portfolio.search.asked_parameters import asked_parameters, parsed_parameter

ALL = tuple(ALGORITHMS)


def test_values_of_the_run_come_before_those_of_the_settings() -> None:
    settings = {"genetic": {"population": 40, "mutation": 0.2}, "bayesian": {"batch": 4}}
    run = {"genetic": {"population": 60}, "hill_climbing": {"kick": 5}}

    assert asked_parameters(settings, run, ALL, "improved") == {
        "genetic": {"population": 60, "mutation": 0.2},
        "hill_climbing": {"kick": 5},
        "bayesian": {"batch": 4},
    }


def test_settings_of_what_is_not_searched_with_are_left_aside() -> None:
    settings = {"genetic": {"population": 40, "crossover": 0.5}, "bayesian": {"batch": 4}}

    assert asked_parameters(settings, {}, ["genetic"], "legacy") == {"genetic": {"population": 40}}
    assert asked_parameters(settings, {}, ["random_search"], "improved") == {}
    unknown = asked_parameters(settings, {}, ["magic", "bayesian"], "improved")
    assert unknown == {"bayesian": {"batch": 4}}, "names of algorithms are refused with the search"


def test_none_stands_for_no_value_only_where_there_may_be_none() -> None:
    run = {"simulated_annealing": {"start_temperature": "none", "cooling": "none"}}

    found = asked_parameters({}, run, ["simulated_annealing"], "improved")

    assert found == {"simulated_annealing": {"start_temperature": None, "cooling": "none"}}


@pytest.mark.parametrize("by_run", [True, False], ids=["run", "settings"])
@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"genetics": {"population": 3}}, "Did you mean 'genetic'"),
        ({"magic": {"population": 3}}, "Choose from genetic, simulated_annealing"),
        ({"genetic": {"populaton": 3}}, "genetic: parameter 'populaton' .*'population'"),
        ({"bayesian": {"size": 3}}, "bayesian: parameter 'size' is not known.*Choose from initial"),
    ],
)
def test_names_that_nothing_knows_are_refused_wherever_they_stand(
    asked: dict, told: str, by_run: bool
) -> None:
    settings, run = ({}, asked) if by_run else (asked, {})
    with pytest.raises(PortfolioError, match=told):
        asked_parameters(settings, run, ALL, "improved")


def test_a_parameter_of_the_run_that_nothing_would_use_is_refused() -> None:
    with pytest.raises(PortfolioError, match=r"genetic: .*\(population\).* not among") as refused:
        asked_parameters({}, {"genetic": {"population": 3}}, ["bayesian"], "improved")
    assert "Add genetic to the algorithms (bayesian)" in str(refused.value)

    with pytest.raises(PortfolioError, match="its legacy form has no parameter crossover") as other:
        asked_parameters({}, {"genetic": {"crossover": 0.5}}, ["genetic"], "legacy")
    assert "population, generations, mutation" in str(other.value)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("genetic.population=60", ("genetic", "population", 60)),
        (" genetic . mutation = 0.25 ", ("genetic", "mutation", 0.25)),
        ("ant_colony.lowest=1e-6", ("ant_colony", "lowest", 1e-6)),
        (
            "differential_evolution.strategy=rand/1/bin",
            ("differential_evolution", "strategy", "rand/1/bin"),
        ),
        (
            "simulated_annealing.start_temperature=none",
            ("simulated_annealing", "start_temperature", "none"),
        ),
    ],
)
def test_a_parameter_as_text(text: str, found: tuple[str, str, object]) -> None:
    parsed = parsed_parameter(text)
    assert parsed == found
    assert type(parsed[2]) is type(found[2])


@pytest.mark.parametrize("text", ["", "population=60", "genetic.population", "genetic.=3", ".a=3",
                                  "genetic.population="])  # fmt: skip
def test_texts_that_are_no_parameter(text: str) -> None:
    with pytest.raises(PortfolioError, match=r"Write ALGORITHM\.PARAMETER=VALUE"):
        parsed_parameter(text)
