"""What starts runs without a person: jobs, the landing sensor, the schedule; and who is told.

Here: sensors, schedules and jobs as Dagster wants them.
Not here: what they decide (``landing_watch.py``, ``overdue.py``), how files are read.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterable, Mapping, Sequence

import dagster as dg

from mr_platform.gateways.landing import (
    LandingCatalogue,
    LandingZone,
    snapshot_of,
    stable_files,
)
from mr_platform.gateways.notifications import Notification, Notifier
from mr_platform.orchestration import feature_watch, landing_watch, overdue
from mr_platform.orchestration.assets.option_chain import GROUP
from mr_platform.orchestration.derived_tables import derived_tables
from mr_platform.orchestration.ingestion import (
    OPTION_CHAIN,
    days_to_come,
    refresh_catalogue,
    refresh_settled,
)
from mr_platform.orchestration.landing_watch import WatchMemory
from mr_platform.orchestration.materialization_events import latest_fingerprints
from mr_platform.orchestration.partitions import dagster_key, split_by_opening
from mr_platform.orchestration.resources import SettingsResource
from mr_platform.trading_calendar import (
    CALENDAR_LAST,
    IST,
    SYMBOLS,
    PartitionKey,
    is_trading_day,
)

# Fixed where definitions load, hence no setting: a file is in the tables some 15 s after it landed.
LANDING_INTERVAL_SECONDS = 10
FEATURE_INTERVAL_SECONDS = 15
PRIORITY_TAG = "dagster/priority"
AFTER_INGESTION = "-1"
"""Queued features let landed files go first."""
OVERDUE_INTERVAL_SECONDS = 600
FAILURE_INTERVAL_SECONDS = 15

MAX_TOLD_LINES = 20
"""Files or partitions that one notification names."""

AFTER_CLOSE = "15 16 * * *"

RAW_ASSETS = dg.AssetSelection.groups(GROUP)


def _with_checks(names: Sequence[str]) -> dg.AssetSelection:
    assets = dg.AssetSelection.assets(*names)
    return assets | dg.AssetSelection.checks_for_assets(*names)


ingest_job = dg.define_asset_job(
    "ingest_option_chain_job",
    selection=RAW_ASSETS | dg.AssetSelection.checks_for_assets(OPTION_CHAIN),
    description="Landed files of the chosen partitions become the option chain, and are checked.",
)

feature_job = dg.define_asset_job(
    "features_job",
    selection=_with_checks([table.name for table in derived_tables()]),
    description="The option chain of the chosen partitions becomes panel, history and features.",
)

partner_job = dg.define_asset_job(
    "partner_features_job",
    selection=_with_checks(feature_watch.PARTNER_ASSETS),
    description="What reads the other symbol is made again, once that symbol has arrived.",
)

check_job = dg.define_asset_job(
    "check_option_chain_job",
    selection=dg.AssetSelection.checks_for_assets(OPTION_CHAIN),
    description="Judges stored partitions again, without ingesting anything.",
)


@dg.sensor(
    job=ingest_job,
    minimum_interval_seconds=LANDING_INTERVAL_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Asks for one run for each partition whose landed files are new or changed.",
)
def landing_sensor(
    context: dg.SensorEvaluationContext,
    settings: SettingsResource,
    landing: dg.ResourceParam[LandingZone],
    catalogue: dg.ResourceParam[LandingCatalogue],
    notifier: dg.ResourceParam[Notifier],
) -> dg.SensorResult:
    """One look at the landing folder.

    Files still being written wait for a later tick. New files are inspected as far as the tick's
    time goes. A partition is asked for once for each content of its files; if it was materialised
    from the same content already (by a backfill or the command line), not at all.
    """
    limits = settings.load().orchestration
    memory = WatchMemory.parse(context.cursor)
    files = landing.list_files()
    settled = stable_files(files, memory.moving, limits.landing_settle_seconds, time.time())
    settled_names = {file.relative for file in settled}
    moving = snapshot_of([file for file in files if file.relative not in settled_names])
    report = refresh_catalogue(
        catalogue, only=settled_names, budget_s=limits.sensor_inspect_budget_seconds
    )
    inputs = {key: found.fingerprint for key, found in catalogue.partitions().items()}
    exist, to_come = split_by_opening(inputs)
    faults = {
        file.relative: file.fault
        for file in catalogue.faulty_files()
        if file.relative not in moving  # a file still being written is not judged
    }
    memory = _tell_faulty(memory, {**days_to_come(catalogue, to_come), **faults}, notifier)
    wanted = landing_watch.new_inputs({key: inputs[key] for key in exist}, memory)
    requests, memory = _requests(context.instance, wanted, memory)
    memory = WatchMemory(memory.requested, moving, memory.told)
    waiting = f"{len(report.remaining)} wait for a later look"
    return dg.SensorResult(
        run_requests=requests,
        skip_reason=None if requests else f"nothing new in {len(settled)} files; {waiting}",
        cursor=memory.text(),
    )


@dg.sensor(
    jobs=[feature_job, partner_job],
    minimum_interval_seconds=FEATURE_INTERVAL_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Asks for the features of every new or changed option chain, and again for what "
    "reads the other symbol when that arrives.",
)
def feature_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """One look at what was materialised since the last."""
    memory = feature_watch.FeatureMemory.parse(context.cursor)
    wanted, memory = feature_watch.look(context.instance, memory)
    requests = [
        dg.RunRequest(
            run_key=run_key,
            partition_key=dagster_key(key),
            job_name=job.name,
            tags={PRIORITY_TAG: AFTER_INGESTION},
        )
        for job, keys in ((feature_job, wanted.features), (partner_job, wanted.partners))
        for key, run_key in keys
    ]
    return dg.SensorResult(
        run_requests=requests,
        skip_reason=None if requests else "every option chain has its features",
        cursor=memory.text(),
    )


@dg.schedule(
    job=ingest_job,
    cron_schedule=AFTER_CLOSE,
    execution_timezone="Asia/Kolkata",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="After the close of a trading day: whatever landed for it and is not stored yet.",
)
def after_close_schedule(
    context: dg.ScheduleEvaluationContext,
    settings: SettingsResource,
    catalogue: dg.ResourceParam[LandingCatalogue],
) -> list[dg.RunRequest] | dg.SkipReason:
    """Runs for today's partitions that have input which no run has stored."""
    day = context.scheduled_execution_time.astimezone(IST).date()
    if day > CALENDAR_LAST or not is_trading_day(day):
        return dg.SkipReason(f"{day} is no trading day")
    refresh_settled(catalogue, settings.load())
    inputs = catalogue.partitions()
    keys = {PartitionKey(day, symbol) for symbol in SYMBOLS} & inputs.keys()
    wanted = {key: inputs[key].fingerprint for key in sorted(keys)}
    stored = latest_fingerprints(context.instance, [str(dagster_key(key)) for key in wanted])
    requests = [
        dg.RunRequest(run_key=f"{key}:after-close", partition_key=dagster_key(key))
        for key, fingerprint in wanted.items()
        if stored.get(str(dagster_key(key))) != fingerprint
    ]
    return requests or dg.SkipReason(f"nothing of {day} is landed and not stored")


