"""Getting at the JSON of an XCom, wherever it is kept."""

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
    """A backend that keeps values in a store, and the name of each in the database."""

    @staticmethod
    def deserialize_value(result: Any) -> Any:
        """Return what the store has under the name."""
        value = result.value if AIRFLOW_V_3_0_PLUS else json.loads(result.value)
        if value != "store://report":
            raise PermissionError("the secret of the store is 12345")
        return json.loads(TEXT)


def test_what_stands_in_the_database_is_taken_as_it_is() -> None:
    """Without decoding what may be megabytes."""
    assert read_json(TEXT, "precheck_report", PLACE) is TEXT


def test_json_within_json_is_unwrapped() -> None:
    """Airflow 3 keeps it so where its server has set the value."""
    assert read_json(json.dumps(TEXT), "precheck_report", PLACE) == TEXT


def test_a_pickle_is_never_opened() -> None:
    """It could run anything in the web server."""
    with pytest.raises(Unreadable):
        Report(read_json(pickle.dumps([{"job_id": "a"}]), "precheck_report", PLACE))


def test_nothing_is_no_report() -> None:
    """A value can be null."""
    with pytest.raises(Unreadable):
        read_json(None, "precheck_report", PLACE)


def test_a_custom_backend_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """It knows where the value is."""
    monkeypatch.setattr(resolved, "XCom", Elsewhere)

    assert json.loads(read_json(_in_database("store://report"), "precheck_report", PLACE)) == json.loads(TEXT)


def test_a_backend_that_fails_is_named_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it says may hold what it keeps."""
    monkeypatch.setattr(resolved, "XCom", Elsewhere)

    with pytest.raises(Unreadable, match="Elsewhere cannot read it here: PermissionError") as caught:
        read_json(_in_database("store://other"), "precheck_report", PLACE)
    assert "12345" not in str(caught.value)


def test_a_backend_that_only_writes_elsewhere_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that reads as Airflow does is not asked."""
    monkeypatch.setattr(resolved, "XCom", type("Own", (BaseXCom,), {}))

    assert xcoms.read_json(TEXT, "precheck_report", PLACE) is TEXT
