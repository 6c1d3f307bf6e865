"""Resources of one home, resolved when they are asked for."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from mr_platform.config.settings import Settings, load_settings
from mr_platform.errors import PlatformError
from mr_platform.gateways.lakehouse import Lakehouse
from mr_platform.gateways.landing import LandingCatalogue, LandingZone
from mr_platform.gateways.notifications import Notification
from mr_platform.orchestration.resources import SettingsResource, build_resources


def test_every_door_opens_onto_the_home_of_the_settings(tmp_path: Path) -> None:
    (tmp_path / "landing").mkdir()
    (tmp_path / "landing/day.csv").write_text("a\n1\n")
    with dg.build_resources(build_resources(SettingsResource(home=str(tmp_path)))) as doors:
        assert isinstance(doors.lakehouse, Lakehouse)
        assert doors.lakehouse.tables() == []
        assert isinstance(doors.landing, LandingZone)
        assert [file.relative for file in doors.landing.list_files()] == ["day.csv"]
        assert isinstance(doors.catalogue, LandingCatalogue)
        assert doors.catalogue.partitions() == {}
        doors.notifier.notify(Notification("warning", "late", "no file yet", {}))
    assert "no file yet" in (tmp_path / "notifications.jsonl").read_text()


def test_the_environment_is_read_when_a_run_starts_and_not_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resource = SettingsResource()
    for name in ("one", "two"):
        monkeypatch.setenv("MR_HOME", str(tmp_path / name))
        assert resource.load().home == tmp_path / name


def test_a_named_home_wins_over_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MR_HOME", str(tmp_path / "other"))
    assert SettingsResource(home=str(tmp_path)).load().home == tmp_path


def test_an_unknown_profile_is_told_when_the_settings_are_asked_for(tmp_path: Path) -> None:
    resource = SettingsResource(home=str(tmp_path), profile="nowhere")
    with pytest.raises(PlatformError, match="nowhere"):
        resource.load()


@pytest.mark.parametrize("name", ["cpu", "gpu", "auto"])
def test_the_frame_engine_is_the_one_that_the_settings_name(tmp_path: Path, name: str) -> None:
    class Chosen(SettingsResource):
        def load(self) -> Settings:
            found = load_settings(self.home, environment={})
            features = found.features.model_copy(update={"engine": name})
            return found.model_copy(update={"features": features})

    with dg.build_resources(build_resources(Chosen(home=str(tmp_path)))) as doors:
        # opened without a device: only the work asks for one
        assert doors.frame_engine.name == name
