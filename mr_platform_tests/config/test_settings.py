"""Settings: profiles, overrides by the environment, the schema, dated conventions."""

from __future__ import annotations

import copy
import datetime as dt
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

import mr_platform.config.settings as module
from mr_platform.config.settings import (
    ChunkDates,
    FeatureSettings,
    MarketSettings,
    NotificationSettings,
    OrchestrationSettings,
    ParquetSettings,
    PortfolioSettings,
    QualitySettings,
    SearchSettings,
    Settings,
    load_settings,
)
from mr_platform.errors import SettingsError
from mr_platform.trading_calendar import SYMBOLS

DECLARED: dict[str, Any] = yaml.safe_load(
    Path(module.__file__).with_name("settings.yaml").read_text("utf-8")
)


@pytest.fixture
def market() -> MarketSettings:
    return load_settings(environment={}).market


@pytest.fixture
def declare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Load settings from another document in place of the package's file."""

    def load(document: dict[str, Any], **arguments: Any) -> Settings:
        (tmp_path / "settings.yaml").write_text(yaml.safe_dump(document), "utf-8")
        monkeypatch.setattr(module.resources, "files", lambda package: tmp_path)
        return load_settings(environment={}, **arguments)

    return load


def test_the_local_profile_is_taken_where_none_is_named() -> None:
    settings = load_settings(environment={})
    assert settings.profile == "local"
    assert settings.parquet == ParquetSettings(**DECLARED["default"]["parquet"])
    assert settings.quality == QualitySettings(**DECLARED["default"]["quality"])


@pytest.mark.parametrize("profile", sorted(DECLARED["profiles"]))
def test_every_declared_profile_loads(profile: str) -> None:
    assert load_settings(profile=profile, environment={}).profile == profile


def test_a_profile_changes_what_it_names_and_keeps_the_rest() -> None:
    local = load_settings(profile="local", environment={})
    prod = load_settings(profile="prod", environment={})
    assert (local.parquet.compression_level, prod.parquet.compression_level) == (1, 3)
    assert prod.parquet.compression == local.parquet.compression
    assert prod.parquet.row_group_rows == local.parquet.row_group_rows
    assert prod.orchestration.max_concurrent_runs == 8
    assert prod.orchestration.max_partitions_per_run == local.orchestration.max_partitions_per_run
    assert prod.market == local.market


def test_the_profile_is_argument_before_variable_before_local() -> None:
    variables = {"MR_PROFILE": "staging"}
    assert load_settings(environment=variables).profile == "staging"
    assert load_settings(profile="prod", environment=variables).profile == "prod"
    assert load_settings(environment={"MR_PROFILE": ""}).profile == "local"


def test_the_home_is_argument_before_variable_before_profile(tmp_path: Path) -> None:
    variables = {"MR_HOME": str(tmp_path / "named")}
    assert load_settings(tmp_path / "given", environment=variables).home == tmp_path / "given"
    assert load_settings(environment=variables).home == tmp_path / "named"
    assert load_settings(environment={}).home == Path.cwd() / "data"


def test_a_relative_home_becomes_absolute_and_a_tilde_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    assert load_settings("here", environment={}).home == tmp_path / "here"
    assert load_settings("~/there", environment={}).home == tmp_path / "user" / "there"


def test_loading_settings_makes_no_folder(tmp_path: Path) -> None:
    load_settings(tmp_path / "home", environment={})
    assert not list(tmp_path.iterdir())


def test_everything_of_a_home_lies_below_it(tmp_path: Path) -> None:
    one = load_settings(tmp_path / "one", environment={})
    two = load_settings(tmp_path / "two", environment={})
    places = [
        "landing_dir",
        "lakehouse_root",
        "dagster_home",
        "landing_catalogue",
        "notifications_log",
    ]
    for place in places:
        assert getattr(one, place).is_relative_to(tmp_path / "one")
        assert getattr(two, place).is_relative_to(tmp_path / "two")
    assert len({getattr(one, place) for place in places}) == len(places)


def test_the_webhook_comes_from_the_environment() -> None:
    told = load_settings(environment={"MR_WEBHOOK_URL": "http://127.0.0.1:1/hook"})
    assert told.notifications.webhook_url == "http://127.0.0.1:1/hook"
    assert told.notifications.webhook_timeout_seconds == 5
    assert load_settings(environment={}).notifications.webhook_url is None


