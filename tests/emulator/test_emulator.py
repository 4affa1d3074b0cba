from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

import pytest
import requests
from drs_emulator import Emulator, EmulatorClient
from drs_emulator.http import iam as identity
from drs_emulator.world.world import INSTANCE_ID

from tests.emulator.caller import NEW_JOB, PROJECT, Caller


def test_job_lifecycle(emulator: Emulator, call: Caller) -> None:
    job_id = call("BatchCreateJobs", {"jobs": [NEW_JOB]}).json()["results"][0]["id"]
    seen = [call.status(job_id)]
    emulator.advance(31)
    endpoint = {"id": job_id, "net_type": "eip", "db_type": "mysql", "ip": "192.0.2.1", "db_user": "root"}
    ends = [endpoint | {"db_password": "not-real", "end_point_type": end} for end in ("so", "ta")]
    assert [row["success"] for row in call("BatchValidateConnections", {"jobs": ends}).json()["results"]] == [
        True
    ] * 2
    call("BatchUpdateJob", {"jobs": [{"job_id": job_id, "source_endpoint": {}, "target_endpoint": {}}]})
    seen.append(call.status(job_id))
    call.precheck(job_id)
    emulator.advance(11)
    assert call("BatchStartJobs", {"jobs": [{"job_id": job_id}]}).status_code == 202
    for seconds in (0, 4, 31, 4):
        emulator.advance(seconds)
        seen.append(call.status(job_id))
    call("BatchDeleteJobs", {"jobs": [{"job_id": job_id, "delete_type": "terminate"}]})
    seen.append(call.status(job_id))
    emulator.advance(11)
    seen.append(call.status(job_id))
    call("BatchDeleteJobs", {"jobs": [{"job_id": job_id, "delete_type": "delete"}]})

    assert seen == [
        "CREATING",
        "CONFIGURATION",
        "STARTJOBING",
        "FULL_TRANSFER_STARTED",
        "FULL_TRANSFER_COMPLETE",
        "INCRE_TRANSFER_STARTED",
        "RELEASE_RESOURCE_STARTED",
        "RELEASE_RESOURCE_COMPLETE",
    ]
    assert call("BatchListJobStatus", {"jobs": [job_id]}).json()["results"][0]["error_code"] == "DRS.M00289"


def test_untested_job_fails_its_precheck(emulator: Emulator, call: Caller) -> None:
    job_id = call("BatchCreateJobs", {"jobs": [NEW_JOB]}).json()["results"][0]["id"]
    emulator.advance(31)
    call.precheck(job_id)
    emulator.advance(11)

    row = call("BatchCheckResults", {"jobs": [job_id]}).json()["results"][0]

    assert row["result"] is False
    failed = {item["item"] for item in row["precheck_result"] if item["result"] == "FAILED"}
    assert failed == {"srcDbConnection", "dstDbConnection"}


def test_names_are_unique_and_pairs_have_children(call: Caller) -> None:
    kind = {"db_use_type": "cloudDataGuard", "engine_type": "cloudDataGuard-mysql", "multi_write": True}
    target = {"db_type": "mysql", "region": "eu-de", "inst_id": INSTANCE_ID}
    pair = NEW_JOB | {"name": "pair", "target_endpoint": target, **kind}

    made = call("BatchCreateJobs", {"jobs": [pair]}).json()["results"][0]
    listed = call(
        "ShowJobList", {"cur_page": 1, "per_page": 5, "db_use_type": "cloudDataGuard", "engine_type": ""}
    )

    assert call("BatchCreateJobs", {"jobs": [pair]}).json()["results"][0]["error_code"] == "DRS.M00277"
    assert [child["job_direction"] for child in listed.json()["jobs"][0]["children"]] == ["up", "down"]
    assert [child["id"] for child in listed.json()["jobs"][0]["children"]] == made["child_ids"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "DRS.M00201"),
        ({"jobs": []}, "DRS.M00201"),
        ({"jobs": "x"}, "DRS.M00202"),
        ({"jobs": [{"job_id": "00000001-d0c5-4a11-8a11-0000001jb101"}]}, "DRS.M00201"),
        ({"jobs": [{"job_id": 7, "precheck_mode": "forStartJob"}]}, "DRS.M00202"),
        ({"jobs": [{"job_id": "short", "precheck_mode": "forStartJob"}]}, "DRS.M00202"),
        ({"jobs": [{"job_id": "00000001-d0c5-4a11-8a11-0000001jb101", "precheck_mode": "x"}]}, "DRS.M00202"),
        (
            {
                "jobs": [{"job_id": "00000001-d0c5-4a11-8a11-0000001jb101", "precheck_mode": "forStartJob"}]
                * 2
            },
            "DRS.M00301",
        ),
        (b"{", "DRS.M00007"),
        (b"[]", "DRS.M00007"),
    ],
)
def test_invalid_bodies_are_rejected(call: Caller, body: Any, code: str) -> None:
    response = call("BatchCheckJobs", body)

    assert (response.status_code, response.json()["error_code"]) == (400, code)


