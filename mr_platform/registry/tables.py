"""Tables as plain data: names, columns, descriptions, constraints.

Here: what the warehouse and the asset graph are told about each table.
Not here: SQL text (``render_ddl.py``), Dagster's schema classes (``orchestration/``).
"""

from __future__ import annotations

from dataclasses import dataclass

from mr_platform.errors import PlatformError
from mr_platform.registry.faults import hint
from mr_platform.registry.fingerprint import declaration_version
from mr_platform.registry.loader import load_registry
from mr_platform.registry.model import COMPONENTS, FeatureColumn, RawColumn, Registry

# BigQuery refuses a column description above this many characters
DESCRIPTION_LIMIT = 1024

_RAW_TYPES = {
    "String": "STRING",
    "Date": "DATE",
    "Datetime[us, UTC]": "TIMESTAMP",
    "Float64": "FLOAT64",
    "Int64": "INT64",
    "Int32": "INT64",
    "Boolean": "BOOL",
}


@dataclass(frozen=True)
class TableColumn:
    """One column of a table.

    Attributes:
        type: BigQuery type name.
        required: True when null is refused.
        constraints: Further facts in words (range, unit), for people.
    """

    name: str
    type: str
    description: str
    required: bool = False
    constraints: tuple[str, ...] = ()


@dataclass(frozen=True)
class TableSpec:
    """One table: its columns in order, how it is cut and what it is for."""

    name: str
    description: str
    columns: tuple[TableColumn, ...]
    cluster_by: tuple[str, ...]
    labels: tuple[tuple[str, str], ...] = ()


KEYS: tuple[TableColumn, ...] = (
    TableColumn("symbol", "STRING", "Index: NIFTY or BANKNIFTY.", required=True),
    TableColumn(
        "ts_minute",
        "TIMESTAMP",
        "Start of the one-minute bar, UTC; the row is known one minute later.",
        required=True,
    ),
    TableColumn("date", "DATE", "Session date; equal in UTC and IST for NSE.", required=True),
    TableColumn("dte", "INT64", "Calendar days from date to expiry.", required=True),
    TableColumn(
        "zone_name",
        "STRING",
        "Zone of the day: OPEN, MID_MORN, LUNCH, AFTERNOON, CLOSE.",
        required=True,
    ),
)
FEATURE_VERSION = TableColumn(
    "feature_version", "STRING", "Code version that the features were computed by.", required=True
)
# stamped by the load into the warehouse; the lakehouse tables do not hold them
LOAD_STAMPS: tuple[TableColumn, ...] = (
    TableColumn("run_id", "STRING", "Dagster run that loaded the row."),
    TableColumn("created_at", "TIMESTAMP", "When the row was loaded, UTC."),
)
LOAD_AUDIT_COLUMNS: tuple[TableColumn, ...] = (
    TableColumn("symbol", "STRING", "Index of the audited partition.", required=True),
    TableColumn("date", "DATE", "Session date of the audited partition.", required=True),
    TableColumn("rule", "STRING", "Quality rule, as declared in raw_chain.yaml.", required=True),
    TableColumn("severity", "STRING", "quarantine, set_aside, warn or error.", required=True),
    TableColumn("rows_checked", "INT64", "Rows (or minutes) the rule looked at."),
    TableColumn("rows_failed", "INT64", "Rows (or minutes) that failed it."),
    TableColumn("share", "FLOAT64", "rows_failed / rows_checked; 0 where nothing was checked."),
    TableColumn("passed", "BOOL", "Verdict of the rule on the partition.", required=True),
    TableColumn("detail", "STRING", "What was found, for people."),
    TableColumn("loaded_at", "TIMESTAMP", "When the partition was loaded, UTC.", required=True),
    TableColumn("code_version", "STRING", "Code version that judged.", required=True),
)


def table_names() -> tuple[str, ...]:
    """Every table with a DDL file."""
    return (*(f"{name}_features" for name in COMPONENTS), "training_dataset", "online_features",
            "load_audit")  # fmt: skip


