"""The Dagster instance of one home.

Here: the home's dagster.yaml, opening the instance, silence of Dagster's own logs.
Not here: starting the webserver or the daemon (``cli/dagster_ui.py``).
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

import dagster as dg

import mr_platform
from mr_platform.config.settings import Settings
from mr_platform.errors import SettingsError

INSTANCE_FILE = "dagster.yaml"


def prepare_dagster_home(settings: Settings) -> Path:
    """Make the home's Dagster folder, with the project's dagster.yaml in it.

    The file is copied anew each time, so that an upgraded project upgrades every home; a home's
    own limits belong into the settings, not into this copy.

    Returns:
        The folder, which ``DAGSTER_HOME`` of this process and its children then names.

    Raises:
        SettingsError: The project's dagster.yaml is not installed.
    """
    folder = settings.dagster_home
    folder.mkdir(parents=True, exist_ok=True)
    source = _declared_instance_file()
    target = folder / INSTANCE_FILE
    if not target.exists() or target.read_bytes() != source.read_bytes():
        partial = target.with_suffix(".part")
        shutil.copyfile(source, partial)
        partial.replace(target)
    os.environ["DAGSTER_HOME"] = str(folder)
    return folder


@contextmanager
def open_instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """The home's instance; Dagster's own logs stay silent unless they are errors."""
    folder = prepare_dagster_home(settings)
    logging.getLogger("dagster").setLevel(logging.CRITICAL)
    with dg.DagsterInstance.from_config(str(folder)) as instance:
        yield instance


def _declared_instance_file() -> Path:
    """The project's dagster.yaml: beside the package in a checkout, inside it when installed."""
    checkout = Path(mr_platform.__file__).parents[1] / INSTANCE_FILE
    if checkout.is_file() and (checkout.parent / "pyproject.toml").is_file():
        return checkout
    packaged = Path(str(resources.files("mr_platform.config").joinpath(INSTANCE_FILE)))
    if packaged.is_file():
        return packaged
    raise SettingsError(
        "dagster.yaml of the project is missing",
        place=str(packaged),
        next_step="Install the package again, or run from a checkout",
    )
