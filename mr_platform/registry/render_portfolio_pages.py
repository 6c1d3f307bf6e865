"""Pages on portfolios for people, as Markdown: tables and formats, and figures beside the record.

Here: texts from the declarations under ``declared/portfolio``.
Not here: the declarations, writing files (``render.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mr_platform.registry.portfolio_tables import PortfolioTable, load_portfolio_tables
from mr_platform.registry.recorded_figures import (
    FIGURES,
    Observed,
    RecordedFigures,
    load_recorded_figures,
)
from mr_platform.registry.regimes import load_regimes
from mr_platform.registry.render_features_page import HEADER
from mr_platform.registry.strategy_files import load_strategy_files

_PARTS = {
    "all": "book",
    "month": "book and month",
    "size": "book and portfolio size",
}


def render_tables_page() -> str:
    """Tables of books, formats of strategy files, labels of regimes."""
    tables = load_portfolio_tables()
    parts = [
        HEADER,
        "# Tables and formats of portfolios",
        f"{len(tables)} tables under `$MR_HOME/lakehouse`, each an asset of the same name. All "
        "have the columns `book` and `part`, by which they are partitioned. What a command or a "
        "measure means is in [portfolio.md](portfolio.md).",
        _listing(
            ["table", "partitioned by", "a row is"],
            [
                [f"[`{name}`](#{name})", _PARTS[table.part], _plain(table.meaning)]
                for name, table in tables.items()
            ],
        ),
        *(_table(table) for table in tables.values()),
        *_formats(),
        *_regimes(),
    ]
    return "\n\n".join(parts) + "\n"


def render_parity_page() -> str:
    """Which recorded figures come out again, how closely, and which cannot and why."""
    declared = load_recorded_figures()
    compared = sum(one.compared for one in declared.observed)
    parts = [
        HEADER,
        "# Figures beside the record",
        "Two older programs left figures behind, and a third set was got by running the legacy "
        "program again. This page says which of them come out of the formulas here, how closely, "
        "and which cannot and why.",
        f"**{compared:,} figures were compared and all agree.** A figure counts as equal within a "
        f"relative error of {declared.tolerance:g} (0.001 %); the bounds below are what was found. "
        "They were found on the 2,945 columns of the record's strategy file that are held, 82 "
        "rows; a test compares them again wherever those files are.",
        "```\nmr portfolio parity BOOK --figures FOLDER\n```",
        "compares a stored book with a folder of recorded figures in the same way. The figures are "
        "not part of this repository. Where `MR_RECORDED_FIGURES` names their folder, the checks "
        "`recorded_…_agree` compare them with each load of a book that holds their strategies.",
        _outcome(declared),
        *(_group(declared, name) for name in FIGURES),
        _reasons(declared),
        _not_compared(declared),
    ]
    return "\n\n".join(parts) + "\n"


# ---------------------------------------------------------------- tables and formats


def _table(table: PortfolioTable) -> str:
    rows = [
        [
            f"`{column.name}`",
            str(column.dtype),
            column.unit or "",
            _plain(column.meaning),
        ]
        for column in table.columns
    ]
    listed = _listing(["column", "type", "unit", "what it holds"], rows)
    return f"## {table.name}\n\n{_plain(table.meaning)}\n\n{listed}"


def _formats() -> list[str]:
    declared = load_strategy_files()
    formats = _listing(
        ["format", "what it is", "must have", "may have", "dates", "values"],
        [
            [
                f"`{name}`",
                known.title,
                _names(known.required),
                _names(known.optional),
                f"`{known.date_format}`",
                known.pnl_unit,
            ]
            for name, known in declared.formats.items()
        ],
    )
    limits = declared.limits
    return [
        "## Formats of strategy files",
        formats,
        f"Columns with these names are never strategies, in any format and in upper or lower case: "
        f"{_names(declared.metadata)}. Every other column is one strategy.",
        f"Zones that rows may name: {_names(declared.zones)}. Texts that stand for a missing "
        f"number: empty, {_names(text for text in declared.missing if text)}. A missing number "
        f"counts as 0; a file with more than {limits.missing_in_all:.0%} of them, or a strategy "
        f"with more than {limits.missing_in_strategy:.0%}, is refused, unless its book declares "
        "other shares. So is a value beyond "
        f"{limits.largest_amount:,.0f}.",
    ]


def _regimes() -> list[str]:
    declared = load_regimes()
    families = _listing(
        ["family", "multiplier", "why"],
        [
            [f"`{name}`", f"{family.multiplier:g}", family.reason]
            for name, family in declared.families.items()
        ],
    )
    labels = _listing(
        ["label", "family", "why"],
        [
            [f"`{name}`", f"`{label.family}`", label.reason]
            for name, label in declared.labels.items()
        ],
    )
    return ["## Regimes", families, labels]


# ---------------------------------------------------------------- parity


def _outcome(declared: RecordedFigures) -> str:
    rows = []
    for name in FIGURES:
        group, found = declared.figures[name], _of(declared, name)
        rows.append(
            [
                f"[{group.title}](#{name})",
                group.kind,
                f"{sum(one.compared for one in found):,}",
                _bound(found),
            ]
        )
    return _listing(["figures", "", "equal", "worst relative error below"], rows)


def _group(declared: RecordedFigures, name: str) -> str:
    group = declared.figures[name]
    rows = [
        [
            f"`{_cell(one.measure)}`",
            f"{one.compared:,}",
            _bound([one]),
            f"{one.not_reproducible:,}" if one.not_reproducible else "",
        ]
        for one in _of(declared, name)
    ]
    told = {
        "recorded": "Recorded by the authors of the program.",
        "computed": "Not recorded: computed by running the legacy program.",
    }
    return (
        f"## {name}\n\n{group.title}. {told[group.kind]} From: {_plain(group.source)}.\n\n"
        + _listing(["measure", "equal", "worst relative error below", "cannot be computed"], rows)
    )


def _reasons(declared: RecordedFigures) -> str:
    rows = [
        [f"`{name}`", _plain(text.format(held="only some", size="the"))]
        for name, text in declared.reasons.items()
    ]
    told = (
        "The file that the record was made from is lost: of its 25,544 columns 2,945 are held on "
        "all 82 rows, the others on ten days only. What a figure needs beyond that is told beside "
        "it by one of these reasons, with its numbers. All strategies that are not held count as "
        "one figure of each measure."
    )
    listed = _listing(["", "reason"], rows)
    return f"## Why a figure cannot be computed\n\n{told}\n\n{listed}"


def _not_compared(declared: RecordedFigures) -> str:
    rows = [
        [_plain(one.figure), _plain(one.source), _plain(one.reason)]
        for one in declared.unreproducible
    ]
    return (
        "## Figures that nothing can be compared with\n\n"
        "Told so that nobody looks for them again.\n\n"
        + _listing(["figure", "recorded in", "why not"], rows)
    )


def _of(declared: RecordedFigures, name: str) -> list[Observed]:
    return [one for one in declared.observed if one.figure == name]


def _bound(found: Sequence[Observed]) -> str:
    bounds = [one.below for one in found if one.compared]
    return f"{max(bounds):.0e}".replace("e-0", "e-") if bounds else "–"


# ---------------------------------------------------------------- Markdown


def _listing(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _plain(text: str) -> str:
    """Text that Markdown shows as it stands."""
    return _cell(text).replace("*", "\\*").replace("<", "&lt;")
