"""An independent client of the emulator that checks each response against the OpenAPI document."""

from __future__ import annotations

import json
from typing import Any

import requests
from drs_emulator import EmulatorClient
from drs_emulator.http import iam as identity

from tests.contract.openapi import check_response

PROJECT = "0123456789abcdef0123456789abcdef"
PATHS = {
    "BatchCreateJobs": ("POST", "batch-creation"),
    "BatchValidateConnections": ("POST", "batch-connection"),
    "BatchUpdateJob": ("PUT", "batch-modification"),
    "BatchCheckJobs": ("POST", "batch-precheck"),
    "BatchCheckResults": ("POST", "batch-precheck-result"),
    "BatchStartJobs": ("POST", "batch-starting"),
    "BatchDeleteJobs": ("DELETE", "batch-jobs"),
    "BatchListJobStatus": ("POST", "batch-status"),
    "BatchListJobDetails": ("POST", "batch-detail"),
    "BatchListProgresses": ("POST", "batch-progress"),
    "ShowJobList": ("POST", ""),
    "BatchValidateClustersConnections": ("POST", "cluster/batch-connection"),
    "BatchSetObjects": ("PUT", "batch-select-objects"),
    "BatchSetDefiner": ("POST", "batch-replace-definer"),
    "BatchSetSpeed": ("PUT", "batch-limit-speed"),
    "BatchShowParams": ("POST", "batch-get-params"),
    "UpdateParams": ("POST", "{job_id}/params"),
    "BatchStopJobs": ("POST", "batch-pause-task"),
    "BatchRestoreTask": ("POST", "batch-retry-task"),
    "BatchResetPassword": ("PUT", "batch-modify-pwd"),
    "CreateCompareTask": ("POST", "create-compare-task"),
    "ListCompareResult": ("POST", "query-compare-result"),
    "BatchSetPolicy": ("POST", "batch-sync-policy"),
    "BatchChangeData": ("POST", "batch-transformation"),
    "SwitchVip": ("POST", "{job_id}/switch-vip"),
    "ShowSwitchVipStatus": ("GET", "{job_id}/get-switch-vip-status"),
}
NEW_JOB = {
    "name": "DRS-9228",
    "node_type": "high",
    "engine_type": "mysql",
    "net_type": "eip",
    "job_direction": "up",
    "db_use_type": "migration",
    "task_type": "FULL_INCR_TRANS",
    "customize_sutnet_id": "352ad828-3467-4f03-987a-c55a5a9dd417",
    "source_endpoint": {"db_type": "mysql"},
    "target_endpoint": {"db_type": "mysql", "region": "eu-de"},
    "bind_eip": True,
}
#: An ID that no test uses for a job.
UNKNOWN = "ffffffff-d0c5-4a11-8a11-fffffffjb999"


class Caller:
    """Calls the emulator without the hooks and checks each response against the OpenAPI document."""

    def __init__(self, emulator: EmulatorClient) -> None:
        self._url = emulator.url
        self._session = requests.Session()
        self._session.trust_env = False
        token = self.login().headers["X-Subject-Token"]
        self.headers = {"Content-Type": "application/json", "X-Auth-Token": token}

    def close(self) -> None:
        self._session.close()

    def login(
        self, query: str = "", *, project: dict[str, str] | None = None, **changes: Any
    ) -> requests.Response:
        """Request a token; *changes* are fields of the user."""
        domain = {"name": identity.DOMAIN}
        user = {"name": identity.USER, "password": identity.PASSWORD, "domain": domain, **changes}
        body = {
            "auth": {
                "identity": {"methods": ["password"], "password": {"user": user}},
                "scope": {"project": project or {"name": "eu-de"}},
            }
        }
        response = self._session.post(f"{self._url}/v3/auth/tokens{query}", json=body)
        check_response(
            "KeystoneCreateUserTokenByPassword", response.status_code, response.content, response.headers
        )
        return response

    def send(self, operation: str, body: Any, **options: Any) -> requests.Response:
        """Call an operation, with *job_id* in its path if needed, and return the response unchecked."""
        method, path = PATHS[operation]
        path = path.format(job_id=options.pop("job_id", ""))
        url = f"{self._url}/v3/{options.pop('project', PROJECT)}/jobs" + f"/{path}" * bool(path)
        data = body if isinstance(body, bytes) else json.dumps(body)
        headers = self.headers | options.pop("headers", {})
        return self._session.request(
            method, url, data=data, headers=headers, allow_redirects=False, **options
        )

    def __call__(self, operation: str, body: Any, **options: Any) -> requests.Response:
        """Call an operation and check the response."""
        response = self.send(operation, body, **options)
        check_response(operation, response.status_code, response.content, response.headers)
        return response

    # Shortcuts for most tests.

    def rows(self, operation: str, *job_ids: str, **fields: Any) -> list[dict[str, Any]]:
        """Call an operation for jobs and return the rows of the response."""
        if operation in ("BatchListJobStatus", "BatchListJobDetails"):
            body: dict[str, Any] = {"jobs": job_ids, "page_req": {"per_page": 0}}
        elif operation in ("BatchListProgresses", "BatchCheckResults"):
            body = {"jobs": job_ids}
        else:
            body = {"jobs": [{"job_id": job_id, **fields} for job_id in job_ids]}
        return list(self(operation, body).json()["results"])

    def precheck(self, *job_ids: str, mode: str = "forStartJob") -> list[str | None]:
        """Start pre-checks, and return the error of each job."""
        rows = self.rows("BatchCheckJobs", *job_ids, precheck_mode=mode)
        return [row.get("error_code") for row in rows]

    def result(self, job_id: str) -> dict[str, Any]:
        """Return the row of a pre-check."""
        return self.rows("BatchCheckResults", job_id)[0]

    def start(self, *job_ids: str, **fields: Any) -> list[str | None]:
        """Start jobs, and return the error of each."""
        return [row.get("error_code") for row in self.rows("BatchStartJobs", *job_ids, **fields)]

    def delete(self, job_id: str, delete_type: str) -> str | None:
        """Stop or delete a job, and return the error."""
        return self.rows("BatchDeleteJobs", job_id, delete_type=delete_type)[0].get("error_code")

    def status(self, job_id: str) -> str:
        return str(self.rows("BatchListJobStatus", job_id)[0]["status"])

    def test_ends(self, job_id: str, *ends: str, **fields: Any) -> list[str | None]:
        """Test both ends of a job, and return the error of each."""
        usual = {"net_type": "eip", "db_type": "mysql", "ip": "192.0.2.1", "db_user": "root"}
        rows = [
            {"id": job_id, "end_point_type": end, "db_password": "not-real", **usual, **fields}
            for end in ends
        ]
        answer = self("BatchValidateConnections", {"jobs": rows})
        return [row.get("error_code") for row in answer.json()["results"]]