def test_the_process_environment_is_read_where_none_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MR_HOME", str(tmp_path))
    monkeypatch.setenv("MR_PROFILE", "dev")
    settings = load_settings()
    assert (settings.home, settings.profile) == (tmp_path, "dev")


def test_an_unknown_profile_names_the_declared_ones() -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings(profile="production", environment={})
    assert refused.value.fault == "profile production is not declared"
    assert refused.value.next_step == "Declared profiles: dev, local, prod, staging"


def test_all_faults_of_a_profile_are_told_at_once(declare: Any) -> None:
    document = {
        **DECLARED,
        "profiles": {
            "local": {
                "parquet": {"compression": "brotli", "row_group_rows": 3},
                "quality": {"max_bad_share": 1.5},
            }
        },
    }
    with pytest.raises(SettingsError) as refused:
        declare(document)
    for setting in ("parquet.compression", "parquet.row_group_rows", "quality.max_bad_share"):
        assert setting in refused.value.fault
    assert str(refused.value.place).endswith("settings.yaml")


@pytest.mark.parametrize(
    ("profile", "told"),
    [
        ({"parquet": {"compresion": "zstd"}}, "parquet.compresion: .*near: compression"),
        ({"featurs": {"engine": "cpu"}}, "featurs: .*near: features"),
        (
            {"features": {"chunk_dates": {"panels": 2}}},
            "features.chunk_dates.panels: .*near: panel",
        ),
        (
            {"market": {"lot_sizes": {"NIFTY": [{"frm": "2018-01-01", "value": 75}]}}},
            "market.lot_sizes.NIFTY.0.frm: .*near: from",
        ),
        ({"qwzx": 1}, "qwzx: .*known: home, parquet, quality, .*market"),
    ],
)
def test_a_misspelt_setting_is_told_with_file_path_and_near_name(
    declare: Any, tmp_path: Path, profile: dict[str, Any], told: str
) -> None:
    with pytest.raises(SettingsError, match=rf"profiles\.local\.{told}") as refused:
        declare({**DECLARED, "profiles": {"local": profile}})
    assert refused.value.place == str(tmp_path / "settings.yaml")
    assert "`default`" in str(refused.value.next_step)


def test_a_name_misspelt_in_the_default_is_told_there(declare: Any) -> None:
    document = copy.deepcopy(DECLARED)
    document["default"]["features"]["enginee"] = "cpu"
    document["profiles"]["local"] = {"features": {"pictures": False}}
    with pytest.raises(SettingsError, match=r"default\.features\.enginee: .*near: engine"):
        declare(document)


def test_a_part_misspelt_is_told(declare: Any) -> None:
    document = {"default": DECLARED["default"], "profile": DECLARED["profiles"]}
    with pytest.raises(SettingsError, match="holds no part profiles, but profile"):
        declare(document)


def test_a_profile_that_is_no_mapping_is_told(declare: Any) -> None:
    with pytest.raises(SettingsError, match=r"profiles\.local holds no names with values"):
        declare({**DECLARED, "profiles": {"local": ["parquet"]}})


def test_a_file_that_is_no_yaml_is_told_with_the_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "settings.yaml").write_text("default:\n  home: x\n   engine: cpu\n")
    monkeypatch.setattr(module.resources, "files", lambda package: tmp_path)
    with pytest.raises(SettingsError, match=r"settings\.yaml: is no YAML from line 3 on"):
        load_settings(environment={})


@pytest.mark.parametrize(
    ("name", "near"),
    [("MR_PROFIL", "MR_PROFILE"), ("MR_HOM", "MR_HOME"), ("MR_WEBHOOK_UL", "MR_WEBHOOK_URL")],
)
def test_a_misspelt_variable_is_refused_with_the_near_one(name: str, near: str) -> None:
    with pytest.raises(SettingsError, match=rf"environment: {name} is no .*\. Near: {near}\. "):
        load_settings(environment={name: "prod"})


def test_variables_of_others_are_left_alone() -> None:
    others = (
        "MR_TEST_DATA", "MR_DEBUG", "MR_UPDATE_SNAPSHOT", "MR_HOME_OFFICE", "XMR_PROFILE",
        "MR_ROLE", "MR_FILE", "MR_HOME_2", "MR_PROFILING", "MR_PROFILE_DIR", "MR_HOSE",
    )  # fmt: skip
    assert load_settings(environment=dict.fromkeys(others, "1")).profile == "local"


