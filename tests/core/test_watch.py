"""What all watches have in common."""

from __future__ import annotations

from airflow_provider_drs.protocol.watches import (
    SwitchOverWatch,
    Watch,
)


def test_a_watch_has_plain_results_unless_it_knows_more() -> None:
    """The ids."""

    class Bare(SwitchOverWatch):
        results = Watch.results

    assert Bare(["a"]).results == [{"job_id": "a"}]
