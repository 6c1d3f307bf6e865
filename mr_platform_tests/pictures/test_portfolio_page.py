from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mr_platform.pictures import portfolio_page as page_module
from mr_platform.pictures.portfolio_page import FOLDED_ROWS, Origin, ZonesShown, portfolio_page
from mr_platform.pictures.portfolio_picture import PortfolioPicture, portfolio_pictures
from mr_platform.portfolio.portfolio_facts import ReportFacts, report_facts
from mr_platform_tests.pictures.picture_days import SIGNATURE
from mr_platform_tests.portfolio.found_portfolios import (
    drawn,
    found,
    held_out_report,
    lone_report,
    report,
    weighted_report,
)
from mr_platform_tests.portfolio.recorded import small_returns

ORIGIN = Origin(
    files=("returns <1>.csv", "more & more.csv"),
    content_hash="ab" * 32,
    book="sensex",
    metric="ratio",
    measure="ratio − 10 × mean correlation",
    seeds=(7,),
)
ZONES = pl.DataFrame(
    {
        "zone": ["A", "B <late>"],
        "rows": [40, 38],
        "size": [2, 2],
        "algorithm": ["hill_climbing"] * 2,
        "fitness": [4.5, 1.0],
        "roi": [120.0, 30.0],
        "max_drawdown": [12.0, 40.0],
        "win_rate": [0.6, 0.5],
        "profit_factor": [3.0, 1.5],
        "expectancy": [0.1, 0.2],
        "allocation": [0.8, 0.2],
        "correlation": ['{"A": 1.0, "B <late>": 0.25}', '{"A": 0.25, "B <late>": 1.0}'],
        "members": ['["one & two", "three"]', '["four", "five"]'],
        "seed": [7, 7],
        "evaluations": [20_000] * 2,
    }
)
PICTURES = tuple(
    PortfolioPicture(name, f"{name} <title>", "read & see", SIGNATURE + name.encode())
    for name in ("equity", "composition", "correlation", "convergence", "sizes")
)


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.opened: list[str] = []
        self.sources: list[str] = []
        self.identities: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.sources += [value for name in ("src", "href") if (value := values.get(name))]
        self.identities += [value] if (value := values.get("id")) else []
        if tag not in ("meta", "img"):
            self.opened.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.opened.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def page(facts: ReportFacts | None = None, **changes: object) -> str:
    return portfolio_page(facts or report(), ORIGIN, pictures=PICTURES, **changes)


def read(text: str) -> _Tags:
    tags = _Tags()
    tags.feed(text)
    assert not tags.opened
    return tags


def test_the_page_asks_nothing_of_any_server_and_links_lead_to_sections() -> None:
    text = page()
    tags = read(text)
    for source in tags.sources:
        assert source.startswith(("data:image/png;base64,", "#"))
        if source.startswith("#"):
            assert source[1:] in tags.identities
    assert len(tags.identities) == len(set(tags.identities)) == 8
    assert not re.search(r"https?://|//[a-z]|@import|url\(|<script|<link", text)


def test_sections_stand_in_the_order_of_reading() -> None:
    assert read(page()).identities == [
        "equity", "figures", "composition", "members", "correlation", "sizes", "portfolios",
        "convergence",
    ]  # fmt: skip


def test_signs_of_markup_in_names_are_escaped() -> None:
    text = page(dropped=("gone <script>",))
    assert "odd &lt;b&gt;&amp;% $x^2$" in text
    assert "gone &lt;script&gt;" in text
    assert "returns &lt;1&gt;.csv" in text
    assert "<b>" not in text
    assert "equity &lt;title&gt;" in text
    shown = read(text).text
    assert "odd <b>&% $x^2$" in shown
    assert "more & more.csv" in shown


def test_source_hash_and_warnings_are_told() -> None:
    text = page()
    assert f"<code>{'ab' * 32}</code>" in text
    assert "CVaR 99 % is the single worst of 40 rows" in text
    assert "returns are rupees and no capital is given" in text
    silent = replace(ORIGIN, files=())
    assert "no source named" in portfolio_page(report(), silent, pictures=PICTURES)


def test_notes_of_the_caller_are_told_first_and_escaped() -> None:
    text = page(notes=("3 portfolios <left> out",))
    assert "<ul><li>3 portfolios &lt;left&gt; out</li><li>" in text


@pytest.mark.real_data
def test_a_page_of_real_strategies(real_data: Path) -> None:
    returns = small_returns(real_data / "strategies")
    members = np.random.default_rng(8).choice(returns.strategies, 37, replace=False)
    text = portfolio_page(report_facts(returns, [found(*members)]), ORIGIN)
    read(text)
    assert all(returns.names[member] in text for member in members)
    assert "of no known form" not in text
    assert len(text) < 1_000_000


def test_a_report_without_warnings_has_no_box() -> None:
    rng = np.random.default_rng(0)
    facts = lone_report(rng.normal(1.0, 5.0, (150, 3)), 0, 1, 2, capital=1e6, periods_a_year=252)
    assert 'class="warnings"' not in page(facts)
    assert 'class="warnings"' in page()


