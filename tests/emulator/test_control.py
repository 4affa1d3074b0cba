"""IAM except for the token call, the control API, and starting and stopping the emulator."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stdout
from typing import Any

import pytest
import requests
from drs_emulator import Emulator, EmulatorClient, EmulatorError
from drs_emulator.__main__ import _print_request
from drs_emulator.http import iam as identity

from tests.emulator.caller import PROJECT, UNKNOWN, Caller

READ = "BatchListJobStatus"


def _get(emulator: Emulator, path: str, **headers: str) -> requests.Response:
    return requests.get(f"{emulator.url}{path}", headers=headers, timeout=5, proxies={"http": ""})


@pytest.mark.parametrize(("name", "ids"), [("eu-de", [PROJECT]), ("elsewhere", [])])
def test_list_projects(emulator: Emulator, call: Caller, name: str, ids: list[str]) -> None:
    response = _get(emulator, f"/v3/projects?name={name}", **call.headers)

    assert [project["id"] for project in response.json()["projects"]] == ids


def test_list_projects_requires_a_token(emulator: Emulator) -> None:
    assert _get(emulator, "/v3/projects").json()["error"]["code"] == 401


@pytest.mark.parametrize(
    ("project", "status"), [({"id": PROJECT}, 201), ({"id": "another"}, 401), ({"name": "us"}, 401)], ids=str
)
def test_token_requires_project_of_the_user(call: Caller, project: dict[str, str], status: int) -> None:
    assert call.login(project=project).status_code == status


def test_domain_by_id(call: Caller) -> None:
    assert call.login(domain={"id": identity.DOMAIN_ID}).status_code == 201
    assert call.login(domain={"id": "another"}).status_code == 401


def test_token_size(emulator: Emulator, call: Caller) -> None:
    emulator.set_iam(token_bytes=20_000)
    call.headers["X-Auth-Token"] = call.login().headers["X-Subject-Token"]

    assert len(call.headers["X-Auth-Token"]) == 20_000
    assert call(READ, {"jobs": [emulator.job_ids[0]]}).status_code == 200


def test_tokens_are_revoked_and_accepted(emulator: Emulator, call: Caller) -> None:
    emulator.revoke_tokens()
    seen = [call(READ, {"jobs": [emulator.job_ids[0]]}).status_code]
    emulator.accept_token(call.headers["X-Auth-Token"], expires_at=emulator.advance(0) + 60)
    seen.append(call(READ, {"jobs": [emulator.job_ids[0]]}).status_code)
    emulator.advance(61)
    seen.append(call(READ, {"jobs": [emulator.job_ids[0]]}).status_code)

    assert seen == [403, 200, 403]


def test_read_actions_accept_get(emulator: Emulator, call: Caller) -> None:
    call(READ, {"jobs": [emulator.job_ids[0]]})

    assert _get(emulator, "/_emulator/health").json()["result"]["status"] == "ok"
    assert len(_get(emulator, "/_emulator/jobs").json()["result"]) == 10
    assert len(_get(emulator, f"/_emulator/journal?operation={READ}").json()["result"]) == 1
    assert _get(emulator, "/_emulator/reset").status_code == 405
    assert _get(emulator, "/_emulator/no/such/thing").status_code == 404


def test_journal_has_rejected_requests(emulator: Emulator, call: Caller) -> None:
    call(READ, {"jobs": list(emulator.job_ids)})
    call(READ, {"jobs": []})

    accepted, rejected = emulator.journal(READ)

    assert (accepted["status"], accepted["applied"], accepted["count"], accepted["at"]) == (
        200,
        True,
        10,
        emulator.advance(0),
    )
    assert (rejected["status"], rejected["applied"], rejected["count"]) == (400, False, 0)
    emulator.clear_journal()
    assert emulator.journal() == []


def test_reset(emulator: Emulator, call: Caller) -> None:
    emulator.seed_job()
    emulator.inject("status", times=None)
    emulator.reset()

    assert (len(emulator.job_ids), emulator.faults, emulator.journal()) == (10, [], [])
    assert call(READ, {"jobs": [UNKNOWN]}).status_code == 403


@pytest.mark.parametrize(
    ("method", "arguments", "reason"),
    [
        ("seed_job", {"color": "blue"}, "unknown detail 'color'"),
        ("seed_job", {"name": 7}, "name has the wrong type: 7"),
        ("seed_job", {"unreachable": ["up"]}, "must contain only so, ta"),
        ("seed_job", {"verdict": {"outcome": "perhaps"}}, "outcome must be"),
        ("set_verdict", {"job_id": None, "outcome": "fail", "items": [7]}, "an item must be"),
        ("set_verdict", {"job_id": None, "outcome": "pass", "duration_s": "long"}, "duration_s must be"),
        (
            "set_verdict",
            {"job_id": None, "outcome": "pass", "duration": 3},
            "unknown field 'duration'",
        ),
        ("set_verdict", {"job_id": None, "outcome": "perhaps"}, "outcome must be"),
        ("set_job", {"job_id": "no-such-job"}, "job does not exist"),
        ("advance", {"seconds": -1}, "a number of at least 0"),
        ("set_iam", {"color": 1}, "color=1 is invalid"),
        ("set_pace", {"pace": "slow"}, "pace must be"),
        ("set_speed", {"speed": -1}, "a number of at least 0"),
        ("set_iam", {"lifetime_s": "long"}, "lifetime_s='long' is invalid"),
        ("remove_fault", {"fault_id": 99}, "unknown fault ID 99"),
    ],
)
def test_invalid_actions_are_rejected(
    emulator: Emulator, method: str, arguments: dict[str, Any], reason: str
) -> None:
    with pytest.raises(EmulatorError, match=reason):
        getattr(emulator, method)(**arguments)

    assert len(emulator.job_ids) == 10


def test_world_with_verdicts(call: Caller) -> None:
    verdict = {"outcome": "fail", "items": ["srcBinlogFormatCheck"]}
    with Emulator(seeds=[{"name": "ledger", "verdict": verdict}], pace="at-once") as emulator:
        client, caller = EmulatorClient(emulator.url), Caller(emulator)
        (job_id,) = client.job_ids
        caller.precheck(job_id)

        assert caller.result(job_id)["result"] is False
        client.close()
        caller.close()


def test_restart() -> None:
    emulator = Emulator()
    for _ in range(2):
        with emulator:
            emulator.seed_job()
            assert len(emulator.job_ids) == 11


@pytest.mark.parametrize(
    "options", [{"pace": 0}, {"clock": "sun"}, {"speed": -1}, {"seeds": [{"x": 1}]}], ids=str
)
def test_invalid_options_are_rejected(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        Emulator(**options)


def test_connection_per_login_method(emulator: Emulator) -> None:
    assert json.loads(emulator.connection_json) == emulator.connection
    assert emulator.connection_with_keys["extra"]["auth"] == "aksk"
    assert emulator.connect_with_temporary_keys()["extra"]["security_token"]
    with pytest.raises(EmulatorError, match="lifetime_s"):
        emulator.connect_with_temporary_keys(0)


def test_request_log_line(emulator: Emulator, call: Caller) -> None:
    emulator.inject("too_frequent", operation=READ)
    call(READ, {"jobs": [emulator.job_ids[0]]})
    entry = emulator.journal(READ)[0] | {"path": "/v3/\x1b[2J"}

    with redirect_stdout(io.StringIO()) as out:
        _print_request(entry)

    assert (
        out.getvalue()[9:] == r"POST /v3/\x1b[2J BatchListJobStatus: 400, 1 jobs, fault too_frequent" + "\n"
    )
