"""The demo's book: loaded, searched, reported; and what is told of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mr_platform.cli import portfolio_demo
from mr_platform.cli.portfolio_demo import (
    next_commands,
    portfolio_document,
    portfolio_summary,
    portfolio_text,
)
from mr_platform.cli.terminal import Terminal
from mr_platform.portfolio.search.algorithms import ALGORITHMS
from mr_platform.simulation import strategy_results as simulated

NAMES = set(ALGORITHMS)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer evaluations: the searches themselves are tested elsewhere."""
    monkeypatch.setattr(portfolio_demo, "EVALUATIONS", 60)


def test_a_simulated_file_becomes_portfolios_and_a_report(
    quick: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = simulated.strategy_results
    monkeypatch.setattr(simulated, "strategy_results", lambda seed: whole(seed, 30, 20))
    summary = portfolio_summary(Terminal(str(tmp_path), as_json=True), None)
    assert summary.faults == []
    assert (summary.strategies, summary.rows, summary.size) == (30, 20, 15)
    assert {found["algorithm"] for found in summary.portfolios} == NAMES
    fitness = [found["fitness"] for found in summary.portfolios]
    assert fitness == sorted(fitness, reverse=True)
    assert summary.page is not None
    assert summary.page.is_file()
    assert summary.checks["failed"] == 0
    assert summary.checks["passed"] > 0

    text = portfolio_text(summary)
    assert "simulated strategy results" in text
    assert f"the report of these portfolios: {summary.page}" in text
    assert all(name in text for name in NAMES)
    told = json.loads(json.dumps(portfolio_document(summary)))
    assert (told["page"], told["home"]) == (str(summary.page), str(tmp_path))
    assert next_commands(summary)[0] == f"mr portfolio metrics demo --home {tmp_path}"


@pytest.mark.slow
@pytest.mark.real_data
def test_real_results_are_taken_where_they_are(
    quick: None, tmp_path: Path, real_data: Path
) -> None:
    summary = portfolio_summary(Terminal(str(tmp_path), as_json=True), real_data)
    assert summary.faults == []
    assert (summary.strategies, summary.rows, summary.size) == (2_500, 82, 37)
    assert "real strategy results" in summary.title


def test_a_file_that_cannot_be_used_is_told_and_ends_it(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "strategies"
    folder.mkdir(parents=True)
    (folder / "test_data_small_2500.csv").write_text("who,what\n1,2\n")
    summary = portfolio_summary(Terminal(str(tmp_path / "home"), as_json=True), tmp_path / "data")
    assert (summary.strategies, summary.portfolios, summary.page) == (0, [], None)
    (fault,) = summary.faults
    assert "no declared format fits" in fault
    assert f"error: {fault}" in portfolio_text(summary)
