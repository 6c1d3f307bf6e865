"""Where lazy frames are worked out: on the CPU or on an NVIDIA GPU.

Here: one small protocol, the engines behind it, the question whether a GPU answers, and what is
told when it cannot do the work.
Not here: any formula; which operations a feature may use (``features/``); settings (``config/``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import Protocol

import polars as pl

from mr_platform.errors import PlatformError

# As written: feature plans name each intermediate column themselves, so there is nothing to find,
# and one pass is wrong for them: it takes away the sort before a group_by whose groups follow
# from a column that is declared sorted.
_AS_WRITTEN = pl.QueryOptFlags.none()

Refusals = Callable[[pl.LazyFrame], Iterable[str]]
"""Names the steps and expressions of a frame that a GPU does not run, one text each."""

CPU, GPU, AUTO = "cpu", "gpu", "auto"
"""Names of the engines."""

_CPU_INSTEAD = "set features.engine to cpu"
_CONVERSION_FAILED = "'cuda' conversion failed"
"""How Polars begins its error where cuDF does not take a plan."""

_LIST_OF_CAUSES = re.compile(r"['\"], \[.*\]\)?$", re.DOTALL)

_MEMORY_SPENT = ("out_of_memory", "out of memory", "bad_alloc", "memory allocation")


class FrameEngineError(PlatformError):
    """The chosen engine cannot work a frame out, and no other one steps in silently."""


class FrameEngine(Protocol):
    """Works out lazy frames."""

    @property
    def name(self) -> str:
        """``cpu``, ``gpu`` or ``auto``."""
        ...

    @property
    def chunks_at_once(self) -> int:
        """Chunks of a batch that it works on side by side."""
        ...

    @property
    def prepares(self) -> bool:
        """Whether it works out queries whose data come from a Python function."""
        ...

    def collect(self, frame: pl.LazyFrame) -> pl.DataFrame:
        """The frame's rows, in the frame's order."""
        ...

    def collect_all(self, frames: Sequence[pl.LazyFrame]) -> list[pl.DataFrame]:
        """The rows of several frames, side by side where that is faster."""
        ...

    def describe(self) -> dict[str, str]:
        """Name of the engine and of the device, for people: keys engine and device."""
        ...

    def suited_to(self, symbol_days: int) -> FrameEngine:
        """The engine that works on so many symbol-days at once; a GPU must answer by now."""
        ...


class CpuEngine:
    """Polars on the CPU, all its threads."""

    name = CPU
    chunks_at_once = 2
    prepares = True

    def collect(self, frame: pl.LazyFrame) -> pl.DataFrame:
        """The frame's rows, worked out in the order in which it was written."""
        # named, so that no setting of Polars itself moves the work elsewhere
        return frame.collect(engine="in-memory", optimizations=_AS_WRITTEN)

    def collect_all(self, frames: Sequence[pl.LazyFrame]) -> list[pl.DataFrame]:
        """The rows of several frames, each planned by a thread of its own.

        Polars' own ``collect_all`` plans one after the other, which is half of the work on short
        frames.
        """
        first, *others = frames
        waiting = [_planning_threads().submit(self.collect, frame) for frame in others]
        try:
            return [self.collect(first), *(found.result() for found in waiting)]
        finally:  # after a fault too nobody may still read what the caller lends
            for one in waiting:
                one.cancel()
            wait(waiting)

    def describe(self) -> dict[str, str]:
        """``cpu`` and the number of threads."""
        return {"engine": self.name, "device": f"CPU, {pl.thread_pool_size()} threads"}

    def suited_to(self, symbol_days: int) -> FrameEngine:
        """Itself."""
        return self


