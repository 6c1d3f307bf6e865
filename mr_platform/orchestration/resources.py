"""What runs work with, resolved when a run starts, never when definitions load.

Here: one resource for each outside door; assets receive the plain object, not a Dagster class.
Not here: what the doors do (``gateways/``), values of settings (``config/``).
"""

from __future__ import annotations

import dagster as dg

from mr_platform.config.settings import Settings, load_settings
from mr_platform.features.gpu_operations import refusals_of_frame
from mr_platform.gateways.correlation_cache import CorrelationCache
from mr_platform.gateways.frame_engine import FrameEngine, open_engine
from mr_platform.gateways.lakehouse import Lakehouse
from mr_platform.gateways.landing import LandingCatalogue, LandingZone
from mr_platform.gateways.notifications import Notifier, build_notifier
from mr_platform.gateways.search_checkpoints import SearchCheckpoints
from mr_platform.gateways.strategy_landing import StrategyLanding
from mr_platform.orchestration.io_managers import lakehouse_io_manager

SETTINGS = "settings"


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


def _settings(context: dg.InitResourceContext) -> Settings:
    resource: SettingsResource = getattr(context.resources, SETTINGS)
    return resource.load()


@dg.resource(required_resource_keys={SETTINGS}, description="Delta tables of the home.")
def lakehouse_resource(context: dg.InitResourceContext) -> Lakehouse:
    """The lakehouse; no file is touched before it is used."""
    settings = _settings(context)
    return Lakehouse(settings.lakehouse_root, settings.parquet)


@dg.resource(required_resource_keys={SETTINGS}, description="The landing folder of the home.")
def landing_resource(context: dg.InitResourceContext) -> LandingZone:
    """The landing zone over the home's landing folder."""
    return LandingZone(_settings(context).landing_dir)


@dg.resource(required_resource_keys={SETTINGS}, description="What each landed file holds.")
def catalogue_resource(context: dg.InitResourceContext) -> LandingCatalogue:
    """The catalogue of the home's landing folder."""
    settings = _settings(context)
    return LandingCatalogue(settings.landing_catalogue, LandingZone(settings.landing_dir))


@dg.resource(required_resource_keys={SETTINGS}, description="Landed books of strategies.")
def strategy_landing_resource(context: dg.InitResourceContext) -> StrategyLanding:
    """The folder of strategy books in the home's landing folder."""
    return StrategyLanding(_settings(context).landing_dir)


@dg.resource(required_resource_keys={SETTINGS}, description="Searches that were broken off.")
def search_checkpoints_resource(context: dg.InitResourceContext) -> SearchCheckpoints:
    """The home's checkpoints of searches."""
    return SearchCheckpoints(_settings(context).search_checkpoints_dir)


@dg.resource(required_resource_keys={SETTINGS}, description="Correlations worked out before.")
def correlation_cache_resource(context: dg.InitResourceContext) -> CorrelationCache:
    """The home's cache of correlations."""
    return CorrelationCache(_settings(context).correlation_cache_dir)


@dg.resource(
    required_resource_keys={SETTINGS}, description="Where failures and overdue data are told."
)
def notifier_resource(context: dg.InitResourceContext) -> Notifier:
    """The notifiers that the settings name."""
    return build_notifier(_settings(context))


@dg.resource(required_resource_keys={SETTINGS}, description="Where features are worked out.")
def frame_engine_resource(context: dg.InitResourceContext) -> FrameEngine:
    """The engine that the settings name; a device is asked for when a table is made."""
    chosen = _settings(context).features
    return open_engine(
        chosen.engine, auto_gpu_from=chosen.auto_gpu_symbol_days, refusals=refusals_of_frame
    )


def build_resources(settings: SettingsResource | None = None) -> dict[str, object]:
    """Every resource of the definitions, by key.

    Args:
        settings: Settings to work with; None reads ``MR_HOME`` and ``MR_PROFILE`` at run time.
    """
    return {
        SETTINGS: settings or SettingsResource(),
        "lakehouse": lakehouse_resource,
        "frame_engine": frame_engine_resource,
        "landing": landing_resource,
        "catalogue": catalogue_resource,
        "strategy_landing": strategy_landing_resource,
        "search_checkpoints": search_checkpoints_resource,
        "correlation_cache": correlation_cache_resource,
        "notifier": notifier_resource,
        "io_manager": lakehouse_io_manager,
    }
