from __future__ import annotations

from airflow_provider_drs.protocol.jobs.states import (
    RUNNING_PHASES,
    STARTED_PHASES,
    STATUSES,
    STOPPED_PHASES,
    Phase,
    describe_status,
    phase_of,
)


def test_both_spellings_of_paused() -> None:
    assert phase_of("PAUSING") is phase_of("PAUSEING") is Phase.PAUSED


def test_unknown_status_is_neither_finished_nor_failed() -> None:
    assert phase_of("BRAND_NEW") is Phase.UNKNOWN
    assert "BRAND_NEW" in describe_status("BRAND_NEW")


def test_failed_statuses_are_in_the_failed_phase() -> None:
    assert all(
        (status.phase is Phase.FAILED) == word.endswith("_FAILED") for word, status in STATUSES.items()
    )


def test_phase_sets_do_not_overlap() -> None:
    assert RUNNING_PHASES < STARTED_PHASES
    assert not STARTED_PHASES & STOPPED_PHASES
    assert Phase.CONFIGURING not in STARTED_PHASES | STOPPED_PHASES


def test_known_status_is_described() -> None:
    assert describe_status("CONFIGURATION").startswith("CONFIGURATION (created")