class GpuEngine:
    """cuDF's Polars engine on one NVIDIA device, which takes a whole frame or fails.

    Args:
        refusals: Names what of a frame the device does not run, for the error.
    """

    name = GPU
    chunks_at_once = 1  # the device's memory is the limit, and one chunk keeps it busy
    prepares = False

    def __init__(self, refusals: Refusals | None = None) -> None:
        self._refusals = refusals

    def collect(self, frame: pl.LazyFrame) -> pl.DataFrame:
        """The frame's rows, worked out on the device.

        Raises:
            FrameEngineError: The device does not run a step or an expression of the frame, its
                memory does not hold it, or it does not answer.
        """
        try:
            return _on_device(frame)
        except (pl.exceptions.ComputeError, NotImplementedError) as fault:
            if not isinstance(fault, NotImplementedError) and not _is_refusal(fault):
                raise
            raise self._refused(frame, fault) from fault
        except (MemoryError, RuntimeError) as fault:
            raise _failed(fault) from fault
        except ImportError as fault:
            raise _no_gpu(_reason(fault)) from fault

    def collect_all(self, frames: Sequence[pl.LazyFrame]) -> list[pl.DataFrame]:
        """One after the other: the device's memory is the limit."""
        return [self.collect(frame) for frame in frames]

    def describe(self) -> dict[str, str]:
        """``gpu`` and the name of the device."""
        return {"engine": self.name, "device": gpu_answer().device or "no device"}

    def suited_to(self, symbol_days: int) -> FrameEngine:
        """Itself.

        Raises:
            FrameEngineError: No device answers.
        """
        answer = gpu_answer()
        if answer.device is None:
            raise _no_gpu(answer.fault)
        return self

    def _refused(self, frame: pl.LazyFrame, fault: Exception) -> FrameEngineError:
        named = list(self._refusals(frame)) if self._refusals else []
        told = [*named, *_lines_of_refusal(fault)]
        return FrameEngineError(
            "the GPU does not run this work as it is written, and the CPU does not step in:\n"
            + "\n".join(f"  {line}" for line in told),
            place="engine gpu",
            next_step=f"Write these expressions in operations that the GPU has, or {_CPU_INSTEAD}",
        )


class AutoEngine:
    """The GPU where one answers and the work is large enough, else the CPU.

    Args:
        gpu_from: Symbol-days worked on at once from which the GPU is taken; None never takes it.
        refusals: As of ``GpuEngine``.
    """

    name = AUTO
    chunks_at_once = CpuEngine.chunks_at_once
    prepares = CpuEngine.prepares

    def __init__(self, gpu_from: int | None = None, refusals: Refusals | None = None) -> None:
        self._gpu_from = gpu_from
        self._cpu = CpuEngine()
        self._gpu = GpuEngine(refusals)

    def collect(self, frame: pl.LazyFrame) -> pl.DataFrame:
        """The frame's rows, worked out on the CPU: nobody has said how much work there is."""
        return self._cpu.collect(frame)

    def collect_all(self, frames: Sequence[pl.LazyFrame]) -> list[pl.DataFrame]:
        """As ``collect``."""
        return self._cpu.collect_all(frames)

    def describe(self) -> dict[str, str]:
        """What the CPU says of itself."""
        return self._cpu.describe()

    def suited_to(self, symbol_days: int) -> FrameEngine:
        """The GPU's engine for enough work where a device answers, else the CPU's."""
        enough = self._gpu_from is not None and symbol_days >= self._gpu_from
        # asked last: the question costs seconds where cuDF is installed
        return self._gpu if enough and gpu_answer().device is not None else self._cpu


@lru_cache(maxsize=1)
def _planning_threads() -> ThreadPoolExecutor:
    """Threads that plan frames beside the caller's; made when they are first needed."""
    return ThreadPoolExecutor(pl.thread_pool_size(), thread_name_prefix="frames")


def open_engine(
    name: str, *, auto_gpu_from: int | None = None, refusals: Refusals | None = None
) -> FrameEngine:
    """The engine of a name; nothing is asked of a device yet.

    Args:
        name: ``cpu``, ``gpu`` or ``auto``.
        auto_gpu_from: Symbol-days at once from which ``auto`` takes the GPU; None never does.
        refusals: Names what of a frame a GPU does not run.

    Raises:
        FrameEngineError: No engine has this name.
    """
    if name == CPU:
        return CpuEngine()
    if name == GPU:
        return GpuEngine(refusals)
    if name == AUTO:
        return AutoEngine(auto_gpu_from, refusals)
    raise FrameEngineError(f"there is no engine {name}", next_step=f"Engines: {CPU}, {GPU}, {AUTO}")


