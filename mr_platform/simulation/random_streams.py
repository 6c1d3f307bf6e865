"""Independent random streams, each named by what it feeds.

Here: streams by name, and uniforms and normals that belong to a contract for its whole life.
Not here: any model (the other modules of the simulator).

A stream depends on the seed and its name alone, never on what was drawn before it: that is why a
day made alone equals the same day made within a range.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_TO_UNIT = 2.0**-53


def stream(seed: int, *names: object) -> np.random.Generator:
    """Random generator of a named purpose.

    Args:
        seed: Seed of the whole simulation.
        *names: What the stream feeds, for example ``"spot", "NIFTY", date``.

    Returns:
        A PCG64 generator, the same for the same arguments in every process.
    """
    return np.random.Generator(np.random.PCG64(_digest(seed, *names)))


def _digest(seed: int, *names: object) -> int:
    text = "|".join([str(seed), *(str(name) for name in names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")


def keyed_uniforms(keys: Integers, seed: int, *names: object) -> Floats:
    """Uniforms in (0, 1) that belong to integer keys, by the SplitMix64 finaliser.

    Args:
        keys: Integer keys, any shape.
        seed: Seed of the whole simulation.
        *names: What the numbers feed.

    Returns:
        Array of the same shape.
    """
    salt = np.uint64(_digest(seed, *names) & (2**64 - 1))
    with np.errstate(over="ignore"):
        mixed = keys.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + salt
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed = mixed ^ (mixed >> np.uint64(31))
    return ((mixed >> np.uint64(11)).astype(np.float64) + 0.5) * _TO_UNIT


def keyed_normals(keys: Integers, seed: int, *names: object) -> Floats:
    """Standard normals that belong to integer keys, by Box and Muller; see ``keyed_uniforms``."""
    radius = np.sqrt(-2.0 * np.log(keyed_uniforms(keys, seed, *names, "radius")))
    return radius * np.cos(2.0 * np.pi * keyed_uniforms(keys, seed, *names, "angle"))


def autoregressive(innovations: Floats, persistence: float) -> Floats:
    """First-order autoregression x(t) = persistence · x(t−1) + innovation(t), from x(−1) = 0.

    Args:
        innovations: One-dimensional series.
        persistence: Between 0 and 1, exclusive.

    Returns:
        Array of the same length.
    """
    import polars as pl

    weight = 1.0 - persistence
    # ewm_mean starts at its first value, so a leading zero makes the start x(−1) = 0
    padded = pl.Series(np.concatenate(([0.0], innovations / weight)))
    filtered: Floats = padded.ewm_mean(alpha=weight, adjust=False).to_numpy()
    return filtered[1:]
