"""IAM beside the token call, the control API, and the emulator as a thing to start and stop."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stdout
from typing import Any

import pytest
import requests

from airflow_provider_drs.emulator import Emulator, EmulatorClient, EmulatorError
from airflow_provider_drs.emulator.__main__ import _print_request
from airflow_provider_drs.emulator.http import iam as identity
from tests.emulator.caller import PROJECT, UNKNOWN, Caller

READ = "BatchListJobStatus"


def _get(emulator: Emulator, path: str, **headers: str) -> requests.Response:
    return requests.get(f"{emulator.url}{path}", headers=headers, timeout=5, proxies={"http": ""})


@pytest.mark.parametrize(("name", "ids"), [("eu-de", [PROJECT]), ("elsewhere", [])])
def test_projects_are_listed_for_a_token(emulator: Emulator, call: Caller, name: str, ids: list[str]) -> None:
    """By name, as those do who have no project id."""
    response = _get(emulator, f"/v3/projects?name={name}", **call.headers)

    assert [project["id"] for project in response.json()["projects"]] == ids


def test_projects_are_not_listed_for_nobody(emulator: Emulator) -> None:
    """In IAM's own shape."""
    assert _get(emulator, "/v3/projects").json()["error"]["code"] == 401


@pytest.mark.parametrize(
    ("project", "status"), [({"id": PROJECT}, 201), ({"id": "another"}, 401), ({"name": "us"}, 401)], ids=str
)
def test_a_token_is_for_a_project_that_the_user_has(
    call: Caller, project: dict[str, str], status: int
) -> None:
    """By name or by id."""
    assert call.login(project=project).status_code == status


def test_a_domain_can_be_named_by_its_id(call: Caller) -> None:
    """As IAM takes either."""
    assert call.login(domain={"id": identity.DOMAIN_ID}).status_code == 201
    assert call.login(domain={"id": "another"}).status_code == 401


def test_tokens_can_be_as_large_as_real_ones(emulator: Emulator, call: Caller) -> None:
    """And are good in that size, too."""
    emulator.set_iam(token_bytes=20_000)
    call.headers["X-Auth-Token"] = call.login().headers["X-Subject-Token"]

    assert len(call.headers["X-Auth-Token"]) == 20_000
    assert call(READ, {"jobs": [emulator.job_ids[0]]}).status_code == 200


def test_tokens_are_revoked_and_accepted(emulator: Emulator, call: Caller) -> None:
    """A change of the password kills them; another IAM's are good as long as it says."""
    emulator.revoke_tokens()
    seen = [call(READ, {"jobs": [emulator.job_ids[0]]}).status_code]
    emulator.accept_token(call.headers["X-Auth-Token"], expires_at=emulator.advance(0) + 60)
    seen.append(call(READ, {"jobs": [emulator.job_ids[0]]}).status_code)
    emulator.advance(61)
    seen.append(call(READ, {"jobs": [emulator.job_ids[0]]}).status_code)

    assert seen == [403, 200, 403]


def test_what_only_tells_can_be_asked_with_get(emulator: Emulator, call: Caller) -> None:
    """From a browser or curl; what changes something takes POST."""
    call(READ, {"jobs": [emulator.job_ids[0]]})

    assert _get(emulator, "/_emulator/health").json()["answer"]["status"] == "ok"
    assert len(_get(emulator, "/_emulator/jobs").json()["answer"]) == 10
    assert len(_get(emulator, f"/_emulator/journal?operation={READ}").json()["answer"]) == 1
    assert _get(emulator, "/_emulator/reset").status_code == 405
    assert _get(emulator, "/_emulator/no/such/thing").status_code == 404


def test_the_journal_tells_what_was_done(emulator: Emulator, call: Caller) -> None:
    """Refused requests are in it, and were not applied."""
    call(READ, {"jobs": list(emulator.job_ids)})
    call(READ, {"jobs": []})

    good, bad = emulator.journal(READ)

    assert (good["status"], good["applied"], good["count"], good["at"]) == (
        200,
        True,
        10,
        emulator.advance(0),
    )
    assert (bad["status"], bad["applied"], bad["count"]) == (400, False, 0)
    emulator.clear_journal()
    assert emulator.journal() == []