@dg.run_failure_sensor(
    name="run_failure_notifications",
    minimum_interval_seconds=FAILURE_INTERVAL_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells every failed run to the notifiers.",
)
def run_failure_notifications(
    context: dg.RunFailureSensorContext, notifier: dg.ResourceParam[Notifier]
) -> None:
    """One notification a failed run: what failed, in the words of the fault."""
    run = context.dagster_run
    # Dagster's own name of a run started from the asset graph says nothing to a person
    name = "materialisation" if run.job_name.startswith("__") else run.job_name
    causes = list(_causes(context.get_step_failure_events()))
    notifier.notify(
        Notification(
            severity="error",
            title=f"run failed: {name}",
            body="\n".join(causes) or str(context.failure_event.message),
            context={
                "run_id": run.run_id,
                "job": run.job_name,
                "partitions": _partitions_text(run.tags),
            },
        )
    )


@dg.sensor(
    minimum_interval_seconds=OVERDUE_INTERVAL_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells, once each, partitions that are not stored hours after the close.",
)
def overdue_data_notifications(
    context: dg.SensorEvaluationContext,
    settings: SettingsResource,
    notifier: dg.ResourceParam[Notifier],
) -> dg.SensorResult:
    """Days that closed since the sensor was switched on and have no option chain when due."""
    limits = settings.load().orchestration
    now = _now()
    memory = overdue.OverdueMemory.parse(context.cursor, now)
    due = overdue.due_partitions(memory, now, limits.overdue_after_hours)
    stored = context.instance.get_materialized_partitions(dg.AssetKey(OPTION_CHAIN))
    late = [
        key for key in due if str(dagster_key(key)) not in stored and str(key) not in memory.told
    ]
    if late:  # in one notification, for the reason told in _tell_faulty
        notifier.notify(
            Notification(
                severity="warning",
                title=f"overdue: {late[0]}" if len(late) == 1 else f"{len(late)} overdue",
                body=_listed(
                    [
                        f"No option chain of {key.symbol} for {key.date} "
                        f"{limits.overdue_after_hours:g} hours after the close. Land its files."
                        for key in late
                    ]
                ),
                context={"partitions": _listed([str(key) for key in late]), "asset": OPTION_CHAIN},
            )
        )
    return dg.SensorResult(
        skip_reason=f"{len(late)} newly overdue of {len(due)} partitions due",
        cursor=overdue.remember(memory, due, late).text(),
    )


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _requests(
    instance: dg.DagsterInstance, wanted: Mapping[PartitionKey, str], memory: WatchMemory
) -> tuple[list[dg.RunRequest], WatchMemory]:
    """Run requests for wanted inputs that no run has stored, at most a tick's worth."""
    stored = latest_fingerprints(instance, [str(dagster_key(key)) for key in wanted])
    known = {
        key: fingerprint
        for key, fingerprint in wanted.items()
        if stored.get(str(dagster_key(key))) == fingerprint
    }
    memory = landing_watch.remember_requested(memory, known)
    asked = {
        key: wanted[key]
        for key in [key for key in wanted if key not in known][
            : landing_watch.MAX_REQUESTS_PER_TICK
        ]
    }
    requests = [
        dg.RunRequest(
            run_key=landing_watch.run_key(memory, key, fingerprint),
            partition_key=dagster_key(key),
            tags={"mr/input_fingerprint": fingerprint},
        )
        for key, fingerprint in asked.items()
    ]
    return requests, landing_watch.remember_requested(memory, asked)


