"""The DDL, read back by a BigQuery parser."""

from __future__ import annotations

import re
from functools import cache

import pytest
import sqlglot
from sqlglot import exp

from mr_platform.registry.loader import load_registry
from mr_platform.registry.model import COMPONENTS
from mr_platform.registry.render_ddl import ddl_of, render_ddl
from mr_platform.registry.tables import DESCRIPTION_LIMIT, KEYS, table_names, table_spec

KEY_NAMES = ["symbol", "ts_minute", "date", "dte", "zone_name"]


@cache
def ddl() -> dict[str, str]:
    return render_ddl()


@cache
def parsed(name: str) -> exp.Create:
    statements = sqlglot.parse(ddl()[f"{name}.sql"], read="bigquery")
    assert len(statements) == 1
    assert isinstance(statements[0], exp.Create)
    return statements[0]


def columns_of(name: str) -> list[exp.ColumnDef]:
    return list(parsed(name).this.expressions)


@pytest.mark.parametrize("name", table_names())
def test_every_statement_parses_as_bigquery(name):
    statement = parsed(name)
    assert statement.this.this.name == name
    assert statement.find(exp.PartitionedByProperty).this.sql() == "date"
    cluster = [column.name for column in statement.find(exp.ClusterProperty).expressions]
    assert cluster == (["symbol", "rule"] if name == "load_audit" else ["symbol", "dte"])


@pytest.mark.parametrize("name", table_names())
def test_table_and_every_column_are_described_within_the_limit(name):
    spec = table_spec(name)
    assert spec.description
    for column, declared in zip(columns_of(name), spec.columns, strict=True):
        assert column.name == declared.name
        (text,) = [
            str(prop.args["value"].this)
            for prop in column.find_all(exp.Property)
            if prop.name == "description"
        ]
        assert 0 < len(text) <= DESCRIPTION_LIMIT, column.name
        assert text == declared.description


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_component_table_holds_its_keys_and_all_its_features(name):
    component = load_registry().components[name]
    names = [column.name for column in columns_of(f"{name}_features")]
    assert names == [
        *KEY_NAMES,
        *(c.name for c in component.columns),
        "feature_version",
        "run_id",
        "created_at",
    ]


def test_the_training_dataset_holds_5_keys_932_features_and_the_labels():
    names = [column.name for column in columns_of("training_dataset")]
    assert names[:5] == KEY_NAMES
    assert sum(bool(re.match(r"^c[1-8]_", name)) for name in names) == 932
    assert names[-6:] == [
        "regime_label",
        "transition_label_15m",
        "transition_label_30m",
        "transition_label_60m",
        "label_end_ts",
        "feature_version",
    ]
    assert len(names) == len(set(names)) == 5 + 932 + 5 + 1


def test_the_online_table_holds_the_keys_and_the_32():
    names = [column.name for column in columns_of("online_features")]
    assert names == [*KEY_NAMES, *(c.name for c in load_registry().online), "feature_version"]
    assert len(names) == 5 + 32 + 1


def test_keys_are_not_null_and_features_may_be():
    for column in columns_of("c3_features"):
        required = any(
            isinstance(c.kind, exp.NotNullColumnConstraint) for c in column.args["constraints"]
        )
        assert required == (column.name in (*KEY_NAMES, "feature_version")), column.name


def test_types_follow_the_declarations():
    types = {column.name: column.kind.sql("bigquery") for column in columns_of("training_dataset")}
    for feature in (*load_registry().features, *load_registry().labels.columns):
        assert types[feature.name] == feature.dtype
    assert [types[key.name] for key in KEYS] == ["STRING", "TIMESTAMP", "DATE", "INT64", "STRING"]


def test_quotes_and_backslashes_of_a_description_survive(declared_copy):
    folder = declared_copy(
        ("c1_triple_straddle", "P_atm / (2 * S) * sqrt(2 * pi / tau).", 'say "P" and a \\ here')
    )
    spec = table_spec("c1_features", load_registry(folder))
    column = next(c for c in spec.columns if c.name == "c1_straddle_iv")
    assert column.description.startswith('say "P" and a \\ here')
    statement = sqlglot.parse_one(ddl_of(spec), read="bigquery")
    found = next(c for c in statement.this.expressions if c.name == "c1_straddle_iv")
    (prop,) = [p for p in found.find_all(exp.Property) if p.name == "description"]
    assert str(prop.args["value"].this) == column.description
