"""Every argument of an operator or sensor is in its own signature and its own docstring."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest

from airflow_provider_drs.operators import drs as operators
from airflow_provider_drs.sensors import drs as sensors

CLASSES = [getattr(module, name) for module in (operators, sensors) for name in module.__all__]

#: Values of required arguments that are not job IDs.
EXAMPLES: dict[str, Any] = {
    "comparisons": "{{ params.comparisons }}",
    "jobs": [],
    "objects": {"shop": []},
    "rules": [],
    "values": {"a": "b"},
    "target_statuses": "INCRE_TRANSFER_STARTED",
    "mode": "target",
    "max_delay_s": 5,
}


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


#: One of the arguments of which at least one is required.
ONE_OF = {
    "DrsTestConnectionsOperator": {"source_conn_id": "orders"},
    "DrsModifyJobsOperator": {"source_conn_id": "orders"},
    "DrsChangePasswordsOperator": {"source_conn_id": "orders"},
    "DrsSetSyncPoliciesOperator": {"slot_name": "orders"},
}


def _flags(cls: Any) -> list[str]:
    parameters = inspect.signature(inspect.unwrap(cls.__init__)).parameters.values()
    return [p.name for p in parameters if str(p.annotation) in ("bool", "bool | None")]


@pytest.mark.parametrize(
    ("cls", "flag"),
    [pytest.param(cls, flag, id=f"{cls.__name__} {flag}") for cls in CLASSES for flag in _flags(cls)],
)
def test_text_is_no_flag(cls: Any, flag: str) -> None:
    """Any text would count as true: a job would be started that must not be."""
    required = {
        p.name: EXAMPLES.get(p.name, "0123-4567-89ab-cdef-0123jb1")
        for p in inspect.signature(inspect.unwrap(cls.__init__)).parameters.values()
        if p.default is p.empty and p.kind is p.KEYWORD_ONLY
    } | ONE_OF.get(cls.__name__, {})
    cls(task_id="fine", **required)

    for value in ("False", "{{ params.flag }}", "", 0):
        with pytest.raises(ValueError, match=f"{flag} is {re.escape(repr(value))}: expected True or False"):
            cls(task_id="wrong", **required, **{flag: value})
