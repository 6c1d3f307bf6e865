"""Mean correlation of a portfolio, straight from its members: no matrix of all pairs.

Strategies are standardised once, ``z = (x - mean) / ||x - mean||``; the correlation of two is then
the product of their columns, and the sum over all pairs of a portfolio follows from the length of
the sum of its columns (portfolio.md §5).

Here: standardised columns, the mean over pairs of many portfolios, the same after one swap;
single pairs and blocks of the matrix; columns that are the same.
Not here: analytics of all pairs (``correlation_tiles``), what fitness makes of it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mr_platform.portfolio.returns import Matrix, PortfolioError

Members = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

CHUNK_BYTES = 4 << 20
"""Bytes of columns gathered at a time: small enough for the cache of a processor."""

GATHERED_BYTES = 2 << 20
"""Bytes of members gathered at a time, all of a portfolio's together."""

PRODUCTS_AT_ONCE = 1 << 16
"""Products of pairs taken at a time."""


def standardised(pnl: Matrix) -> Matrix:
    """Columns with mean 0 and length 1; a constant column becomes zeros.

    A column is constant where its smallest and its largest value are the same number, so that
    rounding of a mean never turns it into noise of length 1 (as it can in ``numpy.corrcoef``).
    Columns are scaled by a power of two first, which is exact, so that neither huge nor tiny
    values leave the range of float64 when squared. A column has the same bits alone and among
    others.

    Args:
        pnl: Shape (T, n), finite.

    Returns:
        Shape (T, n), without unit; in memory one strategy lies after the other (Fortran order),
        which is what gathering members needs.

    Raises:
        PortfolioError: Not two dimensions, no row, values that are not finite.
    """
    if pnl.ndim != 2 or not pnl.shape[0]:
        raise PortfolioError(f"returns of shape {pnl.shape} have no rows x strategies")
    rows: Matrix = np.array(pnl.T, dtype=np.float64, order="C")
    lowest, highest = rows.min(axis=1), rows.max(axis=1)
    largest = np.maximum(highest, -lowest)
    if not np.isfinite(largest).all():
        raise PortfolioError("returns hold values that are not finite")
    np.ldexp(rows, -np.frexp(largest)[1][:, np.newaxis], out=rows)
    rows -= rows.mean(axis=1)[:, np.newaxis]
    constant = lowest == highest
    rows[constant] = 0.0
    length = np.sqrt(_squares(rows))
    length[constant] = 1.0
    rows /= length[:, np.newaxis]
    return rows.T


def varying(z: Matrix) -> Flags:
    """Strategies that are not constant, shape (n,): those whose standardised column is not zero."""
    return np.asarray(z.any(axis=0))


def mean_correlation(z: Matrix, members: Members, varies: Flags | None = None) -> Matrix:
    """Mean of the signed Pearson correlations of all k(k-1)/2 pairs of each portfolio.

    ``(||sum of z||² - k') / (k (k - 1))`` with k' members that are not constant: O(T k) a
    portfolio (portfolio.md §5). A pair with a constant strategy counts as 0, as in the legacy
    program. The same portfolio gives the same bits alone, in a batch and in any order of members.

    Args:
        z: Shape (T, n), from :func:`standardised`.
        members: Shape (P, k), distinct columns of ``z`` in each row.
        varies: Shape (n,), :func:`varying` of ``z``, which saves taking it anew.

    Returns:
        Shape (P,), in [-1/(k-1), 1]; 0 where fewer than two members vary, so also for k = 1.

    Raises:
        PortfolioError: Members that are not columns of ``z`` or stand twice in a portfolio.
    """
    return _gathered(z, members, varies, keep=False)[0]


@dataclass(frozen=True, eq=False)
class MemberSums:
    """What a swap needs to know of some portfolios.

    Attributes:
        sums: Shape (P, T), the standardised columns of the members added up.
        counts: Shape (P,), int64, members that are not constant.
        size: Members of each portfolio, k.
    """

    sums: Matrix
    counts: Members
    size: int


