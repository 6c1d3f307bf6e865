"""Particle swarm: velocities and moves of sets, the random walk of the record, quality."""

from __future__ import annotations

import numpy as np
import pytest

from mr_platform.portfolio.returns import PortfolioError
from mr_platform.portfolio.search.draws import random_portfolios
from mr_platform.portfolio.search.engine import Budget, run_search
from mr_platform.portfolio.search.particle_swarm import LegacyParticleSwarm, ParticleSwarm
from mr_platform_tests.portfolio.search.made_problems import made_problem, real_problem
from mr_platform_tests.portfolio.search.quality import assert_better_than_chance_and_record

STILL = {"mutation": 0.0, "climb": 0, "home": 0.0}


def _begun(swarm: ParticleSwarm, seed: int = 1):
    problem, rng = made_problem(), np.random.default_rng(seed)
    return problem, rng, swarm.begin(problem, rng, 10_000)


def test_defaults_are_those_of_the_record_where_it_has_them() -> None:
    swarm = ParticleSwarm()
    assert (swarm.swarm, swarm.iterations, swarm.c1, swarm.c2, swarm.vmax) == (25, 50, 2, 2, 0.5)
    assert (swarm.inertia_start, swarm.inertia_end) == (0.9, 0.4)
    with pytest.raises(PortfolioError, match="vmax"):
        ParticleSwarm(vmax=1.5)


def test_members_enter_from_the_bests_alone() -> None:
    problem, rng, begun = _begun(ParticleSwarm(**STILL))
    before = begun.state["swarm"]
    after = ParticleSwarm(**STILL).step(problem, begun.state, rng, 10_000)
    leader = before[np.argmax(begun.state["best_fitness"])]
    moved = 0
    for old, new in zip(before, after.state["swarm"], strict=True):
        entered = np.setdiff1d(new, old)
        from_leader = np.isin(entered, leader).all()
        # one that would not move draws one member anew
        assert from_leader or entered.size == 1
        moved += from_leader and entered.size > 0
    assert moved > 10
    assert (after.state["best_fitness"] >= begun.state["best_fitness"]).all()


def test_velocity_is_capped_sparse_and_fades() -> None:
    swarm = ParticleSwarm(**STILL, vmax=0.3)
    problem, rng, step = _begun(swarm)
    for _ in range(6):
        step = swarm.step(problem, step.state, rng, 10_000)
        chance, velocity = step.state["chance"], step.state["velocity"]
        assert velocity.shape == chance.shape == (25, problem.size)
        assert 0.0 <= chance.min() <= chance.max() <= 0.3
        assert (np.diff(velocity, axis=1) > 0).all()
    pulled = ParticleSwarm(**STILL, c1=0.0, c2=0.0, inertia_start=0.5, inertia_end=0.5)
    faded = pulled.step(problem, step.state, rng, 10_000).state["chance"]
    assert faded.max() <= 0.5 * step.state["chance"].max()


def test_inertia_falls_with_the_iterations() -> None:
    swarm = ParticleSwarm(**STILL, c1=0.0, c2=0.0, iterations=2, inertia_start=1.0, inertia_end=0.0)
    problem, rng, begun = _begun(swarm)
    far = np.setdiff1d(np.arange(60), begun.state["swarm"].ravel())[: problem.size]
    state = dict(begun.state) | {
        "velocity": np.tile(far, (25, 1)),
        "chance": np.full((25, problem.size), 0.4),
    }
    first = swarm.step(problem, state, rng, 10_000)
    assert first.state["chance"].max() == 0.4
    later = swarm.step(problem, state | {"iteration": np.asarray(2)}, rng, 10_000)
    assert later.state["chance"].max() == 0.0


def test_a_swarm_that_agrees_scatters_around_the_best_of_all() -> None:
    swarm = ParticleSwarm(patience=1, kick=2)
    problem, rng, begun = _begun(swarm)
    state = dict(begun.state) | {"stalled": np.asarray(1)}
    step = swarm.step(problem, state, rng, 10_000)
    common = [np.isin(row, state["top"]).sum() for row in step.state["swarm"]]
    assert min(common) >= problem.size - 2
    assert step.evaluated == 25
    assert float(step.state["top_fitness"]) >= float(state["top_fitness"])
    # at the end of the budget only a part of the swarm is left
    assert swarm.step(problem, state, rng, 3).state["swarm"].shape[0] == 3


def test_the_walk_of_the_record_replaces_one_member_in_twenty() -> None:
    problem, rng = made_problem(strategies=60, size=20), np.random.default_rng(1)
    walk = LegacyParticleSwarm(swarm=500)
    first = walk.begin(problem, rng, 10_000)
    assert (
        first.state["swarm"].tolist()
        == random_portfolios(np.random.default_rng(1), 60, 20, 500).tolist()
    )
    second = walk.step(problem, first.state, rng, 10_000)
    changed = (first.state["swarm"] != second.state["swarm"]).mean()
    assert abs(changed - 0.05) < 0.01
    ordered = np.sort(second.state["swarm"], axis=1)
    assert (np.diff(ordered, axis=1) > 0).all()


def test_the_walk_of_the_record_judges_50_rounds_of_30() -> None:
    result = run_search(LegacyParticleSwarm(), made_problem(), Budget(9_999), 1)
    assert (result.evaluations, result.stopped) == (50 * 30, "finished")


@pytest.mark.real_data
def test_quality_on_real_data(real_data) -> None:
    problem = real_problem(real_data / "strategies")
    assert_better_than_chance_and_record(problem, "particle_swarm", 1_500, 3, median=25)


@pytest.mark.real_data
@pytest.mark.slow
@pytest.mark.parametrize(("evaluations", "median"), [(1_500, 30), (20_000, 90)])
def test_quality_over_ten_seeds(real_data, evaluations: int, median: float) -> None:
    problem = real_problem(real_data / "strategies")
    assert_better_than_chance_and_record(problem, "particle_swarm", evaluations, 10, median=median)
