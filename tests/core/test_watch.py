"""What all watches have in common."""

from __future__ import annotations

from airflow_provider_drs.protocol.watches import (
    SwitchOverWatch,
    Watch,
)


def test_results_without_answers_have_the_ids() -> None:
    class Bare(SwitchOverWatch):
        results = Watch.results

    assert Bare(["a"]).results == [{"job_id": "a"}]
