from __future__ import annotations

import copy
import pickle

import pytest

from airflow_provider_drs.protocol.core import errors
from airflow_provider_drs.protocol.core.errors import (
    ERROR_CLASS_BY_NAME,
    DrsAuthError,
    DrsError,
    DrsJobNotFoundError,
    DrsJobStateError,
    DrsPermissionError,
    DrsRequestError,
    DrsThrottledError,
    DrsUnavailableError,
    error_class_for,
    label_error,
    make_error,
)

ALL_CLASSES = list(ERROR_CLASS_BY_NAME.values())


def test_every_error_class_is_registered() -> None:
    found = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, DrsError)
    }

    assert found == set(ERROR_CLASS_BY_NAME)


@pytest.mark.parametrize("error_class", ALL_CLASSES)
def test_errors_survive_pickle_copy_and_json(error_class: type[DrsError]) -> None:
    error = error_class(
        "text",
        operation="X",
        http_status=400,
        error_code="DRS.M1",
        error_msg="no",
        request_id="r",
        job_ids=("a",),
    )

    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error), DrsError.from_dict(error.to_dict())):  # noqa: S301 - a value of this test
        assert type(twin) is error_class
        assert str(twin) == "text"
        assert vars(twin) == vars(error)


def test_errors_have_defaults() -> None:
    assert all(str(error_class()) == "" for error_class in ALL_CLASSES)


def test_unknown_error_type_becomes_plain_error() -> None:
    error = DrsError.from_dict({"type": "DrsNewError", "message": "hello"})

    assert type(error) is DrsError
    assert str(error) == "hello"


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, "DRS.M00289", DrsJobNotFoundError),
        (400, "DRS.M00304", DrsJobStateError),
        (202, "DRS.M01504", DrsJobStateError),
        (400, "DRS.M01503", DrsThrottledError),
        (401, "DRS.M00103", DrsPermissionError),
        (403, "DRS.M00100", DrsAuthError),
        (422, "DRS.M00004", DrsUnavailableError),
        (400, "DRS.M99999", DrsRequestError),
        (401, None, DrsAuthError),
        (403, None, DrsPermissionError),
        (404, None, DrsRequestError),
        (429, None, DrsThrottledError),
        (500, None, DrsUnavailableError),
        (None, None, DrsRequestError),
    ],
)
def test_error_code_overrides_http_status(
    status: int | None, code: str | None, expected: type[DrsError]
) -> None:
    assert error_class_for(status, code) is expected


def test_message_has_failure_reason_and_remedy() -> None:
    error = make_error("DRS refuses X", http_status=400, error_code="DRS.M00307", error_msg="Only subtasks.")

    assert str(error) == (
        "DRS refuses X: Only subtasks (DRS.M00307, HTTP 400). Use the ID of the child job, not of its parent."
    )


@pytest.mark.parametrize(
    ("text", "labeled"),
    [
        ("a-1: refused", "orders (a-1): refused"),
        ("BatchSetObjects for job a-1 failed: nope", "BatchSetObjects for job orders (a-1) failed: nope"),
        ("orders (a-1): refused: a-1", "orders (a-1): refused: a-1"),
        ("refused: a-1", "orders (a-1): refused: a-1"),
    ],
)
def test_error_has_the_name_of_its_job_once(text: str, labeled: str) -> None:
    assert label_error("a-1", DrsError(text), "orders") == labeled