def table_spec(name: str, registry: Registry | None = None) -> TableSpec:
    """One warehouse table by name.

    Raises:
        PlatformError: No table of this name is rendered.
    """
    declared = registry or load_registry()
    if name not in table_names():
        raise PlatformError(f"no table {name} is declared{hint(name, table_names())}", misused=True)
    if name == "training_dataset":
        return _training_dataset(declared)
    if name == "online_features":
        return _online_features(declared)
    if name == "load_audit":
        return TableSpec(
            name,
            "What every quality rule found in every loaded partition.",
            LOAD_AUDIT_COLUMNS,
            ("symbol", "rule"),
        )
    component = declared.components[name.removesuffix("_features")]
    return TableSpec(
        name=name,
        description=f"{component.title}: {len(component.columns)} features of component "
        f"{component.name}, one row per symbol, minute and dte.",
        columns=(*KEYS, *map(_feature, component.columns), FEATURE_VERSION, *LOAD_STAMPS),
        cluster_by=("symbol", "dte"),
        labels=(
            ("component", component.name),
            ("feature_count", str(len(component.columns))),
            ("declaration", declaration_version(component)),
        ),
    )


def table_schema(table: str, registry: Registry | None = None) -> tuple[TableColumn, ...]:
    """Columns of a lakehouse table, from which asset definitions build their schema.

    Args:
        table: ``c1`` … ``c8``, ``labels``, ``option_chain``, or a warehouse table's name.
        registry: The registry; None for the package's own.

    Raises:
        PlatformError: No such table.
    """
    declared = registry or load_registry()
    if table == "option_chain":
        return tuple(_raw(column) for column in declared.raw_chain.canonical)
    if table == "labels":
        return (*KEYS, *map(_feature, declared.labels.columns))
    name = f"{table}_features" if table in COMPONENTS else table
    stamps = {column.name for column in LOAD_STAMPS}
    return tuple(c for c in table_spec(name, declared).columns if c.name not in stamps)


def _training_dataset(declared: Registry) -> TableSpec:
    features = declared.features
    return TableSpec(
        name="training_dataset",
        description=f"Keys, {len(features)} features, labels, label_end_ts and feature_version, "
        "one row per symbol, minute and dte. Labels look ahead: split by whole dates and purge by "
        "label_end_ts.",
        columns=(*KEYS, *map(_feature, features), *map(_feature, declared.labels.columns),
                 FEATURE_VERSION),
        cluster_by=("symbol", "dte"),
        labels=(("feature_count", str(len(features))),),
    )  # fmt: skip


def _online_features(declared: Registry) -> TableSpec:
    online = declared.online
    return TableSpec(
        name="online_features",
        description=f"The {len(online)} features served online, one row per symbol, minute and "
        "dte; a row is served from one minute after ts_minute.",
        columns=(*KEYS, *map(_feature, online), FEATURE_VERSION),
        cluster_by=("symbol", "dte"),
        labels=(("feature_count", str(len(online))),),
    )


def _feature(column: FeatureColumn) -> TableColumn:
    facts = [f"unit: {column.unit}"]
    if column.range_text() != "any":
        facts.append(f"range: {column.range_text()}")
    tail = f" ({'; '.join(facts)})"
    definition = column.definition
    room = DESCRIPTION_LIMIT - len(tail)
    if len(definition) > room:
        pointer = f" … whole text: docs/features.md, {column.family}"
        definition = definition[: room - len(pointer)].rsplit(" ", 1)[0] + pointer
    return TableColumn(column.name, column.dtype, f"{definition}{tail}", constraints=tuple(facts))


def _raw(column: RawColumn) -> TableColumn:
    facts = [f"unit: {column.unit}"]
    if column.low is not None or column.high is not None:
        facts.append(f"range: [{column.low}, {column.high}]".replace("None", ".."))
    if column.values:
        facts.append(f"one of: {', '.join(column.values)}")
    return TableColumn(
        column.name,
        _RAW_TYPES[column.dtype],
        column.meaning,
        required=not column.nullable,
        constraints=tuple(facts),
    )
