"""Column schemas of tables as Dagster shows them on the definitions.

Here: declared columns → ``TableSchema``.
Not here: columns of the chain and the audit (``registry/``), types of the others (``chain/``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import dagster as dg
import polars as pl

from mr_platform.chain.accounts import LANDED_FILES_SCHEMA
from mr_platform.chain.quarantine import QUARANTINE_SCHEMA
from mr_platform.features.table_schemas import MINUTE_PANEL
from mr_platform.orchestration.ingestion import LANDED_FILES, QUARANTINED_ROWS
from mr_platform.registry.loader import load_registry
from mr_platform.registry.model import StoredColumn
from mr_platform.registry.portfolio_tables import PortfolioColumn, load_portfolio_tables
from mr_platform.registry.tables import table_schema

_SCHEMAS: Mapping[str, Mapping[str, pl.DataType]] = {
    LANDED_FILES: LANDED_FILES_SCHEMA,
    QUARANTINED_ROWS: QUARANTINE_SCHEMA,
}

_MEANING = {
    "symbol": "Index; partition column.",
    "date": "Trading day, IST; partition column.",
    "file": "Path below the landing folder.",
    "file_sha256": "SHA-256 of the file's bytes.",
    "bytes": "Size of the file.",
    "modified_at": "When the file was last changed, UTC.",
    "dialect": "Dialect that the file's header belongs to.",
    "rows_in": "Rows of the file that belong to this partition.",
    "rows_good": "Those of them in the option chain.",
    "rows_quarantined": "Those of them in quarantined_rows.",
    "iv_unit": "How implied volatility was given, and how sure that is.",
    "oi_unit": "How open interest was given: lots or units.",
    "volume_kind": "Whether volume was per bar or cumulative.",
    "volume_unit": "How volume was given: lots or units.",
    "bar_label": "Whether bars were labelled by their start or end.",
    "row_number": "Data row in the file, from 1; the header is not counted.",
    "reason": "Name of the rule that the row broke.",
    "column": "Column concerned, null where the whole row is.",
    "detail": "What was found, in words.",
    "raw_row": "The row as it was read, as JSON.",
    "counts_as_bad": "Whether the row counts towards the share that refuses a partition.",
    "quarantined_at": "When the row was set apart, UTC.",
}


def column_schema(table: str) -> dg.TableSchema:
    """Columns of a table in stored order, with type, meaning and bounds."""
    if table in _SCHEMAS:
        return dg.TableSchema(
            [
                dg.TableColumn(name, str(dtype), _MEANING[name])
                for name, dtype in _SCHEMAS[table].items()
            ]
        )
    if table in load_portfolio_tables():
        return _told(load_portfolio_tables()[table].columns)
    registry = load_registry()
    if table == MINUTE_PANEL or table in registry.history:
        columns = registry.panel if table == MINUTE_PANEL else registry.history[table].columns
        return _told(columns)
    return dg.TableSchema(
        [
            dg.TableColumn(
                column.name,
                column.type,
                column.description,
                constraints=dg.TableColumnConstraints(
                    nullable=not column.required, other=list(column.constraints)
                ),
            )
            for column in table_schema(table)
        ]
    )


def _told(columns: Iterable[StoredColumn | PortfolioColumn]) -> dg.TableSchema:
    return dg.TableSchema(
        [
            dg.TableColumn(
                column.name,
                str(column.dtype),
                f"{column.meaning} ({column.unit})" if column.unit else column.meaning,
            )
            for column in columns
        ]
    )
