"""Which array module heavy portfolio work runs on: NumPy, or CuPy on an NVIDIA GPU.

Here: the engines, the question whether CuPy finds a device, what is told when it fails.
Not here: any formula (``portfolio/``); lazy frames (``frame_engine``); settings (``config/``).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from mr_platform.errors import PlatformError
from mr_platform.gateways.frame_engine import AUTO, CPU, GPU, GpuAnswer

CPU_BYTES = 64 << 20
"""Bytes that one step takes on the processor."""

GPU_SHARE = 0.25
"""Share of the device's free memory that one step takes, beside the returns themselves."""

_CPU_INSTEAD = "choose the engine cpu"


class ArrayEngineError(PlatformError):
    """The chosen engine cannot do the work, and no other one steps in silently."""


class ArrayEngine(Protocol):
    """An array module, the way home from it, and how much of its memory a step may take."""

    @property
    def name(self) -> str:
        """``cpu`` or ``gpu``."""
        ...

    @property
    def xp(self) -> Any:
        """NumPy, or a module with its functions."""
        ...

    @property
    def most_bytes(self) -> int:
        """Bytes that the arrays of one step may take together."""
        ...

    def to_host(self, array: Any, /) -> npt.NDArray[Any]:
        """The same values as an array of NumPy."""
        ...

    def describe(self) -> dict[str, str]:
        """Name of the engine and of the device, for people: keys engine and device."""
        ...


@dataclass(frozen=True)
class CpuArrays:
    """NumPy.

    Attributes:
        most_bytes: Bytes of one step.
    """

    most_bytes: int = CPU_BYTES
    name = CPU

    @property
    def xp(self) -> Any:
        """NumPy."""
        return np

    def to_host(self, array: Any, /) -> npt.NDArray[Any]:
        """The array itself."""
        return np.asarray(array)

    def describe(self) -> dict[str, str]:
        """``cpu``."""
        return {"engine": self.name, "device": "CPU, NumPy"}


@dataclass(frozen=True)
class GpuArrays:
    """CuPy on one NVIDIA device.

    Attributes:
        xp: CuPy.
        most_bytes: Bytes of one step.
        device: Name of the device.
    """

    xp: Any
    most_bytes: int
    device: str
    name = GPU

    def to_host(self, array: Any, /) -> npt.NDArray[Any]:
        """A copy in the processor's memory."""
        found: npt.NDArray[Any] = self.xp.asnumpy(array)
        return found

    def describe(self) -> dict[str, str]:
        """``gpu`` and the name of the device."""
        return {"engine": self.name, "device": self.device}


def open_arrays(
    name: str, *, work: int = 0, auto_gpu_from: int | None = None, most_bytes: int | None = None
) -> ArrayEngine:
    """The engine of a name.

    Args:
        name: ``cpu``, ``gpu`` or ``auto``.
        work: Values that the work reads, such as rows x strategies; ``auto`` goes by it.
        auto_gpu_from: Values from which ``auto`` takes a GPU that answers; None never does.
        most_bytes: Bytes of one step; None takes :data:`CPU_BYTES`, on a device
            :data:`GPU_SHARE` of its free memory.

    Raises:
        ArrayEngineError: No engine has this name, or ``gpu`` was asked for and none answers.
    """
    if name not in (CPU, GPU, AUTO):
        raise ArrayEngineError(
            f"there is no engine {name}", next_step=f"Engines: {CPU}, {GPU}, {AUTO}"
        )
    enough = auto_gpu_from is not None and work >= auto_gpu_from
    # asked last: the question costs seconds where CuPy is installed
    if name == GPU or (name == AUTO and enough and cupy_answer().device is not None):
        return _on_device(most_bytes)
    return CpuArrays() if most_bytes is None else CpuArrays(most_bytes)


@contextmanager
def device_faults(engine: ArrayEngine) -> Iterator[None]:
    """Tell faults of a device that happen inside as an :class:`ArrayEngineError`.

    Args:
        engine: The engine at work; faults on the processor pass as they are.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as fault:
        if engine.name != GPU or isinstance(fault, PlatformError):
            raise
        raise _failed(fault) from fault


@lru_cache(maxsize=1)
def cupy_answer() -> GpuAnswer:
    """Ask CuPy for a device by a tiny operation, once a process.

    CuPy can be imported where there is no device; only an operation tells.
    """
    try:
        cupy = import_module("cupy")
        answer = int(cupy.asnumpy(cupy.arange(3, dtype=np.int64).sum()))
    except Exception as fault:  # missing package, driver or device: each has a type of its own
        return GpuAnswer(None, _reason(fault))
    if answer != 3:
        return GpuAnswer(None, f"the device says that 0 + 1 + 2 is {answer}")
    return GpuAnswer(_device_name(cupy))


def _on_device(most_bytes: int | None) -> GpuArrays:
    answer = cupy_answer()
    if answer.device is None:
        raise ArrayEngineError(
            f"no GPU answers ({answer.fault})",
            place="engine gpu",
            next_step=f"Run it on a GPU worker with what `make test-gpu` installs, or "
            f"{_CPU_INSTEAD}",
        )
    cupy = import_module("cupy")
    if most_bytes is None:
        free, _ = cupy.cuda.runtime.memGetInfo()
        most_bytes = int(free * GPU_SHARE)
    return GpuArrays(cupy, most_bytes, answer.device)


def _device_name(cupy: Any) -> str:
    try:
        runtime = cupy.cuda.runtime
        name = runtime.getDeviceProperties(runtime.getDevice())["name"]
        return name.decode() if isinstance(name, bytes) else str(name)
    except Exception:  # the name is for people only and must not cost the work
        return "NVIDIA device"


def _failed(fault: Exception) -> ArrayEngineError:
    if isinstance(fault, MemoryError):
        return ArrayEngineError(
            f"the memory of the GPU does not hold the work ({_reason(fault)})",
            place="engine gpu",
            next_step=f"Give fewer bytes for one step, or {_CPU_INSTEAD}",
        )
    # a device that other programs use may answer the next time
    return ArrayEngineError(
        f"the GPU failed ({_reason(fault)})",
        place="engine gpu",
        next_step=f"Run it again, or {_CPU_INSTEAD}",
        permanent=False,
    )


def _reason(fault: BaseException) -> str:
    """The first line of an error that says something."""
    lines = [line.strip() for line in str(fault).splitlines() if line.strip()]
    return lines[0] if lines else type(fault).__name__
