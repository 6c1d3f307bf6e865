from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from mr_platform.pictures import portfolio_picture
from mr_platform.pictures.canvas import DPI
from mr_platform.pictures.equity_plots import Curves
from mr_platform.pictures.portfolio_picture import (
    WIDTH,
    PortfolioPicture,
    drawdown_png,
    equity_png,
    portfolio_pictures,
)
from mr_platform.portfolio.portfolio_facts import ReportFacts, report_facts
from mr_platform_tests.portfolio.found_portfolios import (
    drawn,
    found,
    held_out_report,
    lone_report,
    report,
)

KINDS = ["equity", "composition", "correlation", "convergence", "sizes"]
DRAWS = ["_two_curves", "_composition", "_correlation", "_convergence", "_sizes"]


def size_of(png: bytes) -> tuple[int, int]:
    return Image.open(io.BytesIO(png)).size


@pytest.fixture(scope="module")
def pictures() -> tuple[PortfolioPicture, ...]:
    """Those of a report, drawn once."""
    return portfolio_pictures(report())


@pytest.fixture
def drawing(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, PortfolioPicture]]:
    """Draw some pictures of a report by name; the others would take seconds, and are left empty."""
    draws = dict(zip(KINDS, DRAWS, strict=True))

    def drawn_of(facts: ReportFacts, *names: str) -> dict[str, PortfolioPicture]:
        with monkeypatch.context() as patched:
            for name in set(KINDS) - set(names):
                patched.setattr(portfolio_picture, draws[name], lambda *_: b"")
            return {each.name: each for each in portfolio_pictures(facts) if each.name in names}

    return drawn_of


def test_pictures_are_named_and_as_wide_as_the_page_and_the_same_each_time(
    pictures: tuple[PortfolioPicture, ...],
) -> None:
    assert [each.name for each in pictures] == KINDS
    assert all(size_of(each.png)[0] == round(WIDTH * DPI) for each in pictures)
    assert pictures == portfolio_pictures(report())


@pytest.mark.parametrize(
    "facts",
    [
        lone_report(np.array([[5.0]])),
        pytest.param(lone_report(np.array([[5.0, -2.0]])), marks=pytest.mark.slow),
        pytest.param(lone_report(np.full((4, 3), 2.0)), marks=pytest.mark.slow),
        lone_report(np.full((4, 3), -2.0), unit="percent"),
        lone_report(np.zeros((3, 2)), capital=1e6),
    ],
    ids=["one member, one row", "one row", "constant", "all loss, per cent", "nothing at all"],
)
def test_odd_portfolios_are_drawn(facts: ReportFacts) -> None:
    assert [each.name for each in portfolio_pictures(facts)] == KINDS


def test_a_hundred_members_are_drawn_taller(
    drawing: Callable[..., dict[str, PortfolioPicture]],
) -> None:
    returns = drawn(rows=20, strategies=100)
    hundred = report_facts(returns, [found(*range(100))])
    shown = drawing(hundred, "composition", "correlation")
    many = {name: size_of(each.png) for name, each in shown.items()}
    assert many["composition"][1] > 14 * DPI
    assert many["correlation"][1] < 12 * DPI


def test_pictures_of_a_run_folder() -> None:
    facts = report()
    curves = Curves(facts.dates, "rupees", facts.best.series)
    above, below = equity_png(curves, "size 4 <&% $"), drawdown_png(curves, "size 4 <&% $")
    assert size_of(above) == size_of(below)
    assert above != below
    assert above == equity_png(curves, "size 4 <&% $")


def test_the_curves_say_by_which_rows_the_members_were_chosen(
    pictures: tuple[PortfolioPicture, ...],
    drawing: Callable[..., dict[str, PortfolioPicture]],
) -> None:
    first, held = pictures[0], drawing(held_out_report(), "equity")["equity"]
    assert "chosen by these same rows" in first.about
    assert "from 2024-10-10 on, no search saw" in held.about
    assert first.png != held.png
