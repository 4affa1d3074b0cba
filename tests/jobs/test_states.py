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


def test_both_spellings_of_paused_mean_the_same() -> None:
    """The pages disagree; a job that is paused is paused."""
    assert phase_of("PAUSING") is phase_of("PAUSEING") is Phase.PAUSED


def test_a_status_never_seen_is_kept_and_is_neither_done_nor_failed() -> None:
    """A service upgrade must not end a long wait."""
    assert phase_of("BRAND_NEW") is Phase.UNKNOWN
    assert "BRAND_NEW" in describe_status("BRAND_NEW")


def test_every_failure_word_is_a_failure() -> None:
    """The table agrees with its own words."""
    assert all(
        (status.phase is Phase.FAILED) == word.endswith("_FAILED") for word, status in STATUSES.items()
    )


def test_phase_sets_do_not_overlap() -> None:
    """Started, stopped and configuring exclude each other."""
    assert RUNNING_PHASES < STARTED_PHASES
    assert not STARTED_PHASES & STOPPED_PHASES
    assert Phase.CONFIGURING not in STARTED_PHASES | STOPPED_PHASES


def test_a_known_status_is_explained() -> None:
    """People read the meaning, not the word alone."""
    assert describe_status("CONFIGURATION").startswith("CONFIGURATION (created")
