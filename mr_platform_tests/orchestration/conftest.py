"""One home for each test, and definitions that write nothing outside it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.defs_state import base as defs_state

from mr_platform.config.settings import Settings, load_settings
from mr_platform.definitions import build_definitions
from mr_platform.gateways.lakehouse import Lakehouse
from mr_platform.orchestration.resources import SettingsResource

# read by Dagster when an ephemeral instance decides whether to log telemetry
os.environ["DAGSTER_DISABLE_TELEMETRY"] = "yes"


@pytest.fixture(autouse=True)
def no_storage_left_behind() -> Iterator[None]:
    """Forget the storage that an instance on disk leaves as the process's current one.

    Dagster 1.13 keeps it in a context variable that outlives the closed instance; the next
    definitions built in the process would ask it and fail.
    """
    yield
    defs_state._current_storage.set(None)


class QuickSettings(SettingsResource):
    """Without Great Expectations: it has its own tests and takes seconds to import."""

    def load(self) -> Settings:
        found = load_settings(self.home, environment={})
        quality = found.quality.model_copy(update={"run_great_expectations": False})
        return found.model_copy(update={"quality": quality})


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty home with its landing folder."""
    (tmp_path / "landing").mkdir()
    return tmp_path


@pytest.fixture
def landing(home: Path) -> Path:
    """The landing folder of the home."""
    return home / "landing"


@pytest.fixture
def settings_resource(home: Path) -> SettingsResource:
    """Settings fixed to the test's home."""
    return QuickSettings(home=str(home))


@pytest.fixture
def settings(settings_resource: SettingsResource) -> Settings:
    """Settings of the test's home."""
    return settings_resource.load()


@pytest.fixture
def definitions(settings_resource: SettingsResource) -> dg.Definitions:
    """The project's definitions over the test's home."""
    return build_definitions(settings_resource)


@pytest.fixture
def lakehouse(settings: Settings) -> Lakehouse:
    """The tables of the test's home."""
    return Lakehouse(settings.lakehouse_root, settings.parquet)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """An instance that lives in memory."""
    with dg.DagsterInstance.ephemeral() as opened:
        yield opened


@pytest.fixture
def stored_instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """An instance on disk: a schedule's context opens it by reference."""
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as opened:
        yield opened
