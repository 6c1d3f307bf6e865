"""Everything a command needs to run the graph over one home.

Here: definitions, instance, landing and lakehouse of the terminal's home, opened together.
Not here: runs (``orchestration/materialization.py``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from mr_platform.cli.terminal import Terminal

if TYPE_CHECKING:
    from mr_platform.config.settings import Settings
    from mr_platform.gateways.lakehouse import Lakehouse
    from mr_platform.gateways.landing import FaultyFile, LandingCatalogue, LandingZone
    from mr_platform.orchestration.home_instance import DagsterInstance, Definitions
    from mr_platform.trading_calendar import PartitionKey

INGESTED_ASSETS = ("landed_files", "option_chain", "quarantined_rows", "load_audit")
"""What landed files become: made together, whichever of them is asked for."""


@dataclass
class Graph:
    """One home, opened."""

    settings: Settings
    definitions: Definitions
    instance: DagsterInstance
    zone: LandingZone
    catalogue: LandingCatalogue

    @cached_property
    def lakehouse(self) -> Lakehouse:
        """The home's tables."""
        from mr_platform.gateways.lakehouse import Lakehouse

        return Lakehouse(self.settings.lakehouse_root, self.settings.parquet)

    def refresh(self) -> None:
        """Bring the catalogue up to the landing folder as it is now."""
        from mr_platform.orchestration.ingestion import refresh_catalogue

        refresh_catalogue(self.catalogue)

    def fingerprints(self) -> dict[PartitionKey, str]:
        """Fingerprint of the landed files of each partition that has any."""
        return {key: inputs.fingerprint for key, inputs in self.catalogue.partitions().items()}

    def faulty_files(self) -> list[FaultyFile]:
        """Landed files that cannot be used, and those that hold rows of days to come."""
        from mr_platform.gateways.landing import FaultyFile
        from mr_platform.orchestration.ingestion import days_to_come
        from mr_platform.orchestration.partitions import split_by_opening

        _, to_come = split_by_opening(self.catalogue.partitions())
        now = dt.datetime.now(dt.UTC)
        early = days_to_come(self.catalogue, to_come)
        return [
            *self.catalogue.faulty_files(),
            *(FaultyFile(name, fault, now) for name, fault in early.items()),
        ]


@contextmanager
def open_graph(terminal: Terminal) -> Iterator[Graph]:
    """Open definitions, instance, landing and lakehouse of the terminal's home."""
    from mr_platform.definitions import build_definitions
    from mr_platform.gateways.landing import LandingCatalogue, LandingZone
    from mr_platform.orchestration.home_instance import open_instance
    from mr_platform.orchestration.materialization import close_abandoned_runs
    from mr_platform.orchestration.resources import SettingsResource

    settings = terminal.settings
    settings.landing_dir.mkdir(parents=True, exist_ok=True)
    zone = LandingZone(settings.landing_dir)
    with open_instance(settings) as instance:
        close_abandoned_runs(instance)
        catalogue = LandingCatalogue(settings.landing_catalogue, zone)
        resource = SettingsResource(home=str(settings.home), profile=settings.profile)
        definitions = build_definitions(resource)
        yield Graph(settings, definitions, instance, zone, catalogue)