def member_sums(z: Matrix, members: Members) -> MemberSums:
    """Sums of the members' standardised columns, in the order of their columns.

    Args:
        z: Shape (T, n), from :func:`standardised`.
        members: Shape (P, k), distinct columns of ``z`` in each row.

    Raises:
        PortfolioError: As :func:`mean_correlation`.
    """
    _, sums, counts = _gathered(z, members, None, keep=True)
    return MemberSums(sums, counts, int(members.shape[1]))


def swapped_correlation(
    z: Matrix,
    portfolios: MemberSums,
    which: Members,
    leaving: Members,
    entering: Members,
) -> Matrix:
    """Mean correlation after one member has been replaced: O(T) a swap, many swaps at once.

    Nothing is written back. The sum minus one column plus another is rounded otherwise than a sum
    built anew: the result agrees with :func:`mean_correlation` of the new portfolio to about
    1e-14, not to the bit, so the figure that is kept should come from there.

    Args:
        z: Shape (T, n), from :func:`standardised`.
        portfolios: What :func:`member_sums` gave.
        which: Shape (S,), the portfolio of each swap.
        leaving: Shape (S,), the member that goes; that it is one is the caller's word.
        entering: Shape (S,), the strategy that comes; that it is no member is the caller's word.

    Returns:
        Shape (S,), as :func:`mean_correlation`.

    Raises:
        PortfolioError: Indices outside the portfolios or the strategies, shapes that differ.
    """
    if not which.shape == leaving.shape == entering.shape or which.ndim != 1:
        raise PortfolioError("swaps need three lists of the same length")
    _refuse_outside(which, portfolios.sums.shape[0], "portfolios")
    for columns in (leaving, entering):
        _refuse_outside(columns, z.shape[1], "strategies")
    rows = np.ascontiguousarray(z.T)
    result = np.empty(which.size)
    for part in _parts(which.size, z.shape[0]):
        gone, new = rows[leaving[part]], rows[entering[part]]
        counts = portfolios.counts[which[part]] + new.any(axis=1) - gone.any(axis=1)
        total = portfolios.sums[which[part]]
        total -= gone
        total += new
        result[part] = _mean_of_pairs(total, counts, portfolios.size)
    return result


def pair_correlation(z: Matrix, first: Members, second: Members) -> Matrix:
    """Correlation of each pair of columns: products added in float64 in a fixed order.

    Args:
        z: Shape (T, n), from :func:`standardised`.
        first: Shape (S,), columns.
        second: Shape (S,), columns.

    Returns:
        Shape (S,), in [-1, 1]; the same bits for (i, j) and (j, i), alone and among others.
    """
    return correlation_of_rows(np.ascontiguousarray(z.T), first, second)


def correlation_block(z: Matrix, rows: Members, columns: Members) -> Matrix:
    """A piece of the matrix of correlations, for pictures and small sets.

    As in the legacy program a constant strategy has 0 everywhere, even with itself; all others
    have exactly 1 with themselves.

    Args:
        z: Shape (T, n), from :func:`standardised`.
        rows: Shape (R,), columns of ``z``.
        columns: Shape (C,), columns of ``z``.

    Returns:
        Shape (R, C), in [-1, 1].
    """
    block = np.clip(z[:, rows].T @ z[:, columns], -1.0, 1.0)
    own = rows[:, np.newaxis] == columns[np.newaxis, :]
    selves = np.broadcast_to(varying(z)[rows].astype(np.float64)[:, np.newaxis], own.shape)
    return np.where(own, selves, block)


def duplicate_columns(pnl: Matrix) -> tuple[tuple[int, ...], ...]:
    """Groups of columns equal in every value, found by the hash of their bytes (0 is -0).

    Args:
        pnl: Shape (T, n).

    Returns:
        Groups of two columns or more, each ascending, groups by their first column.
    """
    groups: dict[bytes, list[int]] = {}
    for column, values in enumerate(np.ascontiguousarray(pnl.T, dtype=np.float64) + 0.0):
        groups.setdefault(hashlib.blake2b(values, digest_size=20).digest(), []).append(column)
    return tuple(tuple(group) for group in groups.values() if len(group) > 1)