def test_unknown_fields_are_allowed(emulator: Emulator, call: Caller) -> None:
    assert call("BatchListJobStatus", {"jobs": [emulator.job_ids[0]], "new": 1}).status_code == 200


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"headers": {"X-Auth-Token": "not-a-token"}}, 403, "DRS.M00100"),
        ({"headers": {"Content-Type": "text/plain"}}, 400, "DRS.M00202"),
        ({"headers": {"X-Language": "de"}}, 400, "DRS.M00202"),
        (
            {"headers": {"Authorization": "SDK-HMAC-SHA256 Access=x, SignedHeaders=, Signature=0"}},
            401,
            "APIGW.0301",
        ),
        ({"project": "another"}, 403, "DRS.M00261"),
    ],
)
def test_invalid_callers_are_rejected(
    emulator: Emulator, call: Caller, change: dict[str, Any], status: int, code: str
) -> None:
    response = call("BatchListJobStatus", {"jobs": list(emulator.job_ids)}, **change)

    assert (response.status_code, response.json()["error_code"]) == (status, code)


def test_tokens_expire_with_the_clock(emulator: Emulator, call: Caller) -> None:
    emulator.advance(86_401)

    assert call("BatchListJobStatus", {"jobs": [emulator.job_ids[0]]}).status_code == 403


@pytest.mark.parametrize(
    "change", [{"password": "wrong"}, {"name": "unknown"}, {"domain": {"name": "Nowhere"}}]
)
def test_wrong_login_is_rejected(call: Caller, change: dict[str, Any]) -> None:
    assert call.login(**change).json()["error"]["code"] == 401


def test_nocatalog(call: Caller) -> None:
    assert "catalog" in call.login().json()["token"]
    assert "catalog" not in call.login("?nocatalog=1").json()["token"]


def test_default_page_size(emulator: Emulator, call: Caller) -> None:
    jobs = list(emulator.job_ids)

    def count(**page: int) -> int:
        return len(call("BatchListJobStatus", {"jobs": jobs, "page_req": page}).json().get("results", []))

    assert len(call("BatchListJobStatus", {"jobs": jobs}).json()["results"]) == 5
    assert (count(per_page=0), count(per_page=7), count(per_page=7, cur_page=2)) == (10, 7, 3)
    beyond = call("BatchListJobStatus", {"jobs": jobs, "page_req": {"cur_page": 9, "per_page": 5}})
    assert beyond.json()["error_code"] == "DRS.M00211"
    assert call("BatchListJobStatus", {"jobs": jobs, "page_req": {"per_page": 101}}).status_code == 400


def test_precheck_progress(emulator: Emulator, call: Caller) -> None:
    job_id = emulator.job_ids[0]
    call.precheck(job_id)
    again = {"jobs": [{"job_id": job_id, "precheck_mode": "forStartJob"}]}
    emulator.advance(5)

    halfway = call("BatchCheckResults", {"jobs": [job_id]}).json()["results"][0]

    assert (halfway["process"], halfway["result"], len(halfway["precheck_result"])) == ("50%", False, 19)
    assert call("BatchCheckJobs", again).json()["results"][0]["error_code"] == "DRS.M01504"
    emulator.advance(5)
    ended = call("BatchCheckResults", {"jobs": [job_id]}).json()["results"][0]
    assert (ended["process"], ended["result"], ended["total_passed_rate"]) == ("100%", True, "100%")


@pytest.mark.parametrize(("engine", "items"), [("mysql", 39), ("mongodb", 27), ("postgresql", 7)])
@pytest.mark.parametrize(("outcome", "result"), [("pass", True), ("alarm", True), ("fail", False)])
def test_items_by_engine(
    emulator: Emulator, call: Caller, engine: str, items: int, outcome: str, result: bool
) -> None:
    job_id = emulator.seed_job(engine_type=engine)
    emulator.set_verdict(job_id, outcome, duration_s=0)
    call.precheck(job_id)

    row = call("BatchCheckResults", {"jobs": [job_id]}).json()["results"][0]

    assert (len(row["precheck_result"]), row["result"]) == (items, result)


