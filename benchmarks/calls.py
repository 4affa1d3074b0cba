"""
The cost of a call of a hook, and of importing the operators.

Calls go to a local server in another process; the CPU time of the caller is measured.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure

ROOT = Path(__file__).resolve().parent.parent
CALLS, ROUNDS, IMPORTS = 100, 9, 7


def measure() -> Iterable[Figure]:
    """Measure all figures, one after the other."""
    yield from _measure_calls()
    yield _measure_parsing()


def _measure_calls() -> list[Figure]:
    """Read the pre-check results of ten jobs, parsed into types."""
    from drs_emulator import EmulatorClient

    command = [Path(sys.executable).parent / "drs-emulator", "--port", "0", "--clock", "manual"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        first = server.stdout.readline()
        url = next(word for word in first.split() if word.startswith("http")).rstrip(".")
        emulator = EmulatorClient(url)
        try:
            return _compare(emulator)
        finally:
            server.terminate()


def _compare(emulator: Any) -> list[Figure]:
    os.environ["AIRFLOW_CONN_DRS_DEFAULT"] = emulator.connection_json
    from airflow_provider_drs.hooks.drs import DrsAsyncHook, DrsHook

    job_ids = list(emulator.job_ids)
    hook = DrsHook()
    emulator.set_verdict(None, "pass", duration_s=0)
    hook.precheck_jobs(job_ids)
    token = hook.get_conn()._slot.current().token
    path = "/v3/0123456789abcdef0123456789abcdef/jobs/batch-precheck-result"
    body, headers = {"jobs": job_ids}, {"X-Auth-Token": token, "Content-Type": "application/json"}
    runner = asyncio.Runner()
    async_hook, session = DrsAsyncHook(), runner.run(_open_session())

    async def bare_aiohttp() -> None:
        async with session.post(emulator.url + path, json=body, headers=headers) as response:
            await response.json()

    def repeat(call: Callable[[], Any]) -> Callable[[], None]:
        async def many() -> None:
            for _ in range(CALLS):
                await call()

        return lambda: runner.run(many())

    contenders = {
        "requests": _times(_bare_requests(emulator.url + path, body, headers)),
        "DrsHook": _times(lambda: hook.get_precheck_results(job_ids)),
        "SDK": _times(_sdk(emulator.url, job_ids)),
        "aiohttp": repeat(bare_aiohttp),
        "DrsAsyncHook": repeat(lambda: async_hook.get_precheck_results(job_ids)),
    }
    cpu: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(ROUNDS + 1):
        for name, run in contenders.items():
            begin = time.process_time()
            run()
            if turn:
                cpu[name].append(time.process_time() - begin)
    runner.run(async_hook.close())
    runner.run(session.close())
    runner.close()

    def ratio(one: str, other: str) -> float:
        return statistics.median(a / b for a, b in zip(cpu[one], cpu[other], strict=True))

    return [
        Figure("One call", f"CPU, {one} / {other}", ratio(one, other), limit)
        for one, other, limit in (
            ("DrsHook", "requests", 1.3),
            ("DrsHook", "SDK", 0.6),
            ("DrsAsyncHook", "aiohttp", 1.5),
            ("DrsAsyncHook", "SDK", 0.35),
        )
    ]


def _times(call: Callable[[], Any]) -> Callable[[], None]:
    def run() -> None:
        for _ in range(CALLS):
            call()

    return run


def _bare_requests(url: str, body: Any, headers: dict[str, str]) -> Callable[[], Any]:
    import requests

    session = requests.Session()
    return lambda: session.post(url, json=body, headers=headers).json()


async def _open_session() -> Any:
    import aiohttp

    return aiohttp.ClientSession(max_field_size=65_536)


def _sdk(url: str, job_ids: list[str]) -> Callable[[], Any]:
    from drs_emulator.http import iam
    from drs_emulator.world.world import PROJECT_ID
    from huaweicloudsdkcore.auth.credentials import BasicCredentials
    from huaweicloudsdkdrs.v3 import DrsClient
    from huaweicloudsdkdrs.v3 import model as sdk

    credentials = BasicCredentials(iam.ACCESS_KEY, iam.SECRET_KEY, PROJECT_ID)
    client = DrsClient.new_builder().with_credentials(credentials).with_endpoint(url).build()
    request = sdk.BatchCheckResultsRequest(body=sdk.BatchQueryPrecheckResultReq(jobs=job_ids))
    return lambda: client.batch_check_results(request)


_IMPORT = """
import json, sys, time
import airflow.sdk
from airflow.sdk import DAG, BaseOperator, BaseSensorOperator, conf
begin = time.process_time()
{imports}
print(json.dumps(time.process_time() - begin))
"""
OURS = "import airflow_provider_drs.operators.drs, airflow_provider_drs.sensors.drs"
AMAZONS = "import airflow.providers.amazon.aws.operators.dms, airflow.providers.amazon.aws.sensors.dms"


def _measure_parsing() -> Figure:
    """Compare the import of our operators and sensors with those of Amazon's provider for its DMS."""
    # Both start from compiled files, as in production.
    subprocess.run(
        [sys.executable, "-m", "compileall", "-q", sys.prefix, ROOT / "airflow_provider_drs"], check=False
    )
    ratios = []
    for turn in range(IMPORTS + 1):
        ours, amazons = (_import_cpu(imports) for imports in (OURS, AMAZONS))
        if turn:
            ratios.append(ours / amazons)
    what = "CPU, operators and sensors of this provider / of the Amazon provider for DMS"
    return Figure("Import", what, statistics.median(ratios), 0.05)


def _import_cpu(imports: str) -> float:
    command = [sys.executable, "-W", "ignore", "-c", _IMPORT.format(imports=imports)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout.splitlines()[-1]))
