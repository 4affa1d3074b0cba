"""The JSON of an XCom is read from the database and from XCom backends."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_drs.report import xcoms
from airflow_provider_drs.report.reports import Report, Unreadable
from airflow_provider_drs.report.xcoms import read_json

if AIRFLOW_V_3_0_PLUS:
    from airflow.sdk.bases.xcom import BaseXCom
    from airflow.sdk.execution_time import xcom as resolved
else:
    from airflow.models import xcom as resolved
    from airflow.models.xcom import BaseXCom

PLACE = {"dag_id": "d", "run_id": "r", "task_id": "t", "map_index": -1}
TEXT = '[{"job_id": "a", "verdict": "passed"}]'


def _in_database(value: Any) -> str | bytes:
    text = json.dumps(value)
    return text if AIRFLOW_V_3_0_PLUS else text.encode()


class Elsewhere(BaseXCom):  # type: ignore[misc]
    """An XCom backend that stores only the names of its values in the database."""

    @staticmethod
    def deserialize_value(result: Any) -> Any:
        """Return the stored value."""
        value = result.value if AIRFLOW_V_3_0_PLUS else json.loads(result.value)
        if value != "store://report":
            raise PermissionError("the secret of the store is 12345")
        return json.loads(TEXT)


def test_stored_value_is_not_decoded_twice() -> None:
    assert read_json(TEXT, "precheck_report", PLACE) is TEXT


def test_json_within_json() -> None:
    assert read_json(json.dumps(TEXT), "precheck_report", PLACE) == TEXT


def test_pickle_is_never_loaded() -> None:
    with pytest.raises(Unreadable):
        Report(read_json(pickle.dumps([{"job_id": "a"}]), "precheck_report", PLACE))


def test_null_is_not_a_report() -> None:
    with pytest.raises(Unreadable):
        read_json(None, "precheck_report", PLACE)


def test_custom_backend_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolved, "XCom", Elsewhere)

    assert json.loads(read_json(_in_database("store://report"), "precheck_report", PLACE)) == json.loads(TEXT)


def test_failing_backend_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolved, "XCom", Elsewhere)

    with pytest.raises(Unreadable, match="Elsewhere cannot read it here: PermissionError") as caught:
        read_json(_in_database("store://other"), "precheck_report", PLACE)
    assert "12345" not in str(caught.value)


def test_backend_without_custom_read_is_not_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolved, "XCom", type("Own", (BaseXCom,), {}))

    assert xcoms.read_json(TEXT, "precheck_report", PLACE) is TEXT
