"""Every argument of an operator or sensor is in its own signature and its own docstring."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest

from airflow_provider_drs.operators import drs as operators
from airflow_provider_drs.sensors import drs as sensors

CLASSES = [getattr(module, name) for module in (operators, sensors) for name in module.__all__]


def _parameters(function: Any) -> set[str]:
    parameters = inspect.signature(inspect.unwrap(function)).parameters.values()
    return {p.name for p in parameters if p.kind is not p.VAR_KEYWORD} - {"self"}


@pytest.mark.parametrize("cls", CLASSES)
def test_signature_has_every_argument(cls: type) -> None:
    """No argument of a base class of this provider is hidden behind ``**kwargs``."""
    bases = [base for base in cls.__mro__ if base.__module__.startswith("airflow_provider_drs")]
    accepted = set[str]().union(*(_parameters(base.__init__) for base in bases if "__init__" in vars(base)))

    own = _parameters(cls.__init__)
    # DrsStartJobsOperator has its own name for it.
    renamed = {"wait_for_completion"} if "wait_for_start" in own else set()
    assert own >= accepted - renamed


@pytest.mark.parametrize("cls", CLASSES)
def test_docstring_has_every_argument(cls: type) -> None:
    """And no argument that does not exist."""
    documented = re.findall(r":param (\w+):", cls.__doc__ or "")

    assert sorted(documented) == sorted(_parameters(cls.__init__) - {"args"})
