"""The Dagster instance of one home.

Here: the home's dagster.yaml, opening the instance, silence of Dagster's own logs.
Not here: starting the webserver or the daemon (``cli/dagster_ui.py``).
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import resources
from pathlib import Path
from typing import TypeAlias

import dagster as dg
from dagster._core.instance.ref import InstanceRef

import mr_platform
from mr_platform.config.settings import Settings
from mr_platform.errors import SettingsError

INSTANCE_FILE = "dagster.yaml"

_NO_CAPTURE = {
    "compute_logs": {
        "module": "dagster._core.storage.noop_compute_log_manager",
        "class": "NoOpComputeLogManager",
    }
}
"""Of commands: captured steps start processes that watch them; Ctrl-C prints their tracebacks."""

# by these names the command line speaks of Dagster's types without importing dagster
DagsterInstance: TypeAlias = dg.DagsterInstance
Definitions: TypeAlias = dg.Definitions


def prepare_dagster_home(settings: Settings) -> Path:
    """Make the home's Dagster folder, with the project's dagster.yaml in it.

    The file is written anew each time, so that an upgraded project upgrades every home; how many
    runs go at once is taken from the settings, whose profiles differ in it.

    Returns:
        The folder, which ``DAGSTER_HOME`` of this process and its children then names.

    Raises:
        SettingsError: The project's dagster.yaml is not installed.
    """
    folder = settings.dagster_home
    folder.mkdir(parents=True, exist_ok=True)
    text = _instance_text(settings)
    target = folder / INSTANCE_FILE
    if not target.exists() or target.read_text("utf-8") != text:
        partial = target.with_suffix(".part")
        partial.write_text(text, "utf-8")
        partial.replace(target)
    os.environ["DAGSTER_HOME"] = str(folder)
    return folder


@contextmanager
def open_instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """The home's instance; Dagster's own logs stay silent unless they are errors.

    What a step prints goes to the terminal alone; that of runs that the UI starts is kept for it.
    """
    logging.getLogger("dagster").setLevel(logging.CRITICAL)
    with ExitStack() as opened:
        with _alone_in(settings.dagster_home):
            folder = prepare_dagster_home(settings)
            ref = InstanceRef.from_dir(str(folder), overrides=_NO_CAPTURE)
            instance = opened.enter_context(dg.DagsterInstance.from_ref(ref))
            # each store makes its tables when first asked
            instance.get_runs_count()
            instance.all_asset_keys()
            instance.all_instigator_state()
        yield instance


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Let one process at a time open the folder's instance.

    Two commands that make the SQLite tables of a new home together leave two schema versions in
    it, after which Dagster refuses the home for good (seen in 2 of 12 tries).
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".opening").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _instance_text(settings: Settings) -> str:
    """The project's dagster.yaml with the limits of the settings."""
    text = _declared_instance_file().read_text("utf-8")
    limit = settings.orchestration.max_concurrent_runs
    return re.sub(r"(max_concurrent_runs|default_limit): \d+", rf"\g<1>: {limit}", text)


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