def test_a_reset_begins_anew(emulator: Emulator, call: Caller) -> None:
    """Jobs, faults, journal and tokens."""
    emulator.seed_job()
    emulator.inject("status", times=None)
    emulator.reset()

    assert (len(emulator.job_ids), emulator.faults, emulator.journal()) == (10, [], [])
    assert call(READ, {"jobs": [UNKNOWN]}).status_code == 403


@pytest.mark.parametrize(
    ("method", "arguments", "reason"),
    [
        ("seed_job", {"colour": "blue"}, "a job has no 'colour'"),
        ("seed_job", {"name": 7}, "name must not be 7"),
        ("seed_job", {"unreachable": ["up"]}, "holds so, ta"),
        ("seed_job", {"verdict": {"outcome": "perhaps"}}, "outcome must be"),
        ("set_verdict", {"job_id": None, "outcome": "fail", "items": [7]}, "an item is"),
        ("set_verdict", {"job_id": None, "outcome": "pass", "duration_s": "long"}, "duration_s must be"),
        ("set_verdict", {"job_id": None, "outcome": "pass", "duration": 3}, "a verdict has no 'duration'"),
        ("set_pace", {"pace": "slow"}, "pace must be"),
        ("set_speed", {"speed": -1}, "forward only"),
        ("set_iam", {"lifetime_s": "long"}, "IAM has"),
        ("remove_fault", {"fault_id": 99}, "there is no fault 99"),
    ],
)
def test_instructions_without_sense_change_nothing(
    emulator: Emulator, method: str, arguments: dict[str, Any], reason: str
) -> None:
    """They say what is wrong with them."""
    with pytest.raises(EmulatorError, match=reason):
        getattr(emulator, method)(**arguments)

    assert len(emulator.job_ids) == 10


def test_a_world_brings_its_verdicts(call: Caller) -> None:
    """And an emulator elsewhere is steered like one's own."""
    verdict = {"outcome": "fail", "items": ["srcBinlogFormatCheck"]}
    with Emulator(seeds=[{"name": "ledger", "verdict": verdict}], pace="at-once") as emulator:
        client, caller = EmulatorClient(emulator.url), Caller(emulator)
        (job_id,) = client.job_ids
        caller.precheck(job_id)

        assert caller.result(job_id)["result"] is False
        client.close()
        caller.close()


def test_an_emulator_can_be_started_again() -> None:
    """On another port, with its jobs as they were in the beginning."""
    emulator = Emulator()
    for _ in range(2):
        with emulator:
            emulator.seed_job()
            assert len(emulator.job_ids) == 11


@pytest.mark.parametrize(
    "options", [{"pace": 0}, {"clock": "sun"}, {"speed": -1}, {"seeds": [{"x": 1}]}], ids=str
)
def test_options_without_sense_are_refused_before_the_start(options: dict[str, Any]) -> None:
    """Where the mistake was made."""
    with pytest.raises(ValueError, match=r"."):
        Emulator(**options)


def test_there_is_a_connection_for_each_way_to_log_in(emulator: Emulator) -> None:
    """With a password, and with keys."""
    assert json.loads(emulator.connection_json) == emulator.connection
    assert emulator.connection_with_keys["extra"]["auth"] == "aksk"


def test_a_request_is_logged_on_a_line(emulator: Emulator, call: Caller) -> None:
    """Without anything that a terminal would act on."""
    emulator.inject("too_frequent", operation=READ)
    call(READ, {"jobs": [emulator.job_ids[0]]})
    entry = emulator.journal(READ)[0] | {"path": "/v3/\x1b[2J"}

    with redirect_stdout(io.StringIO()) as out:
        _print_request(entry)

    assert (
        out.getvalue()[9:] == r"POST /v3/\x1b[2J BatchListJobStatus: 400, 1 jobs, fault too_frequent" + "\n"
    )
