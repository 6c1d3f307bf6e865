"""The page of a book, gathered from stored portfolios."""

from __future__ import annotations

import html
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mr_platform.config.settings import ZoneSettings
from mr_platform.errors import InputFileError
from mr_platform.gateways.storage_faults import StorageError
from mr_platform.orchestration import book_report
from mr_platform.orchestration.book_report import (
    WrittenReport,
    gather_report,
    summary_text,
    write_report,
)
from mr_platform.orchestration.book_zones import ZoneConfig, zone_rows
from mr_platform.orchestration.strategy_books import write_part
from mr_platform.pictures import portfolio_page
from mr_platform.pictures.portfolio_page import Origin
from mr_platform.portfolio import legacy_metrics
from mr_platform_tests.orchestration.small_books import (
    BOOK,
    Shelf,
    names,
    order,
    search,
    sheet,
    zone_sheet,
)
from mr_platform_tests.portfolio.found_portfolios import lone_report

CAP = 0.25


@pytest.fixture(scope="module")
def unsearched(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """A loaded book."""
    made = Shelf(tmp_path_factory.mktemp("home"))
    made.land("year.csv", sheet())
    made.load()
    return made


@pytest.fixture(scope="module")
def shelf(unsearched: Shelf, tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """A book whose sizes 3 and 4 were searched."""
    made = unsearched.copied(tmp_path_factory.mktemp("searched") / "home")
    for size in (3, 4):
        search(made, size)
    return made


@pytest.fixture(scope="module")
def written(shelf: Shelf) -> WrittenReport:
    return write_report(shelf.lakehouse, BOOK, shelf.home / "new" / "reports", kelly_cap=CAP)


@pytest.fixture
def own_shelf(unsearched: Shelf, tmp_path: Path) -> Shelf:
    return unsearched.copied(tmp_path / "home")


@pytest.fixture
def without_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page of words and tables: drawing takes seconds."""
    monkeypatch.setattr(portfolio_page, "portfolio_pictures", lambda _: ())


def notes_alone(_: object, origin: Origin, *, notes: tuple[str, ...], **__: object) -> str:
    """In the place of a page, whose pictures have their tests."""
    return "\n".join((origin.measure, *notes))


def test_the_page_is_one_whole_file_in_a_folder_made_for_it(written: WrittenReport) -> None:
    assert written.page.name == "sensex.html"
    assert [path.name for path in written.page.parent.iterdir()] == ["sensex.html"]
    text = written.page.read_text("utf-8")
    assert text.rstrip().endswith("</html>")
    assert "http" not in text.replace("http-equiv", "")


def test_the_page_has_the_figures_the_members_and_the_file(
    shelf: Shelf, written: WrittenReport
) -> None:
    gathered = gather_report(shelf.lakehouse, BOOK, CAP)
    text = written.page.read_text("utf-8")

    best = gathered.facts.best.found
    for column in best.members:
        assert html.escape(gathered.current.returns.names[column]) in text
    assert "<b>on</b>" not in text, "a name is text"
    assert "strategy_books/sensex/year.csv" in text
    assert f"| fitness | {best.fitness:.6g} |" in written.summary
    assert f"| size | {best.size} |" in written.summary
    assert written.summary == summary_text(gathered.facts)
    assert any("40 rows" in warning for warning in written.warnings), written.warnings
    assert f"sensex: {best.size} of 12 strategies, best by ratio" in text
    assert "ratio − 10 × mean correlation" in text
    assert "3, 4 members; 240 portfolios judged; seed 7" in text
    assert 'id="zones"' not in text, "no zone was searched"


def test_facts_are_those_of_every_stored_portfolio(shelf: Shelf) -> None:
    gathered = gather_report(shelf.lakehouse, BOOK, CAP)
    stored = shelf.lakehouse.scan("portfolios").collect()

    assert gathered.current.left_out == 0
    assert gathered.book.book == BOOK
    assert sorted(one.fitness for one in gathered.facts.portfolios) == sorted(stored["fitness"])
    assert {one.size for one in gathered.facts.portfolios} == {3, 4}
    best = gathered.facts.best.found
    assert best.fitness == stored["fitness"].max()
    series = gathered.current.returns.pnl[:, best.members].mean(axis=1)[None, :]
    assert gathered.facts.best.series.legacy["roi"] == pytest.approx(series.sum())
    assert gathered.facts.best.series.legacy["max_drawdown"] == pytest.approx(
        float(legacy_metrics.drawdown(series)[0])
    )


def test_portfolios_that_cannot_be_compared_are_left_out_and_counted(
    own_shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book_report, "portfolio_page", notes_alone)
    search(own_shelf, 2, metric="expectancy")
    search(own_shelf, 3)
    changed = sheet().with_columns(pl.col(names()[1]) - 500)
    own_shelf.land("year.csv", changed)
    own_shelf.load()
    with pytest.raises(InputFileError, match="those stored were searched on other returns"):
        gather_report(own_shelf.lakehouse, BOOK, CAP)
    search(own_shelf, 4, metric="roi")
    search(own_shelf, 5, metric="roi", inversion=True)

    gathered = gather_report(own_shelf.lakehouse, BOOK, CAP)

    assert {one.size for one in gathered.facts.portfolios} == {5}, "searched last"
    assert gathered.current.left_out == 6
    assert gathered.current.metric == "roi"
    written = write_report(own_shelf.lakehouse, BOOK, own_shelf.home, kelly_cap=CAP)
    (left_out,) = (line for line in written.warnings if "are left out" in line)
    assert left_out.startswith("6 stored portfolios are left out")
    assert left_out in written.page.read_text("utf-8")


def test_a_page_is_replaced_only_by_a_whole_one(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "sensex.html"
    page.write_text("the old page")
    monkeypatch.setattr(book_report, "portfolio_page", lambda *_, **__: "x" * 100)
    write = Path.write_text

    def cut(self: Path, text: str, *given: object) -> int:
        write(self, text[:10])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_text", cut)
        with pytest.raises(StorageError, match="no room"):
            write_report(shelf.lakehouse, BOOK, tmp_path, kelly_cap=CAP)

    assert page.read_text() == "the old page"
    assert [path.name for path in tmp_path.iterdir()] == ["sensex.html"]
    write_report(shelf.lakehouse, BOOK, tmp_path, kelly_cap=CAP)
    assert page.read_text() == "x" * 100


def test_a_book_without_portfolios_has_no_report(own_shelf: Shelf, tmp_path: Path) -> None:
    for missing in (BOOK, "nifty"):
        with pytest.raises(InputFileError):
            write_report(own_shelf.lakehouse, missing, tmp_path / "reports", kelly_cap=CAP)

    assert not (tmp_path / "reports").exists()


@pytest.mark.usefixtures("without_pictures")
def test_a_capital_and_a_risk_free_rate_reach_the_page(shelf: Shelf, tmp_path: Path) -> None:
    plain = gather_report(shelf.lakehouse, BOOK, CAP, risk_free=0.065).facts
    assert plain.settings.risk_free == 0, "rupees without capital are fractions of nothing"
    measured = gather_report(shelf.lakehouse, BOOK, CAP, capital=2e5, risk_free=0.065).facts

    before, after = plain.best.series.standard, measured.best.series.standard
    assert after["var_95"] == pytest.approx(before["var_95"] / 2e5)
    assert after["sharpe"] < before["sharpe"]
    assert (plain.row_capital, plain.best.exposure) == (None, 1.0)
    written = write_report(
        shelf.lakehouse, BOOK, tmp_path, kelly_cap=CAP, capital=2e5, risk_free=0.065
    )
    text = written.page.read_text("utf-8")
    assert "risk-free 6.5 % a year" in text
    assert "of 200,000 rupees; the rest is cash" in text
    assert not any("no capital is given" in warning for warning in written.warnings)


@pytest.mark.usefixtures("without_pictures")
def test_dates_held_out_are_judged_beside_those_searched(own_shelf: Shelf, tmp_path: Path) -> None:
    search(own_shelf, 3, holdout=0.25)
    search(own_shelf, 4, holdout=0.25, inversion=True)

    gathered = gather_report(own_shelf.lakehouse, BOOK, CAP)

    book, facts = own_shelf.read().returns, gathered.facts
    later = facts.held_out
    assert later is not None
    assert (facts.dates.size, later.dates.size) == (30, 10)
    columns = [
        (book.names.index(name.removesuffix("_inv")), -1 if name.endswith("_inv") else 1)
        for name in (gathered.current.returns.names[member] for member in facts.best.found.members)
    ]
    expected = sum(book.pnl[30:, column] * sign for column, sign in columns) / 4
    assert later.best.rows == pytest.approx(expected)
    written = write_report(own_shelf.lakehouse, BOOK, tmp_path, kelly_cap=CAP)
    text = written.page.read_text("utf-8")
    assert 'id="held_out"' in text
    assert written.warnings[0].startswith("the last 10 dates (2024-02-13 to 2024-02-26) were held")
    assert html.escape(written.warnings[0]) in text
    assert written.warnings[-2] == (
        "before the search the last 25 % of the dates were held out; strategies that lose on the "
        "rows searched were inverted"
    )
    assert written.warnings[-1].startswith("2 stored portfolios are left out")
    assert "{" not in "".join(written.warnings)
    assert f"| ratio on dates held out | {later.best.legacy['ratio']:.6g} |" in written.summary


@pytest.fixture(scope="module")
def zoned(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """A book by zone, some of whose rows are left out, and the portfolios of its zones."""
    made = Shelf(tmp_path_factory.mktemp("zoned"))
    made.land("zones.csv", zone_sheet())
    made.load()
    search(made, 2, row_rules=["confidence filter"])
    rows = zone_rows(made.read(), ZoneConfig(sizes=[2]), order(), ZoneSettings())
    write_part(made.lakehouse, "zone_portfolios", rows, BOOK)
    return made


@pytest.mark.usefixtures("without_pictures")
def test_rows_are_told_raw_and_weighted_and_zones_shown(zoned: Shelf, tmp_path: Path) -> None:
    facts = gather_report(zoned.lakehouse, BOOK, CAP).facts
    book = zoned.read()
    assert facts.weighted is not None
    kept = book.rows["regime_confidence"].to_numpy() >= 0.7
    assert 0 < kept.sum() < book.returns.rows
    rows = book.returns.pnl[:, facts.best.found.members].mean(axis=1)
    told = facts.weighted.row(0, named=True)
    assert told["roi_raw"] == pytest.approx(rows.sum())
    assert told["roi_weighted"] == pytest.approx(rows[kept].sum())
    assert facts.best.series.legacy["roi"] == pytest.approx(told["roi_weighted"])

    written = write_report(zoned.lakehouse, BOOK, tmp_path, kelly_cap=CAP)
    text = written.page.read_text("utf-8")
    assert "for ratio − 10 × mean correlation on 2023-01-02 to 2023-01-30. No date was held" in text
    assert 'id="weights"' in text
    assert 'id="zones"' in text
    assert facts.best.exposure == pytest.approx(kept.mean())
    assert facts.best.utilisation == pytest.approx(facts.best.allocated * kept.mean())
    assert f'<td>exposure</td><td class="n">{100 * kept.mean():.1f} %</td>' in text
    assert facts.row_capital == 100_000
    assert '<td>capital told by rows</td><td class="n">100,000</td>' in text
    left_out = book.returns.rows - int(kept.sum())
    assert any(
        one.startswith(f"confidence filter: {left_out} of 40 rows left out")
        for one in written.warnings
    )
    assert (
        "the portfolios of the zones were searched by no rule of regimes, the others by confidence "
        "filter; search them alike: mr portfolio zones sensex --metric ratio "
        "--correlation-weight 10 --drawdown-threshold 0 --holdout 0 "
        "--rules 'confidence filter'"
    ) in written.warnings


def test_zones_that_were_searched_alike_need_no_warning(
    zoned: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book_report, "portfolio_page", notes_alone)
    own = zoned.copied(tmp_path / "home")
    alike = ZoneConfig(sizes=[2], row_rules=["confidence filter"])
    rows = zone_rows(own.read(), alike, order(), ZoneSettings())
    write_part(own.lakehouse, "zone_portfolios", rows, BOOK)

    written = write_report(own.lakehouse, BOOK, tmp_path, kelly_cap=CAP)

    assert not any("mr portfolio zones" in one for one in written.warnings)


def test_zones_that_were_searched_before_are_told_to_be_old(
    zoned: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book_report, "portfolio_page", notes_alone)
    own = zoned.copied(tmp_path / "home")
    own.land("zones.csv", zone_sheet().with_columns(pl.col("strategy_1") + 1))
    own.load()
    search(own, 2)

    written = write_report(own.lakehouse, BOOK, tmp_path, kelly_cap=CAP)

    assert written.page.read_text("utf-8").endswith(
        "the portfolios of the zones were searched on other returns than those stored; search them "
        "again: mr portfolio zones sensex --metric ratio --correlation-weight 10 "
        "--drawdown-threshold 0 --holdout 0 --rules none"
    )
    unknown = (
        own.lakehouse.scan("zone_portfolios")
        .collect()
        .with_columns(data_key=pl.lit(None, pl.String))
    )
    write_part(own.lakehouse, "zone_portfolios", unknown.drop("book", "part"), BOOK)
    written = write_report(own.lakehouse, BOOK, tmp_path, kelly_cap=CAP)
    assert "it was not noted on which returns" in written.page.read_text("utf-8")


def test_what_is_not_a_number_is_told_in_words() -> None:
    gain = lone_report(np.array([[2.0], [1.0]]))
    assert "| profit factor | ∞ |" in summary_text(gain)
    nothing = lone_report(np.array([[1.0], [-1.0]]))
    assert "| sortino | not defined |" in summary_text(nothing)
    assert "| sortino | −∞ |" in summary_text(lone_report(np.array([[1.0], [-3.0]])))
