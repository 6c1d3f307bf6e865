from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp

from mr_platform.errors import PlatformError
from mr_platform.registry.loader import load_registry
from mr_platform.registry.model import COMPONENTS
from mr_platform.registry.render import main, rendered_files, stale_files, write_files
from mr_platform.registry.render_ddl import ddl_of, render_ddl
from mr_platform.registry.tables import (
    DESCRIPTION_LIMIT,
    KEYS,
    table_names,
    table_schema,
    table_spec,
)

REPOSITORY = Path(__file__).resolve().parents[2]
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


@cache
def page() -> str:
    return rendered_files()["docs/features.md"]


def columns_of(name: str) -> list[exp.ColumnDef]:
    return list(parsed(name).this.expressions)


def test_rendered_files_in_the_repository_are_fresh():
    assert stale_files(REPOSITORY) == [], "run `python -m mr_platform.registry.render`"


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


def test_the_load_audit_has_the_columns_of_the_lakehouse_table():
    assert [c.name for c in table_schema("load_audit")] == [
        "symbol",
        "date",
        "rule",
        "severity",
        "rows_checked",
        "rows_failed",
        "share",
        "passed",
        "detail",
        "loaded_at",
        "code_version",
    ]


def test_every_file_says_what_renders_it():
    for name, text in rendered_files().items():
        assert "python -m mr_platform.registry.render" in text.splitlines()[0], name


def test_the_feature_reference_names_every_feature_family_and_rule():
    text = page()
    registry = load_registry()
    for column in (*registry.features, *registry.labels.columns):
        mark = " ●" if column.online else ""
        assert f"| `{column.name}`{mark} |" in text, column.name
    for name in COMPONENTS:
        for family in registry.components[name].families:
            assert f"### {family.name}\n" in text
    for rule in registry.raw_chain.rules:
        assert f"| `{rule.name}` | {rule.severity} |" in text
    for table in registry.history:
        assert f"| `{table}` |" in text


def test_every_table_row_of_the_reference_has_the_cells_of_its_head():
    cells = re.compile(r"(?<!\\)\|")
    width = None
    for line in page().splitlines():
        if not line.startswith("| "):
            width = None
            continue
        found = len(cells.findall(line))
        assert width in (None, found), line[:120]
        width = found


def test_links_of_the_reference_lead_to_headings():
    text = page()
    headings = {
        re.sub(r"[^a-z0-9 -]", "", line[3:].lower()).replace(" ", "-")
        for line in text.splitlines()
        if line.startswith("## ")
    }
    links = re.findall(r"\]\(#([^)]+)\)", text)
    assert len(links) == 8
    assert set(links) <= headings


def test_check_finds_stale_missing_and_left_files_and_render_mends_them(tmp_path, capsys):
    assert main(["--root", str(tmp_path)]) == 0
    assert main(["--check", "--root", str(tmp_path)]) == 0
    (tmp_path / "ddl" / "c2_features.sql").write_text("-- edited", encoding="utf-8")
    (tmp_path / "ddl" / "c9_features.sql").write_text("-- left", encoding="utf-8")
    (tmp_path / "docs" / "features.md").unlink()
    capsys.readouterr()
    assert main(["--check", "--root", str(tmp_path)]) == 1
    told = capsys.readouterr()
    assert told.out.splitlines() == [
        "stale: ddl/c2_features.sql",
        "stale: docs/features.md",
        "stale: ddl/c9_features.sql",
    ]
    assert "python -m mr_platform.registry.render" in told.err
    assert set(write_files(tmp_path)) == {
        "ddl/c2_features.sql",
        "docs/features.md",
        "ddl/c9_features.sql",
    }
    assert stale_files(tmp_path) == []
    assert not (tmp_path / "ddl" / "c9_features.sql").exists()


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


def test_a_description_beyond_the_limit_is_cut_and_points_to_the_reference(declared_copy):
    folder = declared_copy(
        ("c1_triple_straddle", "P_atm / (2 * S) * sqrt(2 * pi / tau).", "many words " * 200)
    )
    spec = table_spec("c1_features", load_registry(folder))
    column = next(c for c in spec.columns if c.name == "c1_straddle_iv")
    assert len(column.description) <= DESCRIPTION_LIMIT
    assert "… whole text: docs/features.md, c1_straddle_iv (unit: annualised" in column.description


def test_a_table_schema_is_plain_data_without_load_stamps():
    schema = table_schema("c2")
    assert [c.name for c in schema[:5]] == KEY_NAMES
    assert len(schema) == 5 + 98 + 1
    gamma = next(c for c in schema if c.name == "c2_gamma_flip_dist")
    assert (gamma.type, gamma.required) == ("FLOAT64", False)
    assert gamma.constraints == ("unit: percent of F", "range: [-3, 3]")


def test_the_option_chain_has_a_schema_with_its_constraints():
    schema = {c.name: c for c in table_schema("option_chain")}
    assert len(schema) == 55
    assert schema["spot"].required
    assert not schema["ce_close"].required
    assert "one of: CW, NW, CM, NM" in schema["expiry_bucket"].constraints
    assert "range: [-1, 0]" in schema["pe_delta"].constraints
    assert schema["ts_minute"].type == "TIMESTAMP"
    assert [c.name for c in table_schema("labels")[5:]] == [
        c.name for c in load_registry().labels.columns
    ]


def test_an_unknown_table_is_an_error_that_names_the_near_one():
    with pytest.raises(PlatformError, match="Near: c2_features"):
        table_spec("c2_feature")