@pytest.mark.parametrize("kind", ["parent", "FULL_TRANSFER_STARTED"])
def test_precheck_of_parent_or_running_job_is_rejected(emulator: Emulator, call: Caller, kind: str) -> None:
    details = {"multi_write": True} if kind == "parent" else {"status": kind}
    job_id = emulator.seed_job(**details)

    row = call("BatchCheckJobs", {"jobs": [{"job_id": job_id, "precheck_mode": "forStartJob"}]}).json()[
        "results"
    ][0]

    assert row["error_code"] == ("DRS.M00307" if kind == "parent" else "DRS.M00304")


def test_unknown_path_and_method(emulator: Emulator, call: Caller) -> None:
    base = f"{emulator.url}/v3/{PROJECT}/jobs"
    get = requests.Session()
    get.trust_env = False

    with get:
        answers = [
            get.post(f"{base}/no-such-thing", json={}, headers=call.headers),
            get.get(f"{base}/batch-status", headers=call.headers),
        ]

    assert [answer.status_code for answer in answers] == [404, 405]


def test_journal_has_no_secret(emulator: Emulator, call: Caller) -> None:
    call("BatchListJobStatus", {"jobs": list(emulator.job_ids)})

    text = json.dumps(emulator.journal())

    assert identity.PASSWORD not in text
    assert call.headers["X-Auth-Token"] not in text
    assert emulator.journal("BatchListJobStatus")[0]["auth"] == "token"


def test_emulators_are_independent(emulator: Emulator) -> None:
    with Emulator() as other:
        other.seed_job()

        assert len(other.job_ids) == len(emulator.job_ids) + 1


def test_port_in_use(emulator: Emulator) -> None:
    with pytest.raises(OSError, match="address already in use"):
        Emulator(port=int(emulator.url.rpartition(":")[2])).start()


def test_command_serves(tmp_path: Any) -> None:
    world = tmp_path / "world.json"
    world.write_text(json.dumps({"jobs": [{"job_id": "a" * 36, "name": "orders"}]}))
    command = [sys.executable, "-m", "drs_emulator", "--port", "0", "--world", str(world)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split(" at ")[1].split(". ")[0]
        export = process.stdout.readline()
        client = EmulatorClient(url)
        jobs = client.jobs
        client.close()
        process.terminate()
        assert process.wait() == 0

    assert [job["name"] for job in jobs] == ["orders"]
    assert export.startswith("export AIRFLOW_CONN_DRS_DEFAULT=")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--help"], "quick start"),
        (["--host", "0.0.0.0"], "--allow-remote"),  # noqa: S104 - a test of remote access
        (["--world", "no-such-file"], "--world: cannot read 'no-such-file': No such file"),
        (["--port", "99999"], "--port: expected a number from 0 to 65535, not '99999'"),
        (["--speed", "nan"], "--speed: expected a number"),
        (["--precheck-seconds", "-1"], "--precheck-seconds: expected a number"),
        (["--token-lifetime", "0"], "--token-lifetime: expected a number"),
        (["--token-bytes", "1.5"], "--token-bytes: expected a number"),
        (["--pace", "fast"], "--pace must be"),
        (["--iam-url", "keystone"], "--iam-url: expected a URL"),
        (["--certfile", __file__], "--certfile"),
        (["--keyfile", __file__], "--keyfile requires --certfile"),
        (["--certfile", __file__, "--tls", "."], "--certfile and --tls cannot be combined"),
        (["--control-key-file", "/dev/null"], "--control-key-file: '/dev/null' is empty"),
        (["--state", "/dev/full/state"], "--state: the folder /dev/full does not exist"),
        (["--tls", __file__], "--tls: cannot write to"),
    ],
)
def test_command_help(arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    from drs_emulator.__main__ import main

    with pytest.raises(SystemExit):
        main(arguments)

    output = capsys.readouterr()
    assert text in output.out + output.err


def test_speed_option() -> None:
    with Emulator(speed=1000) as emulator:
        start = emulator.advance(0)
        time.sleep(0.05)

        assert emulator.advance(0) - start > 20
        emulator.set_speed(0)
        assert emulator.advance(0) == emulator.advance(0)


def test_pytest_fixture(drs_emulator: Emulator) -> None:
    assert len(drs_emulator.job_ids) == 10
    assert json.loads(drs_emulator.connection_json)["conn_type"] == "drs"


def test_text_of_a_job_does_not_select_the_operation(emulator: Emulator, call: Caller) -> None:
    answer = call("BatchListJobStatus", {"jobs": [emulator.job_ids[0]], "note": "assume_role"})

    assert answer.status_code == 200
