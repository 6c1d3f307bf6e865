"""Errors tell fact, place and next step, and say whether trying again can help."""

from __future__ import annotations

import pickle

import pytest

from mr_platform import errors
from mr_platform.errors import (
    InputFileError,
    MissingInputError,
    PlatformError,
    RegistryError,
    TableConflictError,
    TableError,
    UnknownDialectError,
)

ALL = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, PlatformError)
]


@pytest.mark.parametrize(
    ("place", "next_step", "message"),
    [
        (None, None, "the header was empty"),
        ("landing/a.csv", None, "landing/a.csv: the header was empty"),
        (None, "Land it again", "the header was empty. Land it again"),
        ("landing/a.csv", "Land it again", "landing/a.csv: the header was empty. Land it again"),
    ],
)
def test_a_message_is_place_fault_and_next_step_in_this_order(
    place: str | None, next_step: str | None, message: str
) -> None:
    error = PlatformError("the header was empty", place=place, next_step=next_step)
    assert str(error) == message
    assert (error.fault, error.place, error.next_step) == (
        "the header was empty",
        place,
        next_step,
    )


def test_faults_of_input_are_permanent() -> None:
    assert InputFileError("broken").permanent is True
    assert MissingInputError("nothing landed").permanent is True
    assert TableError("no such table").permanent is True


def test_a_lost_race_on_a_table_may_be_tried_again() -> None:
    assert TableConflictError("another writer won").permanent is False


@pytest.mark.parametrize("permanent", [True, False])
def test_one_error_can_say_otherwise_without_changing_its_kind(permanent: bool) -> None:
    assert InputFileError("disk full", permanent=permanent).permanent is permanent
    assert InputFileError("disk full").permanent is True
    assert TableConflictError("again", permanent=permanent).permanent is permanent
    assert TableConflictError("again").permanent is False


def test_the_registry_error_tells_every_fault_at_once() -> None:
    faults = ["c1.yaml:3: unit was kg", "c2.yaml:9: dtype is missing"]
    error = RegistryError(faults)
    assert error.faults == faults
    assert "2 faults" in str(error)
    assert [line.strip() for line in str(error).splitlines()[1:3]] == [
        "c1.yaml:3: unit was kg",
        "c2.yaml:9: dtype is missing. Correct the lines named above",
    ]
    assert error.permanent is True


def test_the_registry_error_keeps_its_own_list() -> None:
    faults = ["a"]
    error = RegistryError(faults)
    faults.append("b")
    assert error.faults == ["a"]


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_one_handler_catches_every_kind(kind: type[PlatformError]) -> None:
    arguments = (["fault"],) if kind is RegistryError else ("fault",)
    with pytest.raises(PlatformError, match="fault"):
        raise kind(*arguments)
    assert kind.__doc__


def test_a_kind_is_caught_by_the_wider_kind() -> None:
    assert issubclass(UnknownDialectError, InputFileError)
    assert issubclass(TableConflictError, TableError)
    assert not issubclass(MissingInputError, InputFileError)


def test_an_error_crosses_a_process_with_its_message() -> None:
    error = InputFileError("the header was empty", place="a.csv", next_step="Land it again")
    error.permanent = False
    copied = pickle.loads(pickle.dumps(error))
    assert type(copied) is InputFileError
    assert vars(copied) == vars(error)
