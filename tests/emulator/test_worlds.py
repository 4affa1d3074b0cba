"""World files: the initial content of an emulator, and errors in a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from drs_emulator import Emulator
from drs_emulator.__main__ import main

from tests.emulator.caller import NEW_JOB, Caller

SAMPLE = Path(__file__).with_name("sample_world.json")


@pytest.fixture
def sample() -> Iterator[Emulator]:
    """Return an emulator that started with the sample."""
    with Emulator(world=SAMPLE, clock="manual") as emulator:
        yield emulator


def _create(call: Caller, name: str) -> str:
    return str(call("BatchCreateJobs", {"jobs": [NEW_JOB | {"name": name}]}).json()["results"][0]["id"])


def test_world_file(sample: Emulator) -> None:
    call = Caller(sample)
    statuses = [job["status"] for job in sample.jobs]

    assert statuses == ["CONFIGURATION", "INCRE_TRANSFER_STARTED"]
    assert [fault["kind"] for fault in sample.faults] == ["too_frequent"]
    assert call.status(_create(call, "anything")) == "CONFIGURATION"
    call.close()


def test_plans_by_pattern(sample: Emulator) -> None:
    call = Caller(sample)
    job_id = _create(call, "stock-1")
    call.test_ends(job_id, "so", "ta")
    call.rows("BatchUpdateJob", job_id, source_endpoint={}, target_endpoint={})
    call.precheck(job_id)

    assert call.start(job_id) == [None]
    assert call.status(job_id) == "FULL_TRANSFER_FAILED"
    call.close()


def test_reset_restores_the_world(sample: Emulator) -> None:
    sample.seed_job()
    sample.clear_faults()
    sample.reset()

    assert (len(sample.job_ids), len(sample.faults)) == (2, 1)


@pytest.mark.parametrize(
    ("world", "reason"),
    [
        ({"color": "blue"}, "unknown key 'color'"),
        ({"jobs": {}}, "jobs must be a list"),
        ({"plans": []}, "plans must be an object"),
        ({"pace": "slow"}, "pace must be"),
        ({"precheck_s": -1}, "precheck_s must be"),
        ({"precheck_s": float("inf")}, "duration_s must be a finite number"),
        ({"jobs": [{}, {"color": 1}]}, r"jobs\[1\]: unknown detail 'color'"),
        ({"jobs": ["orders"]}, r"jobs\[0\]: expected an object"),
        ({"jobs": [{"passwords": {"source": "x"}}]}, r"jobs\[0\]: passwords must map"),
        ({"jobs": [{"node_num": 99}]}, r"jobs\[0\]: node_num must be from"),
        ({"jobs": [{"delay": [[5, 1]]}]}, r"jobs\[0\]: delay must start at 0"),
        ({"jobs": [{"differences": ["orders"]}]}, r"jobs\[0\]: differences must contain tables"),
        ({"jobs": [{"databases": {"shop": {"orders": -1}}}]}, r"jobs\[0\]: databases must map"),
        ({"plans": {"x": {"color": 1}}}, r"plans\['x'\]: unknown detail 'color'"),
        ({"faults": [{"kind": "nope"}]}, r"faults\[0\]: unknown fault"),
        ({"faults": [{}]}, r"faults\[0\]: "),
    ],
    ids=str,
)
def test_invalid_world_is_named(world: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Emulator(world=world)


@pytest.mark.parametrize("text", ["{", "[]", '{"color": 1}', '{"faults": [{"kind": "nope"}]}'])
def test_command_rejects_invalid_world(tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "invalid-world.json"
    path.write_text(text)

    with pytest.raises(SystemExit) as caught:
        main(["--world", str(path)])

    assert caught.value.code == 2
    assert "invalid-world.json" in capsys.readouterr().err


def test_world_and_seeds_are_exclusive() -> None:
    with pytest.raises(ValueError, match="cannot be combined with jobs, plans or faults"):
        Emulator(world=json.loads(SAMPLE.read_text()), seeds=[])