def test_tables_hold_portfolios_members_and_figures() -> None:
    tags = read(page(report(capital=5e5)))
    for text in ("Sharpe", "Sortino, legacy", "CVaR 99 %", "Kelly fraction", "capital at work",
                 "SENSEX 930-1030 SL38%TP27%", "2 × 56 %", "hill climbing",
                 "Kelly share, rupees"):  # fmt: skip
        assert text in tags.text
    assert "Kelly share, rupees" not in read(page()).text


def test_the_best_is_marked_and_a_long_table_folded() -> None:
    returns = drawn()
    many = [found(n % 12, (n + 1) % 12, fitness=float(n)) for n in range(FOLDED_ROWS + 6)]
    text = page(report_facts(returns, many))
    assert text.count('<tr class="best">') == 1
    assert "<summary>6 more</summary>" in text
    assert "<details>" not in page()


def test_the_same_report_gives_the_same_page_with_its_own_pictures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # that they are the same each time is a test of the pictures
    facts = report()
    asked, pictures = [], portfolio_pictures(facts)

    def drawn_before(drawn_of: ReportFacts) -> tuple[PortfolioPicture, ...]:
        asked.append(drawn_of)
        return pictures

    monkeypatch.setattr(page_module, "portfolio_pictures", drawn_before)
    text = portfolio_page(facts, ORIGIN)
    assert text == portfolio_page(facts, ORIGIN)
    assert [each is facts for each in asked] == [True, True]
    assert len(re.findall(r'<img alt="[^"]+" src="data:image/png;base64,iVBOR', text)) == 5
    read(text)


def test_odd_portfolios_have_a_page() -> None:
    for facts in (
        lone_report(np.array([[5.0]])),
        lone_report(np.full((4, 3), -2.0), unit="percent"),
        lone_report(np.zeros((3, 2))),
    ):
        tags = read(page(facts))
        assert "not defined" in tags.text
        assert not any(re.search(r"\bnan\b|\binf\b|None", text) for text in tags.text)


def test_the_head_tells_the_book_the_measure_the_dates_and_the_searches() -> None:
    tags = read(page())
    assert "sensex: 4 of 12 strategies, best by ratio" in tags.text
    assert "2024-01-04 to 2024-10-03, all of it searched" in tags.text
    told = dict(zip(tags.text, tags.text[1:], strict=False))
    assert told["searched for"] == "ratio − 10 × mean correlation"
    assert told["rows"] == "40"
    assert told["searches"] == (
        "genetic, hill climbing (legacy); 3, 4 members; 2,000 portfolios judged; seed 7"
    )
    sizes = [found(*range(size), fitness=1.0) for size in (2, 3, 4, 5)]
    text = portfolio_page(
        report_facts(drawn(), sizes), replace(ORIGIN, seeds=(7, 8)), pictures=PICTURES
    )
    assert "genetic; 2 to 5 members; 2,000 portfolios judged; seeds 7, 8" in text
    gaps = report_facts(drawn(), [one for one in sizes if one.size != 3])
    assert "genetic; 2, 4, 5 members;" in page(gaps)


def test_without_dates_held_out_a_line_tells_how_to_get_them() -> None:
    text = page()
    assert "<code>mr portfolio optimize sensex --holdout 0.25</code>" in text
    assert 'id="held_out"' not in text
    assert "--holdout" not in page(held_out_report())


def test_dates_held_out_have_a_section_with_every_portfolio() -> None:
    text = page(held_out_report())
    tags = read(text)
    assert tags.identities[:3] == ["equity", "held_out", "figures"]
    assert (
        "searched on 2024-01-04 to 2024-10-03, held out for judgement 2024-10-10 to 2024-12-12"
        in tags.text
    )
    assert "40 searched, 10 held out" in tags.text
    section = text.split('<section id="held_out">')[1].split("</section>")[0]
    assert "The last 10 dates (2024-10-10 to 2024-12-12) were held out: " in section
    assert section.count('<tr class="best">') == 1
    assert "portfolio, held out" in section
    assert section.count("hill climbing") == 2


def test_weights_of_rows_have_a_section_where_rules_weighed_them() -> None:
    text = page(weighted_report())
    assert "weights" in read(text).identities
    section = text.split('<section id="weights">')[1].split("</section>")[0]
    assert "all strategies, weighted" in section
    assert "Nothing is scaled back" in section
    assert 'id="weights"' not in page()
    assert "Raw is every row searched" in section
    days = page(weighted_report(), zones_added_up=True)
    assert "Raw is every row searched" not in days
    assert "the zones of the day at their full size added up by their weights" in days


def test_zones_that_were_searched_have_a_section() -> None:
    text = page(zones=ZonesShown(ZONES, "They were searched for roi & <more>."))
    tags = read(text)
    assert tags.identities[-2:] == ["zones", "convergence"]
    assert "B <late>" in tags.text
    assert "one & two, three" in tags.text
    assert "80.0 %" in tags.text
    assert "0.25" in tags.text
    assert "found for each zone, up to 20,000 portfolios judged a search, seed 7. They were" in text
    assert "They were searched for roi &amp; &lt;more&gt;." in text
