"""What a search is about: portfolios of one size out of candidate strategies, and their fitness.

Here: fitness of whole portfolios, the way to that of swaps; uniform draws by their names.
Not here: fitness after swaps (``swaps``), how to draw (``draws``), the searches.
"""

from __future__ import annotations

import hashlib
from functools import cached_property

import numpy as np

from mr_platform.portfolio.correlation import Members
from mr_platform.portfolio.fitness import PortfolioEvaluator
from mr_platform.portfolio.returns import Matrix, PortfolioError
from mr_platform.portfolio.search.draws import random_entering as random_entering
from mr_platform.portfolio.search.draws import random_portfolios as random_portfolios
from mr_platform.portfolio.search.swap_tables import SwapTables
from mr_platform.portfolio.search.swaps import SwapView


class SearchProblem:
    """Portfolios of ``size`` members out of n candidates, and what they are worth.

    Algorithms see candidates as 0..n-1; :meth:`columns` tells which strategies of the evaluator
    they are. Candidates are put into ascending order, so that the order of the list is of no
    account.

    Attributes:
        evaluator: Takes the fitness.
        size: Members of a portfolio, k.
        candidates: Shape (n,), ascending columns of the evaluator.

    Raises:
        PortfolioError: Fewer than one member, more members than candidates, candidates that are
            not strategies of the evaluator or stand twice.
    """

    def __init__(
        self, evaluator: PortfolioEvaluator, size: int, candidates: Members | None = None
    ) -> None:
        available = evaluator.strategies.shape[0]
        chosen = np.arange(available) if candidates is None else np.asarray(candidates)
        if chosen.ndim != 1 or chosen.dtype.kind not in "iu":
            raise PortfolioError("candidates are not a list of whole numbers")
        chosen = np.sort(chosen).astype(np.int64)
        if chosen.size and not 0 <= chosen[0] <= chosen[-1] < available:
            raise PortfolioError(f"a candidate lies outside the {available} strategies")
        if (chosen[1:] == chosen[:-1]).any():
            raise PortfolioError("a candidate stands twice")
        if not 1 <= size <= chosen.size:
            raise PortfolioError(
                f"portfolios of {size} members cannot be drawn from {chosen.size} candidates",
                next_step=f"Give a size from 1 to {chosen.size}",
            )
        chosen.flags.writeable = False
        self.evaluator = evaluator
        self.size = int(size)
        self.candidates: Members = chosen

    @property
    def strategies(self) -> int:
        """Number of candidates, n."""
        return int(self.candidates.size)

    def columns(self, members: Members) -> Members:
        """The same portfolios as columns of the evaluator."""
        return self.candidates[members]

    def fitness(self, members: Members) -> Matrix:
        """Fitness of portfolios, shape (P,), to the bit that of the evaluator.

        Args:
            members: Shape (P, k), distinct candidates in each row; P may be 0.

        Raises:
            PortfolioError: Rows of another size, members that are no candidates or stand twice.
        """
        self._refuse_other_sizes(members)
        return self.evaluator.evaluate(self.candidates[members]).fitness

    def swaps(self, members: Members) -> SwapView:
        """Ready to judge swaps of one member in each of these portfolios.

        Args:
            members: Shape (P, k), distinct candidates in each row, in any order: a swap names the
                place of the member in its row.

        Raises:
            PortfolioError: As :meth:`fitness`.
        """
        self._refuse_other_sizes(members)
        return SwapView(self._tables, members)

    @cached_property
    def order(self) -> Members:
        """Candidates by the fitness that each has alone, best first, shape (n,).

        These are figures of single strategies, not portfolios of a search: they are not counted.
        """
        alone = self.evaluator.evaluate(self.candidates[:, np.newaxis]).fitness
        return np.argsort(-alone, kind="stable")

    @cached_property
    def key(self) -> str:
        """Hash of the settings, the returns of the candidates and the size."""
        seen = hashlib.blake2b(digest_size=20)
        seen.update(repr((self.evaluator.settings, self.size, self.strategies)).encode())
        seen.update(np.int64(self.evaluator.strategies.shape[1]).tobytes())
        for part in np.array_split(self.candidates, 1 + self.strategies // 4096):
            seen.update(self.evaluator.strategies[part].tobytes())
        return seen.hexdigest()

    @cached_property
    def _tables(self) -> SwapTables:
        return SwapTables(self.evaluator, self.candidates, self.size)

    def _refuse_other_sizes(self, members: Members) -> None:
        if members.ndim != 2 or members.shape[1] != self.size:
            raise PortfolioError(
                f"members of shape {members.shape} are not portfolios of {self.size}"
            )
        # an index below 0 would count from the end of the candidates
        if members.size and not 0 <= int(members.min()) <= int(members.max()) < self.strategies:
            raise PortfolioError(f"a member lies outside the {self.strategies} candidates")
