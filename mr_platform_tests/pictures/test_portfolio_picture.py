from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from mr_platform.pictures.canvas import DPI
from mr_platform.pictures.equity_plots import Curves
from mr_platform.pictures.portfolio_picture import (
    WIDTH,
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


def size_of(png: bytes) -> tuple[int, int]:
    return Image.open(io.BytesIO(png)).size


def test_pictures_are_named_and_as_wide_as_the_page_and_the_same_each_time() -> None:
    facts = report()
    pictures = portfolio_pictures(facts)
    assert [each.name for each in pictures] == KINDS
    assert all(size_of(each.png)[0] == round(WIDTH * DPI) for each in pictures)
    assert pictures == portfolio_pictures(facts)


@pytest.mark.parametrize(
    "facts",
    [
        lone_report(np.array([[5.0]])),
        lone_report(np.array([[5.0, -2.0]])),
        lone_report(np.full((4, 3), 2.0)),
        lone_report(np.full((4, 3), -2.0), unit="percent"),
        lone_report(np.zeros((3, 2)), capital=1e6),
    ],
    ids=["one member, one row", "one row", "constant", "all loss, per cent", "nothing at all"],
)
def test_odd_portfolios_are_drawn(facts: ReportFacts) -> None:
    assert [each.name for each in portfolio_pictures(facts)] == KINDS


def test_a_hundred_members_are_drawn_taller() -> None:
    returns = drawn(rows=20, strategies=100)
    many = {
        each.name: size_of(each.png)
        for each in portfolio_pictures(report_facts(returns, [found(*range(100))]))
    }
    assert many["composition"][1] > 14 * DPI
    assert many["correlation"][1] < 12 * DPI


def test_pictures_of_a_run_folder() -> None:
    facts = report()
    curves = Curves(facts.dates, "rupees", facts.best.series)
    above, below = equity_png(curves, "size 4 <&% $"), drawdown_png(curves, "size 4 <&% $")
    assert size_of(above) == size_of(below)
    assert above != below
    assert above == equity_png(curves, "size 4 <&% $")


def test_the_curves_say_by_which_rows_the_members_were_chosen() -> None:
    first, held = (portfolio_pictures(facts)[0] for facts in (report(), held_out_report()))
    assert "chosen by these same rows" in first.about
    assert "from 2024-10-10 on, no search saw" in held.about
    assert first.png != held.png
