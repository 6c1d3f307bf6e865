"""Declared parameters refuse what they do not allow, naming what they do."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from mr_platform.portfolio.returns import PortfolioError
from mr_platform.portfolio.search.parameters import (
    check,
    declared,
    parameters_of,
    refuse_unknown,
    values_of,
)


@dataclass(frozen=True)
class _Made:
    count: int = declared(3, "things", least=1, most=9)
    share: float = declared(0.5, "a share", least=0, most=1)
    heat: float | None = declared(None, "heat", least=0, optional=True)
    kind: str = declared("round", "a kind", choices=("round", "square"))

    def __post_init__(self) -> None:
        check(self)


def test_parameters_are_listed_with_their_bounds() -> None:
    count, share, heat, kind = parameters_of(_Made)
    assert (count.name, count.default, count.least, count.most) == ("count", 3, 1, 9)
    assert (share.meaning, share.optional) == ("a share", False)
    assert heat.optional
    assert kind.choices == ("round", "square")
    assert values_of(_Made(count=4)) == {"count": 4, "share": 0.5, "heat": None, "kind": "round"}


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"count": 0}, "at least 1"),
        ({"count": 10}, "at most 9"),
        ({"count": 2.5}, "whole number"),
        ({"count": True}, "whole number"),
        ({"share": float("nan")}, "finite"),
        ({"share": "much"}, "number"),
        ({"share": None}, "number"),
        ({"heat": -1.0}, "at least 0"),
        ({"kind": "oval"}, "round, square"),
    ],
)
def test_wrong_values_are_refused(given: dict, fault: str) -> None:
    with pytest.raises(PortfolioError, match=fault) as caught:
        _Made(**given)
    assert caught.value.place == "_Made"


def test_whole_numbers_are_numbers() -> None:
    assert _Made(share=1, heat=2).heat == 2


def test_unknown_names_tell_the_near_one() -> None:
    with pytest.raises(PortfolioError, match="Did you mean 'count'"):
        refuse_unknown("parameter", {"cuont": 1}, ("count", "share"), "made")
    with pytest.raises(PortfolioError, match="Choose from count, share"):
        refuse_unknown("parameter", {"xyz": 1}, ("count", "share"), "made")
    with pytest.raises(PortfolioError, match="there are no parameters"):
        refuse_unknown("parameter", {"xyz": 1}, (), "made")
