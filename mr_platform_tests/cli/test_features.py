from __future__ import annotations

import pytest

from mr_platform_tests.cli.conftest import Run, document


def test_list_counts_932_features_of_which_32_are_online(run: Run) -> None:
    text = run("features", "list").stdout
    assert "932 features, 32 online" in text
    assert len(document(run("features", "list", "--online", "--json"))["columns"]) == 32


def test_one_component_lists_its_columns_in_declared_order(run: Run) -> None:
    told = document(run("features", "list", "--component", "c1", "--json"))
    assert told["count"] == len(told["columns"]) == 150
    assert {column["component"] for column in told["columns"]} == {"c1"}
    text = run("features", "list", "--component", "c1").stdout
    assert told["columns"][0]["name"] in text.splitlines()[2]


def test_an_unknown_component_is_wrong_usage(run: Run) -> None:
    result = run("features", "list", "--component", "c9")
    assert result.exit_code == 2
    assert "c8, labels" in result.stderr


def test_describe_tells_everything_of_one_column(run: Run) -> None:
    name = document(run("features", "list", "--component", "c2", "--json"))["columns"][0]["name"]
    told = document(run("features", "describe", name, "--json"))
    assert told["name"] == name
    text = run("features", "describe", name).stdout
    assert told["definition"] in text
    assert "look-back" in text


def test_describe_knows_the_option_chain_by_either_name(run: Run) -> None:
    assert document(run("features", "describe", "ce_iv", "--json"))["name"] == "ce_iv"
    assert document(run("features", "describe", "index_name", "--json"))["name"] == "symbol"


def test_describe_of_a_mistyped_name_shows_near_ones(run: Run) -> None:
    name = document(run("features", "list", "--component", "c4", "--json"))["columns"][0]["name"]
    result = run("features", "describe", f"{name}x")
    assert result.exit_code == 2
    assert f"Near: {name}" in result.stderr


@pytest.mark.parametrize("words", [["skew"], ["SKEW"], ["skew", "c4"]])
def test_search_finds_columns_that_hold_every_word(run: Run, words: list[str]) -> None:
    told = document(run("features", "search", *words, "--json"))
    assert told["features"]
    for column in told["features"]:
        text = f"{column['name']} {column['definition']} {column['block']} {column['unit']}".lower()
        assert all(word.lower() in text for word in words)


def test_search_without_a_hit_fails_quietly(run: Run) -> None:
    result = run("features", "search", "zzzz")
    assert result.exit_code == 1
    assert "0 features, 0 columns" in result.stdout
