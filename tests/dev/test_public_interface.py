"""The public interface changes only as the changelog says."""

from __future__ import annotations

import pytest
from packaging.version import Version

from airflow_provider_drs import __version__
from dev.docs.public_interface import ROOT, describe, find_unannounced, read

_PAUSE = "airflow_provider_drs.operators.drs.DrsPauseJobsOperator"


def test_changes_since_the_release_are_announced() -> None:
    """Describe each listed change in the changelog, under Unreleased, with the name that has changed."""
    version, released = read()

    assert find_unannounced(released, (ROOT / "CHANGELOG.md").read_text("utf-8")) == []
    assert Version(version) <= Version(__version__)


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (f"argument: {_PAUSE}(pause_mode): default 'all', keyword-only", "pause_mode"),
        (f"template: {_PAUSE}.removed_field", "removed_field"),
        ("argument: airflow_provider_drs.hooks.drs.DrsHook.stop_jobs(force): required", "force"),
        ("XCom: removed_results", "removed_results"),
        ("connection field: proxy: string, default 'http://proxy.example'", "proxy"),
        ("command: drs precheck --removed SECONDS", "--removed"),
        ("command: drs-emulator --removed", "--removed"),
        ("exit code: 5: removed", "5"),
        ("metric: drs.calls: counter, tags operation", "drs.calls"),
    ],
)
def test_unannounced_change_is_found(line: str, name: str) -> None:
    released = [*describe(), line]

    assert find_unannounced(released, f"## Unreleased\n\n## 1.0.0\n\n- `{name}`\n") == [f"- {line}"]
    assert find_unannounced(released, f"## Unreleased\n\n- `{name}x`\n") == [f"- {line}"]
    assert find_unannounced(released, f"## Unreleased\n\n- `{name}` has changed.\n\n## 1.0.0\n") == []


def test_interface_has_what_users_see() -> None:
    names = "\n".join(describe())

    for name in (
        f"argument: {_PAUSE}(pause_mode): default 'target', keyword-only",
        f"template: {_PAUSE}.job_ids",
        "function: airflow_provider_drs.task_groups.drs.drs_migration",
        "argument: airflow_provider_drs.task_groups.drs.drs_migration(jobs): required",
        "method: airflow_provider_drs.hooks.drs.DrsAsyncHook.start_jobs",
        "class: airflow_provider_drs.protocol.core.errors.DrsError",
        "XCom: precheck_report",
        "command: drs-emulator --tls",
        "fixture: drs_emulator",
    ):
        assert name in names
    assert "_internal" not in names
    assert " at 0x" not in names