def test_a_near_name_is_left_alone_where_ours_is_named_too() -> None:
    both = {"MR_PROFIL": "dev", "MR_PROFILE": "staging"}
    assert load_settings(environment=both).profile == "staging"


def test_a_profile_without_settings_is_the_default(declare: Any) -> None:
    settings = declare({**DECLARED, "profiles": {"local": None}})
    assert settings.orchestration == OrchestrationSettings(**DECLARED["default"]["orchestration"])


def test_settings_cannot_be_changed_after_loading() -> None:
    settings = load_settings(environment={})
    with pytest.raises(ValidationError):
        settings.profile = "other"  # type: ignore[misc]


MEASURED = partial(PortfolioSettings, search=SearchSettings(algorithms=("genetic",)))


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (ParquetSettings, {"compression_level": 0}),
        (ParquetSettings, {"compression_level": 23}),
        (ParquetSettings, {"row_group_rows": 999}),
        (QualitySettings, {"max_bad_share": -0.1}),
        (QualitySettings, {"parity_tolerance": 0}),
        (QualitySettings, {"parity_warn_share": 1.1}),
        (OrchestrationSettings, {"max_partitions_per_run": 0}),
        (OrchestrationSettings, {"max_concurrent_runs": 0}),
        (OrchestrationSettings, {"landing_settle_seconds": -1}),
        (OrchestrationSettings, {"overdue_after_hours": 0}),
        (NotificationSettings, {"webhook_timeout_seconds": 0}),
        (FeatureSettings, {"engine": "tpu"}),
        (FeatureSettings, {"auto_gpu_symbol_days": 0}),
        (ChunkDates, {"panel": 0}),
        (ChunkDates, {"features": 0}),
        (MEASURED, {"capital": 0}),
        (MEASURED, {"capital": float("inf")}),
        (MEASURED, {"risk_free": -0.01}),
        (MEASURED, {"risk_free": 6.5}),
    ],
)
def test_values_out_of_their_bounds_are_refused(kind: Any, values: dict[str, Any]) -> None:
    kind()
    with pytest.raises(ValidationError, match=next(iter(values))):
        kind(**values)


def test_conventions_are_declared_for_every_symbol(market: MarketSettings) -> None:
    assert set(SYMBOLS) <= set(market.lot_sizes)
    assert set(SYMBOLS) <= set(market.strike_steps)
    assert market.strike_steps["NIFTY"] == 50
    assert market.strike_steps["BANKNIFTY"] == 100


@pytest.mark.parametrize(
    ("symbol", "day", "units"),
    [
        ("NIFTY", dt.date(2018, 1, 1), 75),
        ("NIFTY", dt.date(2021, 6, 30), 75),
        ("NIFTY", dt.date(2021, 7, 1), 50),
        ("NIFTY", dt.date(2024, 4, 26), 25),
        ("NIFTY", dt.date(2025, 8, 29), 75),
        ("BANKNIFTY", dt.date(2019, 5, 2), 20),
        ("BANKNIFTY", dt.date(2024, 1, 1), 15),
        ("BANKNIFTY", dt.date(2025, 8, 29), 35),
    ],
)
def test_the_lot_size_is_the_one_in_force_that_day(
    market: MarketSettings, symbol: str, day: dt.date, units: int
) -> None:
    lot = market.lot_size_on(symbol, day)
    assert lot == units
    assert isinstance(lot, int)


def test_the_rate_changes_on_its_first_day(market: MarketSettings) -> None:
    assert market.rate_on(dt.date(2020, 3, 26)) == 0.06
    assert market.rate_on(dt.date(2020, 3, 27)) == 0.04
    assert market.rate_on(dt.date(2025, 8, 29)) == 0.065


def test_a_day_before_the_first_entry_is_an_error(market: MarketSettings) -> None:
    with pytest.raises(SettingsError, match="risk_free_rate is declared from 2018-01-01 on"):
        market.rate_on(dt.date(2017, 12, 29))
    with pytest.raises(SettingsError, match=r"lot_sizes\.NIFTY"):
        market.lot_size_on("NIFTY", dt.date(2017, 12, 29))


