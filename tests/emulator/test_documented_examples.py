"""The emulator accepts each example of a request in the service's documents, in a status that allows it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from drs_emulator import Emulator

from tests.contract.openapi import load_operations
from tests.emulator.caller import PATHS, Caller

RUNNING = {"status": "INCRE_TRANSFER_STARTED"}
DR = {"db_use_type": "cloudDataGuard", "engine_type": "cloudDataGuard-mysql"}
SYNC = {"db_use_type": "sync"}
#: The details of the jobs for which an example is valid, by operation.
JOBS: dict[str, dict[str, Any]] = {
    "BatchValidateClustersConnections": {"engine_type": "mongodb", "node_num": 2},
    "BatchStopJobs": RUNNING,
    "BatchRestoreTask": {"status": "PAUSING"},
    "BatchResetPassword": {**RUNNING, "passwords": {"so": "********", "ta": "********"}},
    "CreateCompareTask": DR | RUNNING,
    "ListCompareResult": DR | RUNNING,
    "BatchSetPolicy": SYNC,
    "BatchChangeData": SYNC,
    "SwitchVip": SYNC | RUNNING,
}
_JOB_ID = re.compile(r"[0-9a-z]{6,8}(?:-[0-9a-z]{4}){3}-[0-9a-z]{6,10}jb[0-9a-z]{2,3}")


def _list_examples() -> Iterator[Any]:
    for operation, (_, _, description) in load_operations().items():
        content = description.get("requestBody", {}).get("content", {}).get("application/json", {})
        for name, example in content.get("examples", {}).items():
            if operation in PATHS:
                yield pytest.param(operation, example["value"], id=f"{operation}-{name}")


@pytest.mark.parametrize(("operation", "body"), list(_list_examples()))
def test_documented_example_is_accepted(
    emulator: Emulator, call: Caller, operation: str, body: dict[str, Any]
) -> None:
    details = JOBS.get(operation, {})
    if '"delete_type": "delete"' in json.dumps(body):
        details = {"status": "RELEASE_RESOURCE_COMPLETE"}
    named = sorted(set(_JOB_ID.findall(json.dumps(body))))
    # A job ID in the path is not in the example.
    job_ids = [emulator.seed_job(job_id, verdict={"duration_s": 0}, **details) for job_id in named or [None]]
    body = _prepare(call, operation, job_ids, body)

    document = call(operation, body, job_id=job_ids[0]).json()

    rows = document["results"] if isinstance(document.get("results"), list) else []
    assert [row for row in (document, *rows) if row.get("error_code")] == []


def _prepare(call: Caller, operation: str, job_ids: list[str], body: dict[str, Any]) -> dict[str, Any]:
    """Do what the documents require before a request, and return its body."""
    if operation in ("BatchStartJobs", "BatchCheckResults"):
        call.precheck(*job_ids)
    if operation == "UpdateParams":
        call("BatchShowParams", {"jobs": job_ids, "refresh": 1})
    if operation == "ListCompareResult":
        created = {"job_id": job_ids[0], "object_level_compare_type": "objects"}
        result = call("CreateCompareTask", created).json()["object_level_compare_create_result"]
        # Only the service knows the IDs of comparisons.
        del body["line_compare_id"], body["content_compare_id"]
        return body | {"object_level_compare_id": result["compare_task_id"]}
    return body
