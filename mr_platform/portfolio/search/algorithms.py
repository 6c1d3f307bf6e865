"""The eight search algorithms by name, with their parameters.

Here: which algorithms there are, choosing one with parameters.
Not here: what they do (one module each).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from mr_platform.portfolio.returns import PortfolioError
from mr_platform.portfolio.search.ant_colony import AntColony, LegacyAntColony
from mr_platform.portfolio.search.bayesian import Bayesian, LegacyBayesian
from mr_platform.portfolio.search.differential_evolution import (
    DifferentialEvolution,
    LegacyDifferentialEvolution,
)
from mr_platform.portfolio.search.engine import Algorithm, Form
from mr_platform.portfolio.search.genetic import Genetic, LegacyGenetic
from mr_platform.portfolio.search.hill_climbing import HillClimbing, LegacyHillClimbing
from mr_platform.portfolio.search.parameters import Parameter, parameters_of, refuse_unknown
from mr_platform.portfolio.search.particle_swarm import LegacyParticleSwarm, ParticleSwarm
from mr_platform.portfolio.search.random_search import RandomSearch
from mr_platform.portfolio.search.simulated_annealing import (
    LegacySimulatedAnnealing,
    SimulatedAnnealing,
)


@dataclass(frozen=True)
class Forms:
    """The forms of one algorithm.

    Attributes:
        improved: The class of its true modern form.
        legacy: The class with the semantics of the record; None where the record has none.
    """

    improved: type[Any]
    legacy: type[Any] | None

    def parameters(self, form: Form = "improved") -> tuple[Parameter, ...]:
        """Names, defaults and bounds of the parameters of a form; none where it is missing."""
        chosen = self.legacy if form == "legacy" else self.improved
        return () if chosen is None else parameters_of(chosen)


ALGORITHMS: Final[Mapping[str, Forms]] = MappingProxyType(
    {
        "genetic": Forms(Genetic, LegacyGenetic),
        "simulated_annealing": Forms(SimulatedAnnealing, LegacySimulatedAnnealing),
        "particle_swarm": Forms(ParticleSwarm, LegacyParticleSwarm),
        "differential_evolution": Forms(DifferentialEvolution, LegacyDifferentialEvolution),
        "ant_colony": Forms(AntColony, LegacyAntColony),
        "hill_climbing": Forms(HillClimbing, LegacyHillClimbing),
        "bayesian": Forms(Bayesian, LegacyBayesian),
        "random_search": Forms(RandomSearch, None),
    }
)
"""The algorithms by name."""


def algorithm(name: str, form: Form = "improved", **parameters: float | str | None) -> Algorithm:
    """An algorithm by its name.

    Args:
        name: One of :data:`ALGORITHMS`.
        form: ``improved``, or ``legacy`` for the semantics of the record.
        parameters: Those of the form; what is not named has its default.

    Raises:
        PortfolioError: A name, form or parameter that is not known, a value out of bounds.
    """
    refuse_unknown("algorithm", {name: None}, tuple(ALGORITHMS), "search")
    refuse_unknown("form", {form: None}, ("legacy", "improved"), name)
    chosen = ALGORITHMS[name].legacy if form == "legacy" else ALGORITHMS[name].improved
    if chosen is None:
        raise PortfolioError(
            f"{name} has no legacy form: the record does not know it",
            next_step="Ask for the improved form",
            misused=True,
        )
    known = tuple(one.name for one in parameters_of(chosen))
    refuse_unknown("parameter", parameters, known, f"{name}, {form}")
    made: Algorithm = chosen(**parameters)
    return made