def test_an_unknown_symbol_names_the_declared_ones(market: MarketSettings) -> None:
    with pytest.raises(SettingsError, match="no lot sizes are declared for SENSEX") as refused:
        market.lot_size_on("SENSEX", dt.date(2025, 1, 1))
    assert "BANKNIFTY, NIFTY" in str(refused.value)


def _market(**changes: Any) -> MarketSettings:
    values = {
        "risk_free_rate": [{"from": "2018-01-01", "value": 0.06}],
        "lot_sizes": {
            "X": [
                {"from": "2020-01-01", "value": 10},
                {"from": "2021-01-01", "value": 20},
                {"from": "2023-01-01", "value": 30},
            ]
        },
        "strike_steps": {"X": 5},
    }
    return MarketSettings(**{**values, **changes})


@pytest.mark.parametrize(
    "entries",
    [
        [],
        [{"from": "2021-01-01", "value": 1}, {"from": "2020-01-01", "value": 2}],
        [{"from": "2021-01-01", "value": 1}, {"from": "2021-01-01", "value": 2}],
    ],
    ids=["none", "descending", "twice the same day"],
)
def test_dated_values_are_given_ascending_and_once_a_day(entries: list[dict[str, Any]]) -> None:
    with pytest.raises(ValidationError, match="risk_free_rate must be given, ascending"):
        _market(risk_free_rate=entries)
    with pytest.raises(ValidationError, match="dates of X must be given, ascending"):
        _market(lot_sizes={"X": entries})


@pytest.mark.parametrize(
    ("day", "days", "sizes"),
    [
        (dt.date(2022, 1, 1), 100, (20,)),
        (dt.date(2022, 2, 1), 365, (20, 30)),
        (dt.date(2022, 1, 1), 400, (20, 10, 30)),
        (dt.date(2020, 6, 1), 30, (10,)),
        (dt.date(2020, 12, 31), 1, (10, 20)),
        (dt.date(2024, 6, 1), 30, (30,)),
    ],
)
def test_recent_lot_sizes_start_with_the_one_in_force_and_add_its_neighbours(
    day: dt.date, days: int, sizes: tuple[int, ...]
) -> None:
    assert _market().recent_lot_sizes("X", day, days) == sizes


def test_pictures_are_drawn_unless_told_otherwise_and_have_a_folder(
    declare: Any, tmp_path: Path
) -> None:
    settings = load_settings(tmp_path, environment={})
    assert settings.features.pictures
    assert settings.pictures_dir == tmp_path / "pictures"
    document = copy.deepcopy(DECLARED)
    document["profiles"]["local"] = {"features": {"pictures": False}}
    assert not declare(document).features.pictures


def test_features_are_worked_out_on_the_cpu_and_auto_never_takes_a_gpu_unless_told() -> None:
    features = load_settings(environment={}).features
    assert (features.engine, features.auto_gpu_symbol_days) == ("cpu", None)
    assert features.chunk_dates == ChunkDates(), "the schema and the file say the same"


def test_an_unknown_engine_is_refused_with_the_known_ones(declare: Any) -> None:
    document = {**DECLARED, "profiles": {"local": {"features": {"engine": "tpu"}}}}
    with pytest.raises(SettingsError, match=r"features\.engine: .*'cpu', 'gpu' or 'auto'"):
        declare(document)


@pytest.mark.parametrize("content", [b"default: \x07", b"default: \xff\xfe"])
def test_a_file_that_is_no_text_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    (tmp_path / "settings.yaml").write_bytes(content)
    monkeypatch.setattr(module.resources, "files", lambda package: tmp_path)
    with pytest.raises(SettingsError, match="is no YAML") as refused:
        load_settings(environment={})
    assert "UTF-8" in str(refused.value.next_step)


@pytest.mark.parametrize("home", [3, ["a"], None])
def test_a_home_that_is_no_folder_s_name_is_told(declare: Any, home: object) -> None:
    with pytest.raises(SettingsError, match=r"home is .*, no folder"):
        declare({**DECLARED, "profiles": {"local": {"home": home}}})


def test_a_key_that_is_no_name_is_told(declare: Any) -> None:
    with pytest.raises(SettingsError, match=r"profiles\.local holds no names with values"):
        declare({**DECLARED, "profiles": {"local": {3: "zstd"}}})
