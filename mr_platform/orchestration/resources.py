"""What runs work with, resolved when a run starts, never when definitions load.

Here: one factory for each outside door; assets receive the plain object, not a Dagster class.
Not here: what the doors do (``gateways/``), values of settings (``config/``).
"""

from __future__ import annotations

import dagster as dg

from mr_platform.config.settings import Settings, load_settings
from mr_platform.gateways.lakehouse import Lakehouse
from mr_platform.gateways.landing import LandingCatalogue, LandingZone
from mr_platform.gateways.notifications import Notifier, build_notifier


class SettingsResource(dg.ConfigurableResource["SettingsResource"]):
    """Settings of the run.

    Attributes:
        home: Home folder; None takes ``MR_HOME`` at run time.
        profile: Profile of ``settings.yaml``; None takes ``MR_PROFILE`` at run time.
    """

    home: str | None = None
    profile: str | None = None

    def load(self) -> Settings:
        """The settings as they stand now."""
        return load_settings(self.home, self.profile)


class LakehouseResource(dg.ConfigurableResourceFactory[Lakehouse]):
    """The Delta tables of the home."""

    settings: dg.ResourceDependency[SettingsResource]

    def create_resource(self, context: dg.InitResourceContext) -> Lakehouse:
        """Open the lakehouse; no file is touched before it is used."""
        settings = self.settings.load()
        return Lakehouse(settings.lakehouse_root, settings.parquet)


class LandingResource(dg.ConfigurableResourceFactory[LandingZone]):
    """The landing folder of the home."""

    settings: dg.ResourceDependency[SettingsResource]

    def create_resource(self, context: dg.InitResourceContext) -> LandingZone:
        """The landing zone over the home's landing folder."""
        return LandingZone(self.settings.load().landing_dir)


class CatalogueResource(dg.ConfigurableResourceFactory[LandingCatalogue]):
    """What each landed file holds."""

    settings: dg.ResourceDependency[SettingsResource]

    def create_resource(self, context: dg.InitResourceContext) -> LandingCatalogue:
        """The catalogue of the home's landing folder."""
        settings = self.settings.load()
        return LandingCatalogue(settings.landing_catalogue, LandingZone(settings.landing_dir))


class NotifierResource(dg.ConfigurableResourceFactory[Notifier]):
    """Where failures and overdue data are told."""

    settings: dg.ResourceDependency[SettingsResource]

    def create_resource(self, context: dg.InitResourceContext) -> Notifier:
        """The notifiers that the settings name."""
        return build_notifier(self.settings.load())


def build_resources(home: str | None = None, profile: str | None = None) -> dict[str, object]:
    """Every resource of the definitions, by key.

    Args:
        home: Home folder to fix; None leaves it to ``MR_HOME`` at run time.
        profile: Profile to fix; None leaves it to ``MR_PROFILE`` at run time.
    """
    from mr_platform.orchestration.io_managers import LakehouseIOManagerFactory

    settings = SettingsResource(home=home, profile=profile)
    return {
        "settings": settings,
        "lakehouse": LakehouseResource(settings=settings),
        "landing": LandingResource(settings=settings),
        "catalogue": CatalogueResource(settings=settings),
        "notifier": NotifierResource(settings=settings),
        "io_manager": LakehouseIOManagerFactory(settings=settings),
    }
