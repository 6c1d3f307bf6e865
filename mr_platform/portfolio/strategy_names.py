"""What a strategy's name says of it: index, hours, stop loss, take profit.

Here: names → attributes; a name of another form keeps null attributes and is counted by the reader.
Not here: choosing strategies by name (``strategy_sheets``), what attributes are used for.

Forms (portfolio.md §1): ``SENSEX 1000-1100 SL7%``, ``SENSEX 1426-1456 SL73%TP32%``,
``SHORTSTRADDLE ATM 1057-1156 SL91%TP91%``, ``SENATM1DTE 1226-1326 SL2X56%TP56%`` (a multiple
before the share), any of them after ``<file stem>_`` (merged files) or before ``_inv`` (inverted).
A name is data: no file name or query is ever made of it.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

NAME_ATTRIBUTES: dict[str, pl.DataType] = {
    "source_stem": pl.String(),
    "index_name": pl.String(),
    "entry": pl.Time(),
    "exit": pl.Time(),
    "stop_loss_percent": pl.Float64(),
    "stop_loss_multiple": pl.Float64(),
    "take_profit_percent": pl.Float64(),
    "take_profit_multiple": pl.Float64(),
    "inverted": pl.Boolean(),
    "name_parsed": pl.Boolean(),
}
"""Columns that a name is parsed to.

A multiple is null where the name gives none; percentages are per cent as written, 7 for ``SL7%``.
"""

INVERTED = "_inv"
"""What is appended to the name of an inverted strategy."""

_NUMBER = r"\d+(?:\.\d+)?"


def _share(word: str, name: str) -> str:
    return rf"{word}(?:(?P<{name}_multiple>{_NUMBER})X)?(?P<{name}_percent>{_NUMBER})%"


_FORM = (
    r"^(?:(?P<source_stem>.+)_)?"
    # a stem ends at the last underline: an index name has none
    r"(?P<index_name>[A-Z][A-Z0-9]*(?: [A-Z0-9]+)*?) "
    r"(?P<entry>\d{3,4})-(?P<exit>\d{3,4}) "
    rf"{_share('SL', 'stop_loss')}(?:{_share('TP', 'take_profit')})?"
    rf"(?P<inverted>{INVERTED})?$"
)
_TIMES = ("entry", "exit")


def parse_names(names: Sequence[str]) -> pl.DataFrame:
    """Attributes of strategies.

    Args:
        names: The n names, in any form.

    Returns:
        ``name`` and the columns of ``NAME_ATTRIBUTES``, n rows in the order given. A name of no
        known form, or whose hours are no times or do not ascend, has ``name_parsed`` False and
        nulls but for ``inverted``.
    """
    found = pl.Series("name", names, dtype=pl.String).to_frame()
    found = found.with_columns(pl.col("name").str.extract_groups(_FORM).alias("parts"))
    found = found.unnest("parts").with_columns(
        pl.col(side).str.zfill(4).str.to_time("%H%M", strict=False) for side in _TIMES
    )
    parsed = (pl.col("entry") < pl.col("exit")).fill_null(False)
    kinds = NAME_ATTRIBUTES.items()
    return found.select(
        "name",
        *[
            pl.when(parsed).then(pl.col(name).cast(dtype)).alias(name)
            for name, dtype in kinds
            if dtype != pl.Boolean()
        ],
        inverted=pl.col("name").str.ends_with(INVERTED),
        name_parsed=parsed,
    )
