"""The page on portfolios is written by hand: it must name what there is, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from mr_platform.cli.portfolio import portfolio
from mr_platform.config.settings import load_settings
from mr_platform.orchestration.checks.portfolio_verdicts import BOOK_RULES
from mr_platform.portfolio.fitness import METRICS
from mr_platform.portfolio.regimes import Rule
from mr_platform.portfolio.search.algorithms import ALGORITHMS
from mr_platform.registry.recorded_figures import load_recorded_figures
from mr_platform_tests.architecture.source_tree import REPOSITORY

PAGE = REPOSITORY / "docs" / "portfolio.md"


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text("utf-8")


def rows(page: str, head: str) -> dict[str, str]:
    """Last cells of the table below a head, by each name in the first cell."""
    table = page.split(f"| algorithm | {head}")[1].split("\n\n")[0].splitlines()[2:]
    return {
        name: line.rsplit("|", 2)[1]
        for line in table
        for name in re.findall(r"`(\w+)`", line.split("|")[1])
    }


@pytest.mark.parametrize("form", ["improved", "legacy"])
def test_every_parameter_of_every_algorithm_is_named_and_no_other(page: str, form: str) -> None:
    told = {
        name: set(re.findall(r"`(\w+)`", cell)) for name, cell in rows(page, f"{form}:").items()
    }
    assert told == {
        name: {one.name for one in forms.parameters(form)}
        for name, forms in ALGORITHMS.items()
        if form == "improved" or forms.legacy is not None
    }


def test_every_check_metric_and_rule_is_named(page: str) -> None:
    names = [f"`{name}`" for name in (*METRICS, *get_args(Rule))]
    names += [f"`{rule.name}`" for rule in BOOK_RULES]
    assert [name for name in names if name not in page] == []
    checks = page.split("## Checks")[1].split("\n## ")[0]
    for table, named, kind in re.findall(r"^\| `(\w+)` \| (.+) \| an? (\w+) \|$", checks, re.M):
        for check in re.findall(r"`(\w+)`", named):
            (rule,) = [one for one in BOOK_RULES if (one.table, one.name) == (table, check)]
            assert kind == ("error" if rule.severe else "warning"), check


@pytest.mark.parametrize("path", [PAGE, REPOSITORY / "README.md"], ids=lambda path: path.name)
def test_every_command_on_portfolios_that_is_told_exists(path: Path) -> None:
    text = path.read_text("utf-8")
    told = re.findall(r"mr portfolio ([a-z]+)((?: [^`\n|]*)?)", text)
    assert told
    for name, rest in told:
        command = portfolio.commands[name]
        options = {option for parameter in command.params for option in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", rest)) <= options | {"--help"}, f"{name}{rest}"


def test_the_readme_tells_how_many_recorded_figures_agree() -> None:
    observed = load_recorded_figures().observed
    compared = sum(one.compared for one in observed)
    told = " ".join((REPOSITORY / "README.md").read_text("utf-8").split())
    bound = max(one.below for one in observed)
    assert f"{compared:,} figures of the older program come out again" in told
    assert f"the worst of them within {bound:.0e}" in told


def test_every_setting_that_is_told_exists(page: str) -> None:
    values = load_settings().model_dump()
    for dotted in re.findall(r"`(portfolio\.[a-z_.]+)`", page):
        found = values
        for part in dotted.split("."):
            assert part in found, dotted
            found = found[part]


def test_links_lead_to_pages(page: str) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", page)
    assert links
    assert [link for link in links if not (PAGE.parent / link).is_file()] == []
