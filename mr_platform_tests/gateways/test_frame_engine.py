"""The engine on the CPU; that on a GPU as far as it goes without one."""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Iterator
from threading import Event
from types import ModuleType, SimpleNamespace
from typing import Any

import polars as pl
import pytest

from mr_platform.gateways import frame_engine as module
from mr_platform.gateways.frame_engine import (
    AutoEngine,
    CpuEngine,
    FrameEngine,
    FrameEngineError,
    GpuEngine,
    gpu_answer,
    open_engine,
)

FRAME = pl.DataFrame({"g": [1, 0, 1, 0], "x": [4.0, 3.0, 2.0, 1.0]})


def test_the_cpu_engine_is_an_engine_and_says_its_name() -> None:
    engine: FrameEngine = CpuEngine()
    assert engine.name == "cpu"


def test_rows_come_in_the_frame_s_order() -> None:
    found = CpuEngine().collect(FRAME.lazy().with_columns(y=pl.col("x") + 1))
    assert found["y"].to_list() == [5.0, 4.0, 3.0, 2.0]


@pytest.mark.parametrize("engine", [CpuEngine(), AutoEngine(None)])
def test_several_frames_come_in_the_order_in_which_they_were_given(engine: FrameEngine) -> None:
    frames = [FRAME.lazy().select(y=pl.col("x") + number) for number in range(5)]
    found = engine.collect_all(frames)
    assert [one["y"][0] for one in found] == [4.0, 5.0, 6.0, 7.0, 8.0]


def test_a_fault_of_any_of_several_frames_is_raised() -> None:
    good, bad = FRAME.lazy().select("x"), FRAME.lazy().select("absent")
    for frames in ([good, bad], [bad, good]):
        with pytest.raises(pl.exceptions.ColumnNotFoundError):
            CpuEngine().collect_all(frames)


def test_after_a_fault_no_frame_is_still_worked_on() -> None:
    begun, ended = Event(), Event()

    class Slow(CpuEngine):
        def collect(self, frame: pl.LazyFrame) -> pl.DataFrame:
            if "bad" in frame.collect_schema():
                assert begun.wait(60)
                raise ValueError("bad frame")
            begun.set()
            time.sleep(0.2)
            ended.set()
            return super().collect(frame)

    bad = FRAME.lazy().select(bad="x")
    with pytest.raises(ValueError, match="bad frame"):
        Slow().collect_all([bad, FRAME.lazy()])
    assert ended.is_set()


def test_a_device_is_given_one_frame_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    at_work: list[int] = []

    def on_device(frame: pl.LazyFrame) -> pl.DataFrame:
        at_work.append(len(at_work))
        found = frame.collect()
        assert at_work.pop() == 0
        return found

    monkeypatch.setattr(module, "_on_device", on_device)
    frames = [FRAME.lazy().select(y=pl.col("x") + number) for number in range(3)]
    assert [one["y"][0] for one in GpuEngine().collect_all(frames)] == [4.0, 5.0, 6.0]
    assert GpuEngine().prepares is False


def test_what_a_frame_gives_is_what_polars_gives() -> None:
    plan = FRAME.lazy().sort("g", "x").group_by("g", maintain_order=True).agg(pl.col("x").sum())
    assert CpuEngine().collect(plan).equals(plan.collect())


def test_rows_sorted_for_an_ordered_sum_stay_sorted() -> None:
    """A column that is declared sorted must not lead the engine to drop the sort before it."""
    rows = pl.DataFrame({"g": [0, 0, 1, 1], "x": [2, 1, 4, 3]})
    declared = rows.with_columns(pl.col("g").set_sorted())
    plan = declared.lazy().sort("g", "x").group_by("g", maintain_order=True)
    assert CpuEngine().collect(plan.agg(pl.col("x").first()))["x"].to_list() == [1, 3]


def test_a_fault_of_the_plan_is_raised() -> None:
    with pytest.raises(pl.exceptions.ColumnNotFoundError):
        CpuEngine().collect(FRAME.lazy().select("absent"))


def test_the_cpu_says_how_many_threads_it_has_and_stays_the_cpu() -> None:
    engine = CpuEngine()
    told = engine.describe()
    assert told == {"engine": "cpu", "device": f"CPU, {pl.thread_pool_size()} threads"}
    assert engine.suited_to(10_000) is engine


