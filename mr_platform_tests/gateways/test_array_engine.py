from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mr_platform.gateways import array_engine
from mr_platform.gateways.array_engine import (
    CPU_BYTES,
    ArrayEngineError,
    CpuArrays,
    GpuArrays,
    cupy_answer,
    device_faults,
    open_arrays,
)

FREE = 8 << 30


def cupy(total: int | None = None, name: Any = b"NVIDIA Test 1") -> Any:
    """A module that answers as CuPy on a device would."""
    runtime = SimpleNamespace(
        getDevice=lambda: 0,
        getDeviceProperties=lambda _: {"name": name},
        memGetInfo=lambda: (FREE, 2 * FREE),
    )
    values = np.arange(3) if total is None else np.array([total])
    return SimpleNamespace(
        arange=lambda count, dtype: values,
        asnumpy=np.asarray,
        cuda=SimpleNamespace(runtime=runtime),
    )


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """No answer is kept from one test to the next."""
    cupy_answer.cache_clear()
    yield
    cupy_answer.cache_clear()


def found(monkeypatch: pytest.MonkeyPatch, module: Any) -> None:
    def imported(_: str) -> Any:
        if isinstance(module, Exception):
            raise module
        return module

    monkeypatch.setattr(array_engine, "import_module", imported)


def test_the_processor_hands_out_numpy() -> None:
    engine = open_arrays("cpu")
    assert engine.xp is np
    assert engine.most_bytes == CPU_BYTES
    assert engine.describe()["engine"] == engine.name == "cpu"
    assert engine.to_host(np.arange(2)).tolist() == [0, 1]
    assert open_arrays("cpu", most_bytes=5).most_bytes == 5


def test_a_device_that_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    module = cupy()
    found(monkeypatch, module)
    engine = open_arrays("gpu")
    assert engine.xp is module
    assert engine.most_bytes == FREE // 4
    assert engine.describe() == {"engine": "gpu", "device": "NVIDIA Test 1"}
    assert engine.to_host(np.arange(2)).tolist() == [0, 1]
    assert open_arrays("gpu", most_bytes=7).most_bytes == 7


@pytest.mark.parametrize(
    ("module", "fault"),
    [
        (ImportError("No module named 'cupy'"), "No module named 'cupy'"),
        (RuntimeError(), "RuntimeError"),
        (cupy(total=4), "0 \\+ 1 \\+ 2 is 4"),
    ],
)
def test_no_device_is_told_with_its_cause(
    module: Any, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found(monkeypatch, module)
    with pytest.raises(ArrayEngineError, match=fault) as told:
        open_arrays("gpu")
    assert "cpu" in (told.value.next_step or "")
    assert told.value.permanent


def test_auto_takes_a_device_for_enough_work_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    found(monkeypatch, cupy())
    assert open_arrays("auto", work=100).name == "cpu"
    assert open_arrays("auto", work=99, auto_gpu_from=100).name == "cpu"
    assert open_arrays("auto", work=100, auto_gpu_from=100).name == "gpu"


def test_auto_stays_on_the_processor_without_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    found(monkeypatch, ImportError("no cupy"))
    assert open_arrays("auto", work=100, auto_gpu_from=1).name == "cpu"


def test_an_engine_of_another_name_is_refused() -> None:
    with pytest.raises(ArrayEngineError, match="there is no engine cuda"):
        open_arrays("cuda")


def test_a_device_without_a_name_still_works(monkeypatch: pytest.MonkeyPatch) -> None:
    nameless = cupy()
    del nameless.cuda.runtime.getDevice
    found(monkeypatch, nameless)
    assert open_arrays("gpu", most_bytes=1).describe()["device"] == "NVIDIA device"
    cupy_answer.cache_clear()
    found(monkeypatch, cupy(name="a text"))
    assert open_arrays("gpu").describe()["device"] == "a text"


@pytest.mark.parametrize(
    ("fault", "told", "permanent"),
    [
        (MemoryError("Out of memory allocating 5 bytes"), "memory of the GPU", True),
        (RuntimeError("cudaErrorLaunchFailure\nmore"), "cudaErrorLaunchFailure\\)", False),
    ],
)
def test_faults_of_a_device_are_told(fault: Exception, told: str, permanent: bool) -> None:
    with (
        pytest.raises(ArrayEngineError, match=told) as raised,
        device_faults(GpuArrays(None, 1, "x")),
    ):
        raise fault
    assert raised.value.permanent is permanent


def test_other_faults_pass_as_they_are() -> None:
    with pytest.raises(MemoryError), device_faults(CpuArrays()):
        raise MemoryError
    with pytest.raises(KeyError), device_faults(GpuArrays(None, 1, "x")):
        raise KeyError
    with device_faults(CpuArrays()):
        pass
