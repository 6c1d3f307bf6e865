"""The list of algorithms, the way a person asks for it."""

from __future__ import annotations

from mr_platform.portfolio.search.algorithms import ALGORITHMS, algorithm
from mr_platform_tests.cli.conftest import Run, document


def test_every_algorithm_and_form_is_listed(run: Run) -> None:
    told = document(run("portfolio", "algorithms", "--json"))

    assert [one["algorithm"] for one in told] == list(ALGORITHMS)
    for one in told:
        forms = ALGORITHMS[one["algorithm"]]
        wanted = ["improved"] if forms.legacy is None else ["improved", "legacy"]
        assert list(one["forms"]) == wanted
        for form, described in one["forms"].items():
            declared = forms.parameters(form)
            assert [p["name"] for p in described["parameters"]] == [p.name for p in declared]
            assert described["does"]
            # what is told as default is what a search without it does
            values = {p["name"]: p["default"] for p in described["parameters"]}
            assert algorithm(one["algorithm"], form, **values) == algorithm(one["algorithm"], form)

    lines = run("portfolio", "algorithms").stdout.splitlines()
    assert len(lines) == 2 + sum(len(one["forms"]) for one in told) + 2
    assert lines[2].split()[:2] == ["genetic", "improved"]
    assert not any("``" in line or "§" in line for line in lines), "plain words"


def test_one_algorithm_with_bounds_and_meanings(run: Run) -> None:
    lines = run("portfolio", "algorithms", "simulated_annealing").stdout.splitlines()

    rows = {line.split()[0]: line for line in lines if line}
    assert rows["start_temperature"].split()[1:5] == ["none", "from", "1e-12", "or"]
    assert "geometric, linear" in rows["cooling"]
    assert rows["chains"].split()[1:] == ["1", "1", "to", "1000", "chains", "side", "by", "side"]
    assert rows["steps"].split()[1:5] == ["1000", "1", "to", "10000000"]
    headings = [line.partition(":")[0] for line in lines if line.startswith("simulated_annealing")]
    assert headings == ["simulated_annealing, improved", "simulated_annealing, legacy"]
    assert lines[-1].endswith("--parameter simulated_annealing.cooling=geometric")


def test_an_algorithm_without_legacy_form_has_one_table(run: Run) -> None:
    told = document(run("portfolio", "algorithms", "random_search", "--json"))
    assert list(told["forms"]) == ["improved"]


def test_an_algorithm_that_is_not_known_is_told_with_the_near_one(run: Run) -> None:
    result = run("portfolio", "algorithms", "genetics")
    assert result.exit_code == 2
    assert "Did you mean 'genetic'?" in result.stderr
    assert result.stdout == ""
