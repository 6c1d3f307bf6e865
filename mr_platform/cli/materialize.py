"""``mr materialize``: assets for dates and symbols, in this process, resumable.

Here: which partitions are asked for, the dry run, progress, what came out.
Not here: planning and runs (``orchestration/materialization.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from mr_platform.cli.arguments import DATES, NAMES, SYMBOLS, DateRange
from mr_platform.cli.feature_summary import FeatureSummary, feature_summaries, feature_table
from mr_platform.cli.graph import Graph, open_graph
from mr_platform.cli.terminal import (
    Terminal,
    duration,
    example,
    facts,
    listing,
    table,
    with_terminal,
)

if TYPE_CHECKING:
    from mr_platform.orchestration.input_versions import InputVersions
    from mr_platform.orchestration.materialization import BatchOutcome, Plan
    from mr_platform.trading_calendar import PartitionKey


@click.command(
    epilog=example(
        "mr materialize option_chain",
        "mr materialize option_chain --dates 2025-08-01:2025-08-31 --symbols NIFTY --dry-run",
        "mr materialize +c8_features --days 5",
        "mr materialize group:features --stale",
    )
)
@click.argument("assets", type=NAMES, metavar="ASSET[,ASSET…]")
@click.option("--dates", type=DATES, help="Days A:B; without it every day that has input.")
@click.option("--symbols", type=SYMBOLS, help="Only these symbols.")
@click.option("--days", type=click.IntRange(min=1), help="Only the latest N days of those.")
@click.option(
    "--stale", is_flag=True, help="Only partitions made from another definition or files."
)
@click.option("--force", is_flag=True, help="Also partitions that are current.")
@click.option("--dry-run", is_flag=True, help="Tell what would be made, and make nothing.")
@with_terminal
def materialize(
    terminal: Terminal,
    assets: tuple[str, ...],
    dates: DateRange | None,
    symbols: tuple[str, ...] | None,
    days: int | None,
    stale: bool,
    force: bool,
    dry_run: bool,
) -> None:
    """Materialise assets for dates and symbols.

    Name assets, or select them as Dagster does: group:features, +c8_features (with all it
    reads). What was made with today's definition from today's inputs is skipped, so a stopped
    command resumes when it is run again.
    """
    if stale and force:
        raise click.UsageError("--stale and --force exclude each other.")
    if dry_run:
        terminal.require_home()
    from mr_platform.orchestration.asset_selection import require_assets, stages
    from mr_platform.orchestration.materialization import assume_made, input_versions

    plans: list[Plan] = []
    outcomes: list[BatchOutcome] = []
    with open_graph(terminal) as graph:
        names = require_assets(graph.definitions, assets)
        graph.refresh()
        for stage in stages(names):
            if not (plans and dry_run):  # a dry run goes on from what it has assumed
                versions = input_versions(graph.instance, graph.fingerprints())
            plan = _plan(graph, versions, stage, dates, symbols, days, stale=stale, force=force)
            plans.append(plan)
            if dry_run:
                assume_made(graph.definitions, versions, plan)
            else:
                outcomes += run_with_progress(terminal, graph, plan)
        made = sorted({key for outcome in outcomes for key in outcome.made})
        summaries = feature_summaries(graph, sorted(names), made) if made else ()
    if dry_run:
        documents = [_plan_document(plan) for plan in plans]
        terminal.result(
            documents[0] if len(documents) == 1 else {"stages": documents},
            _plans_text(plans),
        )
        return
    _tell(terminal, combined_plan(plans), outcomes, summaries, dates, stale=stale)


def _tell(
    terminal: Terminal,
    plan: Plan,
    outcomes: Sequence[BatchOutcome],
    summaries: Sequence[FeatureSummary],
    dates: DateRange | None,
    *,
    stale: bool,
) -> None:
    """Print what was made, and leave with a fault where something was not."""
    text = _outcome_text(plan, outcomes)
    if summaries:
        text = f"{feature_table(summaries)}\n\n{text}"
    nothing = not (plan.to_make or plan.current)
    # with --stale it is well that there is nothing
    refused = nothing and not stale
    why = _nothing(plan, dates) if refused and not plan.without_input and not plan.to_come else None
    if nothing and stale:
        text = f"nothing is stale\n{text}"
    document = {
        **_plan_document(plan),
        **outcome_document(outcomes),
        "features": [asdict(summary) for summary in summaries],
        "fault": why,
    }
    terminal.result(document, text)
    if why is not None:
        click.echo(f"error: {why}", err=True)
    if refused or plan.to_come or any(outcome.faults for outcome in outcomes):
        terminal.fail()


def _nothing(plan: Plan, dates: DateRange | None) -> str:
    """Why there is nothing to make, and what would change that."""
    from mr_platform.trading_calendar import trading_days

    if dates is not None and not trading_days(dates.first, dates.last):
        span = str(dates.first) if dates.first == dates.last else f"{dates.first} to {dates.last}"
        return f"{span}: no trading day, but weekend or holiday. Choose other dates"
    return f"nothing to make: {plan.lacking} of any day. {_remedy(plan)}"


def _remedy(plan: Plan) -> str:
    """How what is lacking comes to be there."""
    if "landed file" in plan.lacking:
        return "Bring files: mr ingest FILE"
    return f"Make it first: mr materialize +{plan.assets[-1]}"


def _plan(
    graph: Graph,
    versions: InputVersions,
    assets: Sequence[str],
    dates: DateRange | None,
    symbols: Sequence[str] | None,
    days: int | None,
    *,
    stale: bool,
    force: bool,
) -> Plan:
    from mr_platform.orchestration.materialization import plan_materialization, with_input

    fed = with_input(versions, assets)
    return plan_materialization(
        graph.definitions,
        graph.instance,
        assets,
        versions,
        asked=asked_partitions(fed, dates, symbols, days),
        stale_only=stale,
        force=force,
        limit=graph.settings.orchestration.max_partitions_per_run,
    )


def combined_plan(plans: Sequence[Plan]) -> Plan:
    """What several stages were planned to do, as one plan to tell of."""
    from dataclasses import replace

    made = {key for plan in plans for key in plan.to_make}
    return replace(
        plans[-1],
        assets=tuple(name for plan in plans for name in plan.assets),
        to_make=tuple(sorted(made)),
        current=tuple(sorted({key for plan in plans for key in plan.current} - made)),
        without_input=plans[0].without_input,
        lacking=plans[0].lacking,
        to_come=plans[0].to_come,
        batches=tuple(batch for plan in plans for batch in plan.batches),
    )


def asked_partitions(
    fed: Iterable[PartitionKey],
    dates: DateRange | None,
    symbols: Sequence[str] | None,
    days: int | None,
) -> list[PartitionKey]:
    """Partitions asked for: every trading day of explicit dates, else those that have input."""
    from mr_platform.trading_calendar import SYMBOLS as ALL
    from mr_platform.trading_calendar import PartitionKey, trading_days

    wanted = tuple(symbols or ALL)
    if dates is None:
        keys = sorted(key for key in fed if key.symbol in wanted)
    else:
        trading = trading_days(dates.first, dates.last)
        keys = [PartitionKey(day, symbol) for day in trading for symbol in wanted]
    if days is not None:
        latest = set(sorted({key.date for key in keys})[-days:])
        keys = [key for key in keys if key.date in latest]
    return keys


def run_with_progress(terminal: Terminal, graph: Graph, plan: Plan) -> list[BatchOutcome]:
    """Run a plan, telling progress by partitions."""
    from mr_platform.orchestration.materialization import run_plan

    with terminal.progress("materialising", len(plan.to_make)) as advance:

        def told(outcome: BatchOutcome) -> None:
            done = [*outcome.made, *outcome.faults]
            note = f"{min(done)} … {max(done)}" if len(done) > 1 else str(done[0])
            failed = f", {len(outcome.faults)} failed" if outcome.faults else ""
            advance(len(done), f"{note} in {duration(outcome.seconds)}{failed}")

        return run_plan(graph.definitions, graph.instance, plan, told)


def outcome_document(outcomes: Sequence[BatchOutcome]) -> dict[str, Any]:
    """What runs made, for programs."""
    return {
        "made": [str(key) for outcome in outcomes for key in outcome.made],
        "failed": [
            {"partition": str(key), "kind": fault.kind, "fault": fault.message}
            for outcome in outcomes
            for key, fault in outcome.faults.items()
        ],
        "runs": [outcome.run_id for outcome in outcomes],
        "seconds": round(sum(outcome.seconds for outcome in outcomes), 3),
    }


def fault_lines(outcomes: Sequence[BatchOutcome]) -> list[str]:
    """One line for each partition that was not made."""
    return [
        f"error: {key}: {fault.message}"
        for outcome in outcomes
        for key, fault in sorted(outcome.faults.items())
    ]


def _plan_document(plan: Plan) -> dict[str, Any]:
    return {
        "assets": list(plan.assets),
        "to_make": [str(key) for key in plan.to_make],
        "current": [str(key) for key in plan.current],
        "without_input": [str(key) for key in plan.without_input],
        "to_come": [str(key) for key in plan.to_come],
        "runs_planned": len(plan.batches),
        "expected_seconds": round(plan.expected_seconds, 1),
        "seconds_a_partition": round(plan.timing.seconds, 3),
        "timed_partitions": plan.timing.partitions,
    }


def _plans_text(plans: Sequence[Plan]) -> str:
    """Plans of the stages, one after the other."""
    if len(plans) == 1:
        texts = [_plan_text(plans[0])]
    else:
        texts = [
            f"stage {number} of {len(plans)}\n{_plan_text(plan)}"
            for number, plan in enumerate(plans, 1)
        ]
    return "\n\n".join([*texts, "dry run: nothing was made"])


def _plan_text(plan: Plan) -> str:
    basis = (
        f"measured on {plan.timing.partitions:,} partitions"
        if plan.timing.partitions
        else "not measured yet"
    )
    lines = [
        facts(
            {
                "assets": ", ".join(plan.assets),
                "to make": f"{len(plan.to_make):,} partitions in {len(plan.batches):,} runs",
                "current": f"{len(plan.current):,} partitions, skipped",
                "without input": f"{len(plan.without_input):,} partitions, {plan.lacking}",
                "expected time": f"{duration(plan.expected_seconds)} "
                f"({plan.timing.seconds:.2f} s a partition, {basis})",
            }
        )
    ]
    if plan.to_make:
        rows = [
            (number, str(batch[0]), str(batch[-1]), len(batch))
            for number, batch in enumerate(plan.batches, 1)
        ]
        lines += ["", table(["run", "from", "to", "partitions"], rows, right=(0, 3))]
    if plan.without_input:
        lines += ["", f"{plan.lacking}: {listing(plan.without_input, 12)}"]
    if plan.to_come:
        lines += ["", _to_come(plan)]
    return "\n".join(lines)


def _to_come(plan: Plan) -> str:
    return (
        f"error: {listing(plan.to_come)}: a day to come. Check the dates of its files "
        "(`mr status` names them)"
    )


def _outcome_text(plan: Plan, outcomes: Sequence[BatchOutcome]) -> str:
    faulty = {key for outcome in outcomes for key in outcome.faults}
    made = len({key for outcome in outcomes for key in outcome.made} - faulty)
    failed = len(faulty)
    seconds = sum(outcome.seconds for outcome in outcomes)
    lines = fault_lines(outcomes)
    if plan.to_come:
        lines.append(_to_come(plan))
    if plan.without_input:
        lines.append(
            f"{plan.lacking} for {len(plan.without_input):,} partitions: "
            f"{listing(plan.without_input)}. {_remedy(plan)}"
        )
    lines.append(
        f"{made:,} partitions made in {duration(seconds)}, {failed:,} failed, "
        f"{len(plan.current):,} current already, {len(plan.without_input):,} without input"
    )
    return "\n".join(lines)
