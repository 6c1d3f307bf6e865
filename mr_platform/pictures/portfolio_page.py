"""A report on portfolios as one HTML page that holds everything it shows.

Here: the text of the page; its pictures are data URIs, and it asks nothing of any server.
Not here: the pictures (``portfolio_picture.py``), rows of its tables (``portfolio_rows.py``,
``comparison_rows.py``), where the page is written.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import polars as pl

from mr_platform.pictures.comparison_rows import (
    Sheet,
    held_out_figures,
    held_out_table,
    weighted_table,
    zone_correlations,
    zone_table,
)
from mr_platform.pictures.day_page import data_uri
from mr_platform.pictures.equity_plots import amount
from mr_platform.pictures.portfolio_picture import PortfolioPicture, portfolio_pictures
from mr_platform.pictures.portfolio_rows import (
    Figure,
    Group,
    figure_groups,
    member_table,
    summary_cells,
    summary_columns,
)
from mr_platform.pictures.search_plots import search_name
from mr_platform.portfolio.portfolio_facts import HeldOutFacts, ReportFacts
from mr_platform.portfolio.report_warnings import held_out_sentence, report_warnings

_STYLE = """
:root { color-scheme: light; }
body { margin: 0 auto; max-width: 1240px; padding: 24px 28px 48px; background: #fff; color: #1f2933;
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
h1 { font-size: 26px; margin: 0 0 4px; }
h2 { font-size: 17px; margin: 0 0 4px; }
nav { margin: 14px 0 6px; display: flex; flex-wrap: wrap; gap: 4px 18px; }
nav a { color: #0072b2; text-decoration: none; white-space: nowrap; }
nav a:hover { text-decoration: underline; }
dl { display: flex; flex-wrap: wrap; gap: 10px 34px; margin: 14px 0; }
dt { color: #5f6b76; font-size: 12.5px; }
dd { margin: 0; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
section { margin: 26px 0; border-top: 1px solid #e6eaee; padding-top: 12px; }
img { width: 100%; height: auto; display: block; }
p.about { color: #5f6b76; max-width: 88ch; margin: 2px 0 0; }
.warnings { border-left: 4px solid #d55e00; background: #fdf3ec; padding: 8px 14px;
  margin: 14px 0; }
.warnings ul { margin: 4px 0; padding-left: 22px; }
.warnings li { margin: 4px 0; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
code { background: #f3f5f8; border-radius: 3px; padding: 1px 5px; font-size: 13px;
  overflow-wrap: anywhere; }
table { border-collapse: collapse; margin: 12px 0; font-size: 13px;
  font-variant-numeric: tabular-nums; }
caption { text-align: left; color: #5f6b76; padding-bottom: 4px; }
th, td { text-align: left; padding: 3px 12px 3px 0; border-bottom: 1px solid #e6eaee;
  vertical-align: baseline; }
th { font-weight: 600; }
td, th { white-space: nowrap; }
td.n, th.n { text-align: right; }
th.n, td.what { white-space: normal; }
tr.best td { background: #eaf3fa; font-weight: 600; }
tr.group th { padding-top: 14px; color: #0072b2; }
td.what { color: #5f6b76; }
summary { cursor: pointer; color: #0072b2; margin: 12px 0; }
footer { color: #5f6b76; font-size: 13px; margin-top: 30px; }
@media print { nav, summary { display: none; } section { break-inside: avoid; } }
"""

_ORDER = (
    "equity", "held_out", "figures", "weights", "composition", "members", "correlation", "sizes",
    "portfolios", "zones", "convergence",
)  # fmt: skip

FOLDED_ROWS = 24
"""A table of all portfolios longer than this shows as many of the best, the rest folded away."""

_HASH_SHOWN = 16
_LISTED_SIZES = 2


@dataclass(frozen=True)
class Origin:
    """Where the returns and the portfolios of a report come from.

    Attributes:
        files: Names of the sources, as a reader knows them.
        content_hash: Hex digest of what was read.
        book: The book that they are of.
        metric: What was searched for.
        measure: The fitness in full, with its prices.
        seeds: Roots of chance of the searches, ascending.
    """

    files: tuple[str, ...]
    content_hash: str
    book: str
    metric: str
    measure: str
    seeds: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class ZonesShown:
    """Portfolios of zones that were searched alone.

    Attributes:
        rows: Rows of ``zone_portfolios``, one at least.
        told: By what, on which dates and rows they were searched, in sentences.
    """

    rows: pl.DataFrame
    told: str


def portfolio_page(
    report: ReportFacts,
    origin: Origin,
    *,
    dropped: Sequence[str] = (),
    notes: Sequence[str] = (),
    zones: ZonesShown | None = None,
    zones_added_up: bool = False,
    pictures: Sequence[PortfolioPicture] | None = None,
) -> str:
    """The page of a report; the same report gives the same text.

    Args:
        report: The facts.
        origin: Where the returns come from.
        dropped: Members that were asked for and are not among the strategies.
        notes: More that a reader should know, a sentence each, plain text; told first.
        zones: Portfolios of zones; None where no zone was searched alone.
        zones_added_up: Whether a row is the zones of a day, added up by their weights.
        pictures: Pictures that were drawn already; None draws them.
    """
    shown = portfolio_pictures(report) if pictures is None else pictures
    title = (
        f"{origin.book}: {report.best.found.size} of {report.strategies:,} strategies, "
        f"best by {origin.metric}"
    )
    found = {each.name: (each.title, _picture(each)) for each in shown} | {
        "figures": ("Figures", _figures(figure_groups(report))),
        "members": ("Members", _members(report)),
        "portfolios": ("All portfolios", _summary(report)),
    }
    if report.held_out is not None:
        found["held_out"] = ("Dates held out", _held_out(report, report.held_out))
    if report.weighted is not None:
        found["weights"] = ("Raw and weighted", _weights(report, report.weighted, zones_added_up))
    if zones is not None:
        found["zones"] = ("Zones of the day", _zones(zones, report.settings.unit))
    sections = [(name, *found[name]) for name in _ORDER if name in found]
    links = "".join(f'<a href="#{name}">{escape(text)}</a>' for name, text, _ in sections)
    body = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="about">{escape(_dates(report))}</p>',
        _facts(report, origin),
        _warnings((*notes, *report_warnings(report, dropped))),
        "" if report.held_out is not None else _nothing_held_out(origin.book),
        f"<nav>{links}</nav>",
        *(text for _, _, text in sections),
        f"<footer>Data: {_sources(origin)}; content hash <code>{escape(origin.content_hash)}"
        "</code>. Every figure is taken from rows as they came, one after the other: nothing is "
        "compounded, costs of trading are those of the source.</footer>",
    ]  # fmt: skip
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n"
        "</head>\n<body>\n" + "\n".join(part for part in body if part) + "\n</body>\n</html>\n"
    )


def _dates(report: ReportFacts) -> str:
    own, later = report.dates, report.held_out
    if later is None:
        return f"{own[0]} to {own[-1]}, all of it searched"
    return (
        f"searched on {own[0]} to {own[-1]}, held out for judgement {later.dates[0]} to "
        f"{later.dates[-1]}"
    )


def _facts(report: ReportFacts, origin: Origin) -> str:
    best, later = report.best, report.held_out
    legacy = best.series.legacy
    facts = {
        "searched for": origin.measure,
        "found by": search_name(best.found),
        "fitness": f"{best.found.fitness:.6g}",
        f"ROI, {report.settings.unit}": amount(legacy["roi"]),
        f"drawdown, {report.settings.unit}": amount(legacy["max_drawdown"]),
        "winning rows": f"{100 * legacy['win_rate']:.1f} %",
        "mean correlation": f"{best.mean_correlation:.3f}",
        "rows": f"{report.dates.size:,}"
        + ("" if later is None else f" searched, {later.dates.size:,} held out"),
        "searches": _searches(report, origin),
        "data": f"{', '.join(origin.files)} ({origin.content_hash[:_HASH_SHOWN]})",
    }
    pairs = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
        for name, value in facts.items()
    )
    return f"<dl>{pairs}</dl>"


def _searches(report: ReportFacts, origin: Origin) -> str:
    """What the portfolios were chosen among."""
    sizes = sorted({found.size for found in report.portfolios})
    whole = sizes == list(range(sizes[0], sizes[-1] + 1)) and len(sizes) > _LISTED_SIZES
    told = f"{sizes[0]} to {sizes[-1]}" if whole else ", ".join(map(str, sizes))
    names = ", ".join(sorted({search_name(found) for found in report.portfolios}))
    judged = sum(found.evaluations for found in report.portfolios)
    seeds = ", ".join(map(str, origin.seeds))
    return (
        f"{names}; {told} members; {judged:,} portfolios judged; "
        f"seed{'' if len(origin.seeds) == 1 else 's'} {seeds}"
    )


def _nothing_held_out(book: str) -> str:
    command = f"mr portfolio optimize {book} --holdout 0.25"
    return (
        '<p class="about">No dates were held out: every figure is of the rows that the members '
        f"were chosen by. <code>{escape(command)}</code> keeps the last quarter of the dates from "
        "the searches and tells what the portfolios did there.</p>"
    )


def _warnings(texts: Sequence[str]) -> str:
    if not texts:
        return ""
    entries = "".join(f"<li>{escape(text)}</li>" for text in texts)
    return f'<div class="warnings">Before these figures are trusted<ul>{entries}</ul></div>'


def _picture(each: PortfolioPicture) -> str:
    return (
        f'<section id="{escape(each.name)}"><img alt="{escape(each.title)}" '
        f'src="{data_uri(each.png)}"><p class="about">{escape(each.about)}</p></section>'
    )


def _summary(report: ReportFacts) -> str:
    ordered = report.table.with_row_index("place").sort(
        "fitness", "size", "algorithm", "form", descending=[True, False, False, False]
    )
    head = _head(summary_columns(report.settings))
    best = report.portfolios.index(report.best.found)
    rows = [
        _row(summary_cells(row), ' class="best"' if row["place"] == best else "")
        for row in ordered.iter_rows(named=True)
    ]
    text = _folded(head, rows)
    return f'<section id="portfolios"><h2>All portfolios, the best first</h2>{text}</section>'


def _held_out(report: ReportFacts, later: HeldOutFacts) -> str:
    return (
        '<section id="held_out"><h2>Dates held out</h2>'
        f'<p class="about">{escape(_sentence(held_out_sentence(report)))} No search saw these '
        "dates, so they tell how good the choice was; the rows searched do not.</p>"
        f"{_sheet(held_out_figures(report, later))}"
        "<h2>All portfolios, where searched and after</h2>"
        f"{_sheet(held_out_table(report, later))}</section>"
    )


def _weights(report: ReportFacts, weighted: pl.DataFrame, added_up: bool) -> str:
    rows = (
        "Raw is every row searched at its full size; weighted is the same rows by the rules, where "
        "one that is left out counts as 0."
    )
    days = (
        "Raw is every date searched, the zones of the day at their full size added up by their "
        "weights; weighted is the same dates, each zone by the rules before it is added, where one "
        "that is left out counts as 0. A zone of which the rules keep no row counts in neither."
    )
    return (
        '<section id="weights"><h2>Raw and weighted</h2><p class="about">Rules of regimes '
        f"weigh rows or leave them out. {days if added_up else rows} Nothing is scaled back: what "
        "a rule takes away is cash. The other figures of these portfolios count the rows that "
        f"are kept, weighted.</p>{_sheet(weighted_table(weighted, report.settings))}</section>"
    )


def _zones(zones: ZonesShown, unit: str) -> str:
    rows, first = zones.rows, zones.rows.row(0, named=True)
    members = "".join(
        f"<details><summary>{escape(zone)}: {size} members</summary>"
        f"<p>{escape(', '.join(json.loads(names)))}</p></details>"
        for zone, size, names in rows.select("zone", "size", "members").rows()
    )
    return (
        '<section id="zones"><h2>Zones of the day, each searched alone</h2><p class="about">'
        f"The best that {escape(first['algorithm'].replace('_', ' '))} found for each zone, up to "
        f"{first['evaluations']:,} portfolios judged a search, seed {first['seed']}. "
        f"{escape(zones.told)} The share of the capital is a suggestion: the ROI of the zone, at "
        f"least 0.01, over the sum of all.</p>{_sheet(zone_table(rows, unit))}"
        '<p class="about">Correlation between the portfolios of the zones, over the dates '
        "searched; a date without a row of a zone counts as 0.</p>"
        f"{_sheet(zone_correlations(rows))}{members}</section>"
    )


def _figures(groups: Sequence[Group]) -> str:
    head = _head((("figure", False), ("portfolio", True), ("all strategies", True),
                  ("unit", False), ("what it is", False)))  # fmt: skip
    lines = "".join(
        f'<tr class="group"><th colspan="5">{escape(group.title)}</th></tr>'
        + "".join(map(_figure, group.figures))
        for group in groups
    )
    return (
        '<section id="figures"><h2>Figures</h2><div class="wide"><table>'
        f"{head}{lines}</table></div></section>"
    )


def _figure(figure: Figure) -> str:
    return (
        f'<tr><td>{escape(figure.name)}</td><td class="n">{escape(figure.portfolio)}</td>'
        f'<td class="n">{escape(figure.universe)}</td><td>{escape(figure.unit)}</td>'
        f'<td class="what">{escape(figure.what)}</td></tr>'
    )


def _members(report: ReportFacts) -> str:
    head, cells = member_table(report)
    rows = "".join(map(_row, cells))
    return (
        '<section id="members"><h2>Members</h2><p class="about">Each has the same weight. Its part '
        "of the deepest fall is what it lost over the shaded span, divided by the number of "
        "members; negative where it gained. A Kelly share is a capped Kelly fraction, scaled so "
        "that all fit into the capital.</p>"
        f'<div class="wide"><table>{_head(head)}{rows}</table></div>'
        "</section>"
    )


def _sheet(sheet: Sheet) -> str:
    rows = [
        _row(cells, ' class="best"' if place == sheet.marked else "")
        for place, cells in enumerate(sheet.rows)
    ]
    return _folded(_head(sheet.head), rows)


def _folded(head: str, rows: Sequence[str]) -> str:
    """A table; what goes beyond :data:`FOLDED_ROWS` is folded away."""
    first, rest = rows[:FOLDED_ROWS], rows[FOLDED_ROWS:]
    text = f'<div class="wide"><table>{head}{"".join(first)}</table></div>'
    if rest:
        text += (
            f'<details><summary>{len(rest)} more</summary><div class="wide"><table>{head}'
            f"{''.join(rest)}</table></div></details>"
        )
    return text


def _head(columns: Sequence[tuple[str, bool]]) -> str:
    cells = "".join(
        f'<th class="n">{escape(name)}</th>' if number else f"<th>{escape(name)}</th>"
        for name, number in columns
    )
    return f"<tr>{cells}</tr>"


def _row(cells: Sequence[tuple[str, bool]], attributes: str = "") -> str:
    filled = "".join(
        f'<td class="n">{escape(text)}</td>' if number else f"<td>{escape(text)}</td>"
        for text, number in cells
    )
    return f"<tr{attributes}>{filled}</tr>"


def _sources(origin: Origin) -> str:
    return ", ".join(f"<code>{escape(name)}</code>" for name in origin.files) or "no source named"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
