"""Wait for comparisons of data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_drs.protocol.comparisons.messages import SUCCESSFUL, Comparison, ComparisonResult
from airflow_provider_drs.protocol.comparisons.operation import get_comparisons
from airflow_provider_drs.protocol.core.batches import Answers, Limits
from airflow_provider_drs.protocol.core.errors import DrsError, make_error
from airflow_provider_drs.protocol.core.watch import ReadOperation, Watch
from airflow_provider_drs.protocol.core.wire import Conversation

#: The number of differences in an error message.
_MAX_NAMED = 5


class ComparisonWatch(Watch):
    """
    Watches comparisons until each has finished. A job whose comparison found a difference has failed.

    :param comparisons: the comparisons of each job.
    """

    kind = "comparison"
    answer_class = ComparisonResult

    def __init__(self, comparisons: Sequence[Comparison]) -> None:
        self._comparisons = {comparison.job_id: comparison for comparison in comparisons}
        super().__init__([comparison.job_id for comparison in comparisons])

    @property
    def operation(self) -> ReadOperation:
        """Reads the results of these comparisons. Watches of comparisons are not polled together."""
        return self._read

    @property
    def failures(self) -> dict[str, DrsError]:
        """The jobs whose data differs or could not be compared, each with the reason."""
        settled = {job_id: answer for job_id, answer in self._answers.items() if job_id in self._settled}
        return {
            job_id: answer if isinstance(answer, DrsError) else _make_failure(answer)
            for job_id, answer in settled.items()
            if isinstance(answer, DrsError) or not answer.is_consistent
        }

    @property
    def ended(self) -> list[ComparisonResult]:
        """The results of the comparisons that have finished."""
        answers = self._answers.values()
        return [answer for answer in answers if isinstance(answer, ComparisonResult) and answer.is_done]

    def _state_to_dict(self) -> dict[str, Any]:
        comparisons = [comparison.to_dict() for comparison in self._comparisons.values()]
        return super()._state_to_dict() | {"comparisons": comparisons}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> ComparisonWatch:
        """Return the watch that :meth:`to_dict` serialized."""
        comparisons = [Comparison.from_dict(comparison) for comparison in fields["comparisons"]]
        return cls(comparisons)._restore_state(fields)

    def _read(self, limits: Limits, job_ids: Sequence[str]) -> Conversation[Answers[ComparisonResult]]:
        return (yield from get_comparisons(limits, [self._comparisons[job_id] for job_id in job_ids]))

    def _describe(self, job_id: str) -> str:
        answer: ComparisonResult | DrsError = self._answers[job_id]
        if isinstance(answer, DrsError):
            return f"has no comparison result: {answer}"
        return f"comparison: {_name_statuses(answer.statuses)}, {len(answer.differences)} differences"


def _name_statuses(statuses: Mapping[str, str]) -> str:
    return ", ".join(f"{kind} {status}" for kind, status in statuses.items())


def _make_failure(result: ComparisonResult) -> DrsError:
    failed = {kind: status for kind, status in result.statuses.items() if status != SUCCESSFUL}
    if failed:
        problem = f"could not be compared: {_name_statuses(failed)}"
        remedy = "Compare it again, or check the comparison in the DRS console."
    elif not result.differences:
        problem, remedy = "was not compared: there is no result", "Specify tables that exist."
    else:
        named = "; ".join(_name(difference) for difference in result.differences[:_MAX_NAMED])
        more = len(result.differences) - _MAX_NAMED
        problem = f"differs: {named}{f'; and {more} more' if more > 0 else ''}"
        remedy = "The XCom comparison_report contains all differences."
    return make_error(
        f"{result.job_id}: the data {problem}",
        job_ids=(result.job_id,),
        error_class=DrsError,
        remedy=remedy,
    )


def _name(difference: Mapping[str, Any]) -> str:
    names = [difference.get(key) for key in ("source_db_name", "source_table_name")]
    subject = ".".join(str(name) for name in names if name) or str(difference.get("object_type") or "?")
    keys = ("source_row_num", "target_row_num", "source_count", "target_count")
    counts = [str(difference[key]) for key in keys if key in difference]
    word = next((str(value) for key, value in difference.items() if key.endswith("_compare_result")), "")
    return f"{subject} {word}" + (f" ({' and '.join(counts)})" if counts else "")
