"""Who may see a report, on a running Airflow of each line: Airflow itself says so, for every route."""

from __future__ import annotations

import pytest

from dev.stacks.airflow_settings import RESPONSE_S
from tests.report.running.conftest import DAG_ID, OTHER_DAG, Site, place
from tests.watched.main_job import FAILED_RUN
from tests.watched.sweep import GOOD

pytestmark = pytest.mark.system

DATA = ("data/report", "data/history", "data/export")


@pytest.mark.parametrize("what", DATA)
@pytest.mark.parametrize(
    ("who", "status"), [(None, 401), ("stranger", 403), ("blind", 403), ("viewer", 200), ("admin", 200)]
)
def test_report_requires_permission_on_xcoms(site: Site, what: str, who: str | None, status: int) -> None:
    answer = site.get(what, who, **place(FAILED_RUN))

    assert answer.status_code == status
    assert ("srcBinlogFormatCheck" in answer.text) is (status == 200)


@pytest.mark.parametrize("what", DATA)
def test_permission_is_per_dag(site: Site, what: str) -> None:
    answer = site.get(what, "stranger", **place("its-only-run", dag_id=OTHER_DAG))

    assert answer.status_code == 200
    assert "dstDbDiskSize" in answer.text


@pytest.mark.parametrize("dag_ids", [(DAG_ID, OTHER_DAG), (OTHER_DAG, DAG_ID)])
def test_duplicate_dag_id_parameter_is_safe(site: Site, dag_ids: tuple[str, str]) -> None:
    query = f"dag_id={dag_ids[0]}&dag_id={dag_ids[1]}&run_id={FAILED_RUN}&task_id=wait_until_passed"
    answer = site.sessions["stranger"].get(f"{site.url}/drs/data/report?{query}", timeout=RESPONSE_S)

    assert "srcBinlogFormatCheck" not in answer.text


@pytest.mark.parametrize("dag_id", ["~", "*", ""])
def test_placeholder_for_all_dags_is_rejected(site: Site, dag_id: str) -> None:
    answer = site.get("data/report", "stranger", **place(FAILED_RUN, dag_id=dag_id))

    assert answer.status_code in (403, 422)


@pytest.mark.parametrize(
    ("who", "dag_ids"),
    [
        ("admin", {DAG_ID, OTHER_DAG, GOOD}),
        ("viewer", {DAG_ID, OTHER_DAG, GOOD}),
        ("stranger", {OTHER_DAG}),
        ("blind", set()),
    ],
)
def test_overview_lists_visible_dags(site: Site, who: str, dag_ids: set[str]) -> None:
    found: set[str] = set()
    offset, has_more = 0, True
    while has_more:
        answer = site.get("data/overview", who, offset=offset).json()
        found |= {row["dag_id"] for row in answer["reports"] + answer["waiting"]}
        offset, has_more = offset + len(answer["reports"]), answer["has_more"]

    assert found == dag_ids


def test_overview_requires_login(site: Site) -> None:
    assert site.get("data/overview", None).status_code == 401


def test_page_has_no_data_and_a_strict_csp(site: Site) -> None:
    answer = site.get("report", None)

    policy = answer.headers["Content-Security-Policy"]
    assert answer.status_code == 200
    for rule in ("default-src 'none'", "script-src 'self'", "frame-ancestors 'self'", "base-uri 'none'"):
        assert rule in policy
    assert "unsafe" not in policy
    assert DAG_ID not in answer.text
    assert site.get_report(FAILED_RUN).headers["Cache-Control"] == "no-store"


def test_bearer_token_is_accepted(site: Site) -> None:
    if site.airflow.major == 2:
        pytest.skip("Airflow 2 has sessions alone for its pages")
    token = site.sessions["viewer"].cookies["_token"]
    headers = {"Authorization": f"Bearer {token}"}
    answer = site.sessions["blind"].get(
        f"{site.url}/drs/data/report", params=place(FAILED_RUN), headers=headers, timeout=RESPONSE_S
    )

    # What is said aloud goes before the cookie.
    assert answer.status_code == 200


@pytest.mark.parametrize("token", ["", "not-a-token", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9."])
def test_wrong_token_is_rejected(site: Site, token: str) -> None:
    headers = {"Cookie": f"_token={token}; session={token}"}
    answer = site.sessions["blind"].get(
        f"{site.url}/drs/data/report", params=place(FAILED_RUN), headers=headers, timeout=RESPONSE_S
    )

    assert answer.status_code in (401, 403)
