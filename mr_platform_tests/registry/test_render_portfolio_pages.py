"""Pages on portfolios: complete, well-formed Markdown."""

from __future__ import annotations

import re

import pytest

from mr_platform.registry.portfolio_tables import load_portfolio_tables
from mr_platform.registry.recorded_figures import FIGURES, REASONS, load_recorded_figures
from mr_platform.registry.regimes import load_regimes
from mr_platform.registry.render_portfolio_pages import render_parity_page, render_tables_page
from mr_platform.registry.strategy_files import load_strategy_files

PAGES = pytest.mark.parametrize("render", [render_tables_page, render_parity_page])


def test_the_page_of_tables_names_every_table_column_format_and_label():
    text = render_tables_page()
    for name, table in load_portfolio_tables().items():
        assert f"\n## {name}\n" in text
        for column in table.columns:
            assert f"| `{column.name}` | {column.dtype} |" in text, column.name
    files, regimes = load_strategy_files(), load_regimes()
    for name in (*files.formats, *files.metadata, *files.zones, *regimes.families, *regimes.labels):
        assert f"`{name}`" in text, name


def test_the_page_of_parity_tells_every_group_reason_and_figure_without_comparison():
    text, declared = render_parity_page(), load_recorded_figures()
    for name in FIGURES:
        assert f"\n## {name}\n" in text
        assert declared.figures[name].title in text
    for name in REASONS:
        assert f"| `{name}` | " in text
    assert "{held}" not in text
    assert (
        len(declared.unreproducible) == text.split("## Figures that nothing")[1].count("\n| ") - 2
    )
    compared = sum(one.compared for one in declared.observed)
    assert f"**{compared:,} figures were compared and all agree.**" in text
    assert "| `Expectancy` | 2,944 | 1e-11 | 1 |" in text
    assert "| `fitness` | 0 | – | 26 |" in text


@PAGES
def test_every_row_has_the_cells_of_its_head(render):
    width = None
    for line in render().splitlines():
        if not line.startswith("| "):
            width = None
            continue
        found = len(re.findall(r"(?<!\\)\|", line))
        assert width in (None, found), line[:120]
        width = found


@PAGES
def test_links_lead_to_headings(render):
    text = render()
    headings = {line[3:] for line in text.splitlines() if line.startswith("## ")}
    links = set(re.findall(r"\]\(#([^)]+)\)", text))
    assert links
    assert links <= headings