# -- the device -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class GpuAnswer:
    """Whether a GPU works in this process.

    Attributes:
        device: Its name; None where none answers.
        fault: Why none answers; empty where one does.
    """

    device: str | None
    fault: str = ""


@lru_cache(maxsize=1)
def gpu_answer() -> GpuAnswer:
    """Ask for a device by a tiny operation, once a process.

    cuDF can be imported where there is no device; only an operation tells.
    """
    try:
        answer = _on_device(pl.LazyFrame({"x": [1, 2]}).select(pl.col("x").sum()))
    except Exception as fault:  # missing package, driver or device: each has a type of its own
        return GpuAnswer(None, _reason(fault))
    if answer.item() != 3:
        return GpuAnswer(None, f"the device says that 1 + 2 is {answer.item()}")
    return GpuAnswer(_device_name())


def _on_device(frame: pl.LazyFrame) -> pl.DataFrame:
    # in-memory: the streaming executor, cuDF's default, starts a cluster of its own; raise_on_fail:
    # else Polars would work out on the CPU, silently, what the device does not run
    device = pl.GPUEngine(executor="in-memory", raise_on_fail=True)
    return frame.collect(engine=device, optimizations=_AS_WRITTEN)


def _device_name() -> str:
    """Name of the device in use, by the CUDA bindings that come with cuDF."""
    try:
        runtime = import_module("cuda.bindings.runtime")
        _, number = runtime.cudaGetDevice()
        _, properties = runtime.cudaGetDeviceProperties(number)
        return bytes(properties.name).rstrip(b"\0").decode()
    except Exception:  # the name is for people only and must not cost the work
        return "NVIDIA device"


# -- faults ---------------------------------------------------------------------------------------


def _reason(fault: BaseException) -> str:
    """The first line of an error that says something."""
    lines = [line.strip() for line in str(fault).splitlines() if line.strip()]
    return lines[0] if lines else type(fault).__name__


def _is_refusal(fault: Exception) -> bool:
    return _CONVERSION_FAILED in str(fault)


def _lines_of_refusal(fault: Exception) -> list[str]:
    """CuDF's own words, without the frame that Polars puts around them."""
    # Polars hands on the arguments of the error as Python writes them: line ends spelt out, and
    # after the message once more the list of its causes
    text = str(fault).replace("\\n", "\n").partition(_CONVERSION_FAILED)[2] or str(fault)
    text = _LIST_OF_CAUSES.sub("", text)
    lines = [line.strip(" :") for line in text.splitlines()]
    listed = [line.removeprefix("- ") for line in lines if line.startswith("- ")]
    return [f"cuDF: {line}" for line in listed or lines if line]


def _failed(fault: Exception) -> FrameEngineError:
    text = str(fault)
    if isinstance(fault, MemoryError) or any(word in text.lower() for word in _MEMORY_SPENT):
        return FrameEngineError(
            f"the memory of the GPU does not hold the work ({_reason(fault)})",
            place="engine gpu",
            next_step=f"Lower features.chunk_dates, or {_CPU_INSTEAD}",
        )
    # a device that other programs use may answer the next time
    return FrameEngineError(
        f"the GPU failed ({_reason(fault)})",
        place="engine gpu",
        next_step=f"Run it again, or {_CPU_INSTEAD}",
        permanent=False,
    )


def _no_gpu(reason: str) -> FrameEngineError:
    return FrameEngineError(
        f"no GPU answers ({reason})",
        place="engine gpu",
        next_step=f"Run it on a GPU worker with what `make test-gpu` installs, or {_CPU_INSTEAD}",
    )