def correlation_of_rows(
    rows: Matrix, first: npt.NDArray[np.integer], second: npt.NDArray[np.integer]
) -> Matrix:
    """As :func:`pair_correlation`, from the transposed columns.

    Args:
        rows: Shape (n, T), C order: ``standardised(pnl).T``.
        first: Shape (S,), rows.
        second: Shape (S,), rows.
    """
    rho = np.empty(first.size)
    step = max(1, PRODUCTS_AT_ONCE // rows.shape[1])
    for start in range(0, first.size, step):
        part = slice(start, start + step)
        product = rows[first[part]]
        product *= rows[second[part]]
        np.add.reduce(product, axis=1, out=rho[part])
    return np.clip(rho, -1.0, 1.0, out=rho)


def sorted_members(members: Members, strategies: int) -> Members:
    """Members of each portfolio in ascending order, checked.

    Args:
        members: Shape (P, k), whole numbers.
        strategies: Number of strategies, n.

    Raises:
        PortfolioError: Not two dimensions, no member, not whole numbers, a number outside 0..n-1,
            one that stands twice in a portfolio.
    """
    if members.ndim != 2 or not members.shape[1]:
        raise PortfolioError(f"members of shape {members.shape} are not portfolios x members")
    _refuse_outside(members, strategies, "strategies")
    ordered: Members = np.sort(members, axis=1).astype(np.int64, copy=False)
    twice = (ordered[:, 1:] == ordered[:, :-1]).any(axis=1)
    if twice.any():
        raise PortfolioError(
            "a strategy stands twice in a portfolio",
            place=f"portfolio {int(np.flatnonzero(twice)[0])}",
            next_step="Name each member once",
        )
    return ordered


def _gathered(
    z: Matrix, members: Members, varies: Flags | None, *, keep: bool
) -> tuple[Matrix, Matrix, Members]:
    """Mean correlation of each portfolio; sums of columns (where kept); members that vary."""
    ordered = sorted_members(members, z.shape[1])
    portfolios, size = ordered.shape
    rows = np.ascontiguousarray(z.T)
    width = rows.shape[1]
    flags = varying(z) if varies is None else varies
    counts = np.count_nonzero(flags[ordered], axis=1)
    means = np.empty(portfolios)
    sums = np.empty((portfolios if keep else 0, width))
    parts = _parts(portfolios, size * width, GATHERED_BYTES)
    gathered = np.empty((parts[0].stop if parts else 0, size, width))
    for part in parts:
        columns = gathered[: part.stop - part.start]
        # the members are checked, so nothing is clipped: the other modes copy once more
        np.take(rows, ordered[part], axis=0, out=columns, mode="clip")
        total = np.add.reduce(columns, axis=1)  # one member after the other: a fixed order
        means[part] = _mean_of_pairs(total, counts[part], size)
        if keep:
            sums[part] = total
    return means, sums, counts


def _mean_of_pairs(total: Matrix, counts: Members, size: int) -> Matrix:
    pairs = size * (size - 1)
    if not pairs:
        return np.zeros(total.shape[0])
    means = np.where(counts > 1, (_squares(total) - counts) / pairs, 0.0)
    # the bounds hold of the numbers, rounding may pass them by its last bit
    return np.clip(means, -1.0 / (size - 1), 1.0)


def _squares(rows: Matrix) -> Matrix:
    """Squared length of each row; rows lie one after the other, so each is summed alone."""
    squares: Matrix = np.add.reduce(np.ascontiguousarray(rows * rows), axis=1)
    return squares


def _parts(count: int, width: int, most_bytes: int = CHUNK_BYTES) -> list[slice]:
    step = max(1, most_bytes // (8 * width))
    return [slice(start, min(start + step, count)) for start in range(0, count, step)]


def _refuse_outside(indices: Members, count: int, what: str) -> None:
    if indices.dtype.kind not in "iu":
        raise PortfolioError(f"indices of {what} are {indices.dtype}, not whole numbers")
    if indices.size and (int(indices.min()) < 0 or int(indices.max()) >= count):
        raise PortfolioError(
            f"an index lies outside the {count} {what}",
            next_step=f"Give numbers from 0 to {count - 1}",
        )
