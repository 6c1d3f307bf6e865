from __future__ import annotations

from pathlib import Path

from mr_platform_tests.cli.conftest import Run, document


def test_home_tells_where_everything_is(run: Run, tmp_path: Path) -> None:
    told = document(run("home", "--home", tmp_path, "--json"))
    assert told["paths"]["landing"] == str(tmp_path / "landing")
    assert told["paths"]["dagster"] == str(tmp_path / "dagster")
    assert told["settings"]["orchestration"]["max_partitions_per_run"] >= 1


def test_home_comes_from_the_environment_unless_given(run: Run, tmp_path: Path) -> None:
    environment = {"MR_HOME": str(tmp_path / "one")}
    told = document(run("home", "--json", env=environment))
    assert told["paths"]["home"] == str(tmp_path / "one")
    given = document(run("home", "--home", tmp_path / "two", "--json", env=environment))
    assert given["paths"]["home"] == str(tmp_path / "two")


def test_home_makes_nothing(run: Run, tmp_path: Path) -> None:
    text = run("home", "--home", tmp_path / "new").stdout
    assert "not yet" in text
    assert not (tmp_path / "new").exists()


def test_settings_of_portfolios_are_one_line_each(run: Run, tmp_path: Path) -> None:
    lines = dict(
        line.split(maxsplit=1)
        for line in run("home", "--home", tmp_path).stdout.splitlines()
        if line.startswith("portfolio.")
    )
    assert lines["portfolio.include"] == "*"
    assert lines["portfolio.exclude"] == "none"
    assert lines["portfolio.search.algorithms"].startswith("genetic, simulated_annealing, ")
    assert lines["portfolio.search.evaluations"] == "20000"
    assert lines["portfolio.correlation.threshold"] == "0.7"


def test_an_unknown_profile_names_the_declared_ones(run: Run) -> None:
    result = run("home", env={"MR_PROFILE": "produktion"})
    assert result.exit_code == 1
    assert "settings.yaml: profile produktion is not declared" in result.stderr
    assert "prod" in result.stderr
