"""Books beside the recorded legacy figures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mr_platform.errors import InputFileError
from mr_platform.orchestration.book_parity import compare_book, holds_recorded, parity_account
from mr_platform.portfolio.returns import StrategyReturns
from mr_platform_tests.portfolio.recorded import small_returns


@pytest.mark.real_data
def test_every_figure_that_can_be_computed_agrees(real_data: Path) -> None:
    folder = real_data / "strategies"
    returns = small_returns(folder)
    assert holds_recorded(returns, folder)

    compared = compare_book(returns, folder)
    account = parity_account(compared)

    known = compared.filter("reproducible")
    assert known.height > 15_000
    assert known["within"].all()
    assert known["relative_error"].max() < 1e-9
    assert set(account["figure"]) >= {"strategy_metrics", "portfolios", "golden", "inversions"}
    unknown = account.filter(account["not_reproducible"] > 0)
    assert unknown["reason"].null_count() == 0, "what cannot be computed has its reason"


@pytest.mark.real_data
def test_a_wrong_row_is_found(real_data: Path) -> None:
    folder = real_data / "strategies"
    returns = small_returns(folder)
    pnl = returns.pnl.copy()
    pnl[40, 7] += 1.0
    wrong = StrategyReturns(pnl, returns.names, returns.dates)
    compared = compare_book(wrong, folder)
    assert returns.names[7] in set(compared.filter(~compared["within"])["subject"])


@pytest.mark.real_data
def test_a_book_of_other_strategies_has_nothing_to_compare(real_data: Path) -> None:
    folder = real_data / "strategies"
    dates = np.array(["2024-01-04", "2024-01-11"], "datetime64[D]")
    other = StrategyReturns(np.ones((2, 1)), ("mine",), dates)
    assert not holds_recorded(other, folder)
    with pytest.raises(InputFileError, match="no strategy of the record"):
        compare_book(other, folder)


def test_a_folder_without_figures_names_what_it_lacks(tmp_path: Path) -> None:
    dates = np.array(["2024-01-04"], "datetime64[D]")
    mine = StrategyReturns(np.ones((1, 1)), ("mine",), dates)
    with pytest.raises(InputFileError, match="files of recorded figures"):
        holds_recorded(mine, tmp_path)
