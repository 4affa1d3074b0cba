"""Permissions of the report page's routes, on a running Airflow of each line."""

from __future__ import annotations

import pytest

from dev.stacks.airflow_settings import RESPONSE_S
from tests.report.running.conftest import DAG_ID, OTHER_DAG, RunningAirflow, place
from tests.shared_airflow.main_job import FAILED_RUN
from tests.shared_airflow.sweep import GOOD

pytestmark = pytest.mark.system

DATA = ("data/report", "data/history", "data/export")


@pytest.mark.parametrize("path", DATA)
@pytest.mark.parametrize(
    ("user", "status"), [(None, 401), ("stranger", 403), ("blind", 403), ("viewer", 200), ("admin", 200)]
)
def test_report_requires_permission_on_xcoms(
    running: RunningAirflow, path: str, user: str | None, status: int
) -> None:
    response = running.get(path, user, **place(FAILED_RUN))

    assert response.status_code == status
    assert ("srcBinlogFormatCheck" in response.text) is (status == 200)


@pytest.mark.parametrize("path", DATA)
def test_permission_is_per_dag(running: RunningAirflow, path: str) -> None:
    response = running.get(path, "stranger", **place("its-only-run", dag_id=OTHER_DAG))

    assert response.status_code == 200
    assert "dstDbDiskSize" in response.text


@pytest.mark.parametrize("dag_ids", [(DAG_ID, OTHER_DAG), (OTHER_DAG, DAG_ID)])
def test_duplicate_dag_id_parameter_is_safe(running: RunningAirflow, dag_ids: tuple[str, str]) -> None:
    query = f"dag_id={dag_ids[0]}&dag_id={dag_ids[1]}&run_id={FAILED_RUN}&task_id=wait_until_passed"
    response = running.sessions["stranger"].get(f"{running.url}/drs/data/report?{query}", timeout=RESPONSE_S)

    assert "srcBinlogFormatCheck" not in response.text


@pytest.mark.parametrize("dag_id", ["~", "*", ""])
def test_placeholder_for_all_dags_is_rejected(running: RunningAirflow, dag_id: str) -> None:
    response = running.get("data/report", "stranger", **place(FAILED_RUN, dag_id=dag_id))

    assert response.status_code in (403, 422)


@pytest.mark.parametrize(
    ("user", "dag_ids"),
    [
        ("admin", {DAG_ID, OTHER_DAG, GOOD}),
        ("viewer", {DAG_ID, OTHER_DAG, GOOD}),
        ("stranger", {OTHER_DAG}),
        ("blind", set()),
    ],
)
def test_overview_lists_visible_dags(running: RunningAirflow, user: str, dag_ids: set[str]) -> None:
    found: set[str] = set()
    offset, has_more = 0, True
    while has_more:
        response = running.get("data/overview", user, offset=offset).json()
        found |= {row["dag_id"] for row in response["reports"] + response["waiting"]}
        offset, has_more = offset + len(response["reports"]), response["has_more"]

    assert found == dag_ids


def test_overview_requires_login(running: RunningAirflow) -> None:
    assert running.get("data/overview", None).status_code == 401


def test_page_has_no_data_and_a_strict_csp(running: RunningAirflow) -> None:
    response = running.get("report", None)

    policy = response.headers["Content-Security-Policy"]
    assert response.status_code == 200
    for rule in ("default-src 'none'", "script-src 'self'", "frame-ancestors 'self'", "base-uri 'none'"):
        assert rule in policy
    assert "unsafe" not in policy
    assert DAG_ID not in response.text
    assert running.get_report(FAILED_RUN).headers["Cache-Control"] == "no-store"


def test_bearer_token_is_accepted(running: RunningAirflow) -> None:
    if running.airflow.major == 2:
        pytest.skip("Airflow 2 authenticates pages with sessions only")
    token = running.sessions["viewer"].cookies["_token"]
    headers = {"Authorization": f"Bearer {token}"}
    response = running.sessions["blind"].get(
        f"{running.url}/drs/data/report", params=place(FAILED_RUN), headers=headers, timeout=RESPONSE_S
    )

    # The header takes precedence over the cookie.
    assert response.status_code == 200


@pytest.mark.parametrize("token", ["", "not-a-token", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9."])
def test_wrong_token_is_rejected(running: RunningAirflow, token: str) -> None:
    headers = {"Cookie": f"_token={token}; session={token}"}
    response = running.sessions["blind"].get(
        f"{running.url}/drs/data/report", params=place(FAILED_RUN), headers=headers, timeout=RESPONSE_S
    )

    assert response.status_code in (401, 403)