def _tell_faulty(memory: WatchMemory, faults: Mapping[str, str], notifier: Notifier) -> WatchMemory:
    """Tell each fault of a landed file once, all that are new in one notification.

    One for each file would flood people, and an address that does not answer would hold the tick
    until Dagster cuts it off, before its cursor is stored: for ever.
    """
    digests = {landing_watch.fault_digest(file, fault): file for file, fault in faults.items()}
    new = sorted({file for digest, file in digests.items() if digest not in memory.told})
    if new:
        many = f"{len(new):,} landed files cannot be used"
        notifier.notify(
            Notification(
                severity="warning",
                title=many if len(new) > 1 else f"landed file cannot be used: {new[0]}",
                body=_listed([faults[file] for file in new]),
                context={"files": _listed(new)},
            )
        )
    return landing_watch.remember_told(memory, digests)


def _listed(lines: Sequence[str]) -> str:
    more = len(lines) - MAX_TOLD_LINES
    shown = list(lines[:MAX_TOLD_LINES])
    return "\n".join([*shown, f"and {more:,} more; `mr status` lists them"] if more > 0 else shown)


def _causes(events: Iterable[dg.DagsterEvent]) -> Iterable[str]:
    """The innermost cause of each failed step, without its traceback."""
    for event in events:
        failure = event.step_failure_data
        described = failure.user_failure_data and failure.user_failure_data.description
        error = failure.error
        while error is not None and error.cause is not None:
            error = error.cause
        text = described or (error.message.strip() if error is not None else event.message)
        yield f"{event.step_key}: {text}"


def _partitions_text(tags: Mapping[str, str]) -> str:
    first = tags.get("dagster/asset_partition_range_start")
    last = tags.get("dagster/asset_partition_range_end")
    return f"{first} to {last}" if first and last else tags.get("dagster/partition", "")