def test_a_device_works_on_one_chunk_at_a_time_and_the_cpu_on_two() -> None:
    assert GpuEngine().chunks_at_once == 1
    assert CpuEngine().chunks_at_once == AutoEngine().chunks_at_once == 2


def test_no_setting_of_polars_moves_the_cpu_s_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLARS_ENGINE_AFFINITY", "gpu")
    assert CpuEngine().collect(FRAME.lazy()).equals(FRAME)


# -- which engine ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["cpu", "gpu", "auto"])
def test_an_engine_is_opened_by_its_name_without_asking_a_device(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked() -> None:
        raise AssertionError("a device was asked for")

    monkeypatch.setattr(module, "gpu_answer", asked)
    assert open_engine(name).name == name


def test_an_unknown_engine_names_the_known_ones() -> None:
    with pytest.raises(FrameEngineError, match=r"no engine tpu\. Engines: cpu, gpu, auto"):
        open_engine("tpu")


# -- without a device -----------------------------------------------------------------------------


@pytest.fixture
def fresh_answer() -> Iterator[None]:
    """Ask for a device again, in this test and after it."""
    gpu_answer.cache_clear()
    yield
    gpu_answer.cache_clear()


@pytest.fixture
def no_package(monkeypatch: pytest.MonkeyPatch, fresh_answer: None) -> None:
    """An environment in which cudf_polars is not installed."""
    if importlib.util.find_spec("cudf_polars") is not None:
        pytest.skip("this is the environment of a GPU worker")


@pytest.mark.usefixtures("no_package")
def test_without_cudf_the_gpu_engine_says_so_before_any_work() -> None:
    engine = GpuEngine()
    for attempt in (lambda: engine.suited_to(1), lambda: engine.collect(FRAME.lazy())):
        with pytest.raises(FrameEngineError) as told:
            attempt()
        assert told.value.permanent
        assert told.value.place == "engine gpu"
        assert "required package 'cudf_polars' not found" in told.value.fault
        assert str(told.value.next_step).endswith("or set features.engine to cpu")
    assert engine.describe() == {"engine": "gpu", "device": "no device"}


@pytest.mark.usefixtures("no_package")
def test_auto_works_on_the_cpu_where_no_device_answers() -> None:
    engine = AutoEngine(gpu_from=1)
    chosen = engine.suited_to(500)
    assert chosen.name == "cpu"
    assert chosen.collect(FRAME.lazy()).equals(FRAME)
    assert engine.collect(FRAME.lazy()).equals(FRAME)
    assert engine.describe() == CpuEngine().describe()


# -- a stand-in for cuDF, called by Polars as cuDF is ---------------------------------------------


@pytest.fixture
def cudf(monkeypatch: pytest.MonkeyPatch, fresh_answer: None) -> SimpleNamespace:
    """A ``cudf_polars`` that leaves plans to the CPU, or raises what is put into ``fault``.

    ``when`` is where it raises: while it takes the plan over (conversion), or while it works.
    """
    state = SimpleNamespace(fault=None, when="conversion", configs=[])

    def working(*_: Any) -> None:
        raise state.fault

    def execute_with_cudf(plan: Any, _since: object, *, config: pl.GPUEngine) -> None:
        state.configs.append(dict(config.config))
        if state.fault is not None and state.when == "conversion":
            raise state.fault
        if state.fault is not None:
            plan.set_udf(working)

    package = ModuleType("cudf_polars")
    package.execute_with_cudf = execute_with_cudf  # type: ignore[attr-defined]
    package.__spec__ = importlib.util.spec_from_loader("cudf_polars", None)
    monkeypatch.setitem(sys.modules, "cudf_polars", package)
    properties = SimpleNamespace(name=b"NVIDIA Test\0\0")
    runtime = SimpleNamespace(
        cudaGetDevice=lambda: (0, 0), cudaGetDeviceProperties=lambda _: (0, properties)
    )
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", runtime)
    return state


def test_the_device_is_asked_once_and_may_not_fall_back(cudf: SimpleNamespace) -> None:
    engine = GpuEngine()
    assert engine.suited_to(1) is engine
    assert engine.suited_to(2).describe() == {"engine": "gpu", "device": "NVIDIA Test"}
    assert cudf.configs == [{"executor": "in-memory", "raise_on_fail": True}]
    assert engine.collect(FRAME.lazy()).equals(FRAME)
    assert cudf.configs[1:] == cudf.configs[:1]


def test_a_device_without_a_name_still_works(
    cudf: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", None)
    assert GpuEngine().suited_to(1).describe()["device"] == "NVIDIA device"


def test_a_package_without_a_device_is_no_gpu(cudf: SimpleNamespace) -> None:
    cudf.fault = RuntimeError("CUDA error: cudaErrorNoDevice\nmore")
    cudf.when = "work"
    with pytest.raises(FrameEngineError, match=r"no GPU answers \(CUDA error: cudaErrorNoDevice\)"):
        GpuEngine().suited_to(1)
    assert AutoEngine(gpu_from=1).suited_to(1).name == "cpu"


@pytest.mark.parametrize(
    ("gpu_from", "symbol_days", "chosen"),
    [(None, 10**9, "cpu"), (20, 19, "cpu"), (20, 20, "gpu"), (1, 1, "gpu")],
)
def test_auto_takes_the_gpu_from_the_set_size_on(
    cudf: SimpleNamespace, gpu_from: int | None, symbol_days: int, chosen: str
) -> None:
    assert AutoEngine(gpu_from).suited_to(symbol_days).name == chosen
    assert bool(cudf.configs) == (chosen == "gpu"), "a device is asked for only where it matters"


def test_a_refused_plan_names_its_expressions_and_cudf_s_reasons(cudf: SimpleNamespace) -> None:
    # in cuDF's words
    causes = [NotImplementedError("ewm_mean"), NotImplementedError("no 'Time' of day")]
    reasons = "\n".join(f"- NotImplementedError: {one}" for one in causes)
    first = "Query execution with GPU not possible: unsupported operations."
    message = f"{first}\nThe errors were:\n{reasons}"
    cudf.fault = NotImplementedError(message, causes)
    engine = GpuEngine(lambda frame: ["HStack y: ewm.mean: none of the operations"])
    with pytest.raises(FrameEngineError) as told:
        engine.collect(FRAME.lazy())
    assert told.value.permanent
    lines = [line.strip() for line in told.value.fault.splitlines()]
    assert "the CPU does not step in" in lines[0]
    assert lines[1] == "HStack y: ewm.mean: none of the operations"
    assert lines[2:] == [
        "cuDF: NotImplementedError: ewm_mean",
        "cuDF: NotImplementedError: no 'Time' of day",
    ]
    assert "features.engine" in str(told.value.next_step)


def test_an_operation_that_is_refused_during_the_work_is_a_refusal(cudf: SimpleNamespace) -> None:
    cudf.fault, cudf.when = NotImplementedError("only later known"), "work"
    with pytest.raises(FrameEngineError, match="cuDF: only later known"):
        GpuEngine().collect(FRAME.lazy())


@pytest.mark.parametrize(
    "fault",
    [MemoryError("std::bad_alloc: out_of_memory: CUDA error"), RuntimeError("RMM: bad_alloc")],
)
def test_spent_memory_points_at_the_chunks(cudf: SimpleNamespace, fault: Exception) -> None:
    cudf.fault, cudf.when = fault, "work"
    with pytest.raises(FrameEngineError, match=r"memory of the GPU.*Lower features\.chunk_dates"):
        GpuEngine().collect(FRAME.lazy())


def test_another_fault_of_the_device_may_pass(cudf: SimpleNamespace) -> None:
    cudf.fault, cudf.when = RuntimeError("device busy"), "work"
    with pytest.raises(FrameEngineError, match=r"the GPU failed \(device busy\)") as told:
        GpuEngine().collect(FRAME.lazy())
    assert not told.value.permanent


def test_a_fault_of_the_plan_itself_is_no_fault_of_the_gpu(cudf: SimpleNamespace) -> None:
    with pytest.raises(pl.exceptions.ColumnNotFoundError):
        GpuEngine().collect(FRAME.lazy().select("absent"))
    with pytest.raises(pl.exceptions.InvalidOperationError):
        GpuEngine().collect(FRAME.lazy().select(pl.lit("no number").cast(pl.Int64)))


def test_a_device_that_adds_wrongly_is_no_gpu(
    cudf: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_on_device", lambda frame: pl.DataFrame({"x": [4]}))
    assert gpu_answer().fault == "the device says that 1 + 2 is 4"
