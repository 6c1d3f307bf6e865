"""A symbol-day as one HTML page that holds everything it shows.

Here: the text of the page; its pictures are data URIs, and it asks nothing of any server.
Not here: the pictures (``day_picture.py``), where the page is written (``cli/day.py``).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape

from mr_platform.pictures.day_picture import Section
from mr_platform.pictures.null_map import NullRow
from mr_platform.pictures.source_gaps import source_gaps
from mr_platform.pictures.style import clock_of
from mr_platform.pictures.symbol_day import Missing, SymbolDay

_STYLE = """
:root { color-scheme: light; }
body { margin: 0 auto; max-width: 1240px; padding: 24px 28px 48px; background: #fff; color: #1f2933;
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
h1 { font-size: 26px; margin: 0 0 4px; }
nav { margin: 14px 0 6px; }
nav a { color: #0072b2; margin-right: 18px; text-decoration: none; }
nav a:hover { text-decoration: underline; }
dl { display: flex; flex-wrap: wrap; gap: 10px 34px; margin: 14px 0; }
dt { color: #5f6b76; font-size: 12.5px; }
dd { margin: 0; font-variant-numeric: tabular-nums; }
section { margin: 26px 0; border-top: 1px solid #e6eaee; padding-top: 12px; }
img { width: 100%; height: auto; display: block; }
p.about { color: #5f6b76; max-width: 88ch; margin: 2px 0 0; }
.missing { border-left: 4px solid #d55e00; background: #fdf3ec; padding: 8px 14px; margin: 14px 0; }
.missing li { margin: 4px 0; }
code { background: #f3f5f8; border-radius: 3px; padding: 1px 5px; font-size: 13px; }
table { border-collapse: collapse; margin: 12px 0; font-size: 13.5px;
  font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 3px 18px 3px 0; border-bottom: 1px solid #e6eaee; }
td.n, th.n { text-align: right; }
summary { cursor: pointer; color: #0072b2; margin: 12px 0; }
footer { color: #5f6b76; font-size: 13px; margin-top: 30px; }
@media print { nav, summary { display: none; } section { break-inside: avoid; } }
"""

WORST = 4
"""Families of a component listed under the map of nulls: every component is represented."""


def data_uri(png: bytes) -> str:
    """A PNG as an address that holds the picture itself."""
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"


def day_page(
    day: SymbolDay,
    shown: Sequence[Section],
    parts: Mapping[str, bytes],
    families: Sequence[NullRow] = (),
    family_map: bytes | None = None,
) -> str:
    """The page of a day.

    Args:
        day: The day.
        shown: Sections in their order.
        parts: PNG of each section by its name.
        families: Rows of the map of nulls by family, for the list of the emptiest.
        family_map: PNG of that map, folded away at first.
    """
    body = [
        f"<h1>{escape(day.title)}</h1>",
        _facts(day.facts),
        _missing(day.missing, source_gaps(day)),
        "<nav>" + "".join(_link(section) for section in shown) + "</nav>",
        *(_section(section, parts[section.name]) for section in shown),
        _families(families, family_map),
        "<footer>Times are IST; a value at a minute is known when the minute has ended. "
        f"Seen from the expiry {day.expiry}; <code>mr day {day.symbol} {day.date} --expiry "
        "DATE</code> shows another.</footer>",
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(day.symbol)} {day.date}</title>\n<style>{_STYLE}</style>\n"
        "</head>\n<body>\n" + "\n".join(part for part in body if part) + "\n</body>\n</html>\n"
    )


def _facts(facts: Mapping[str, str]) -> str:
    pairs = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
        for name, value in facts.items()
    )
    return f"<dl>{pairs}</dl>"


def _missing(missing: Sequence[Missing], gaps: Sequence[str]) -> str:
    if not missing and not gaps:
        return ""
    entries = "".join(
        f"<li>{escape(each.text)}: <code>{escape(each.command)}</code></li>" for each in missing
    )
    entries += "".join(f"<li>{escape(gap)}</li>" for gap in gaps)
    return f'<div class="missing">What is missing, and what it costs<ul>{entries}</ul></div>'


def _link(section: Section) -> str:
    return f'<a href="#{section.name}">{escape(section.title)}</a>'


def _section(section: Section, png: bytes) -> str:
    return (
        f'<section id="{section.name}"><img alt="{escape(section.title)}" src="{data_uri(png)}">'
        f'<p class="about">{escape(section.about)}</p></section>'
    )


def _families(rows: Sequence[NullRow], picture: bytes | None) -> str:
    by_component: dict[str, list[NullRow]] = {}
    for row in rows:
        by_component.setdefault(row.component, []).append(row)
    with_nulls = {name: _emptiest(found) for name, found in by_component.items()}
    with_nulls = {name: found for name, found in with_nulls.items() if found}
    if not with_nulls:
        return ""
    counts = "".join(
        f'<tr><td>{escape(name)}</td><td class="n">{len(by_component[name])}</td>'
        f'<td class="n">{len(found)}</td>'
        f'<td class="n">{sum(share == 1 for share, _ in found)}</td></tr>'
        for name, found in with_nulls.items()
    )
    tables = (
        "<table><caption>Families with nulls, by component</caption><tr><th>component</th>"
        '<th class="n">families</th><th class="n">with nulls</th>'
        f'<th class="n">null all day</th></tr>{counts}</table>'
    )
    shown = sum(min(len(found), WORST) for found in with_nulls.values())
    whole = sum(len(found) for found in with_nulls.values())
    lines = "".join(_worst(name, found) for name, found in with_nulls.items())
    tables += (
        f"<table><caption>The emptiest families, {shown} of {whole} with "
        f"nulls, at most {WORST} a component</caption>"
        '<tr><th>component</th><th>family</th><th class="n">columns</th>'
        f'<th class="n">null</th><th>first minute without</th></tr>{lines}</table>'
    )
    folded = ""
    if picture is not None:
        folded = (
            "<details><summary>the map by family</summary>"
            f'<img alt="Share of null values by family and minute" src="{data_uri(picture)}">'
            "</details>"
        )
    return f"<section>{tables}{folded}</section>"


def _emptiest(rows: Sequence[NullRow]) -> list[tuple[float, NullRow]]:
    """Rows with nulls and their share, the emptiest first, ties as declared."""
    found = [(row.day_share, row) for row in rows]
    return sorted(((share, row) for share, row in found if share), key=lambda pair: -pair[0])


def _worst(component: str, found: Sequence[tuple[float, NullRow]]) -> str:
    lines = "".join(
        f"<tr><td>{escape(row.component)}</td><td>{escape(row.name)}</td>"
        f'<td class="n">{row.columns}</td><td class="n">{100 * share:.1f} %</td>'
        f"<td>{_first(row)}</td></tr>"
        for share, row in found[:WORST]
    )
    rest = found[WORST:]
    if rest:
        empty = sum(share == 1 for share, _ in rest)
        at_all = f", {empty} of them null all day" if empty else ""
        lines += (
            f'<tr><td>{escape(component)}</td><td colspan="4">… {len(rest)} more with '
            f"nulls{at_all}</td></tr>"
        )
    return lines


def _first(row: NullRow) -> str:
    return "none" if row.first_full_minute is None else clock_of(row.first_full_minute)
