"""The picture of a symbol-day as metadata of a materialisation.

Here: Dagster's markdown around the small picture; a fault becomes a text.
Not here: reading the tables (``day_tables.py``), drawing (``pictures/``).
"""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg
import polars as pl

from mr_platform.gateways.lakehouse import Lakehouse
from mr_platform.orchestration.day_tables import read_day
from mr_platform.pictures.day_page import data_uri
from mr_platform.pictures.day_picture import MAX_EVENT_BYTES, event_png
from mr_platform.trading_calendar import PartitionKey

PICTURE = "picture"
"""Metadata key of the picture."""


def picture_metadata(
    lakehouse: Lakehouse,
    key: PartitionKey,
    unstored: Mapping[str, pl.DataFrame] | None = None,
) -> dg.MarkdownMetadataValue:
    """The day as markdown that holds its picture; never raises.

    Args:
        lakehouse: The tables.
        key: The partition.
        unstored: Rows, by table, that the materialisation has made and not stored yet.

    Returns:
        The picture as a data URI and what is missing, or the fault that kept it from being drawn.
    """
    try:
        return dg.MetadataValue.md(_markdown(lakehouse, key, unstored))
    except Exception as fault:  # a picture must not cost a materialisation
        told = " ".join(f"{type(fault).__name__}: {fault}".split())
        return dg.MetadataValue.md(f"No picture of {key}: {told}")


def _markdown(
    lakehouse: Lakehouse, key: PartitionKey, unstored: Mapping[str, pl.DataFrame] | None
) -> str:
    day = read_day(lakehouse, key, unstored=unstored)
    picture = event_png(day)
    lines = [
        f"![{day.title}]({data_uri(picture)})"
        if len(picture) <= MAX_EVENT_BYTES
        else f"The picture of {len(picture):,} bytes is too large for an event.",
        f"`mr day {key.symbol} {key.date}` draws the whole page.",
    ]
    lines += [f"Missing: {each.table}, so {each.effect}: `{each.command}`" for each in day.missing]
    return "\n\n".join(lines)
