"""Waiting for comparisons of data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_drs.protocol.comparisons.messages import SUCCESSFUL, Comparison, ComparisonResult
from airflow_provider_drs.protocol.comparisons.operation import get_comparisons
from airflow_provider_drs.protocol.core.batches import Answers, Limits
from airflow_provider_drs.protocol.core.errors import DrsError, make_error
from airflow_provider_drs.protocol.core.watch import (
    ReadOperation,
    Watch,
    can_change,
    errors_from_dict,
    errors_to_dict,
)
from airflow_provider_drs.protocol.core.wire import Conversation

#: How many differences the text of an error names; the XCom has all.
_MOST_NAMED = 5


class ComparisonWatch(Watch):
    """
    Watches comparisons until each has ended; one that found a difference has failed.

    :param comparisons: what was ordered, for each job.
    """

    kind = "comparison"

    def __init__(self, comparisons: Sequence[Comparison]) -> None:
        super().__init__([comparison.job_id for comparison in comparisons])
        self._comparisons = {comparison.job_id: comparison for comparison in comparisons}

    @property
    def operation(self) -> ReadOperation:
        """Ask what the comparisons of this watch have found; nobody else asks the same."""
        return self._read

    @property
    def failures(self) -> dict[str, DrsError]:
        """The jobs whose data differs, or could not be compared, each with the reason."""
        found: dict[str, DrsError] = {}
        for job_id, answer in self._answers.items():
            if job_id not in self._settled:
                continue
            if isinstance(answer, DrsError):
                found[job_id] = answer
            elif not answer.is_consistent:
                found[job_id] = _explain(answer)
        return found

    @property
    def ended(self) -> list[ComparisonResult]:
        """What the comparisons that have ended have found."""
        found = (each for each in self._answers.values() if isinstance(each, ComparisonResult))
        return [each for each in found if each.is_done]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values. A result is read again, rather than carried along."""
        return {
            "kind": self.kind,
            "comparisons": [comparison.to_dict() for comparison in self._comparisons.values()],
            "results": [
                each.to_dict() for each in self._answers.values() if isinstance(each, ComparisonResult)
            ],
            "errors": errors_to_dict(self._answers),
            "logged": self._logged,
        }

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> ComparisonWatch:
        """Return the watch that :meth:`to_dict` described."""
        found = {
            each["job_id"]: ComparisonResult(
                each["job_id"], each["statuses"], each["compared"], tuple(each["differences"])
            )
            for each in fields["results"]
        }
        watch = cls([Comparison.from_dict(each) for each in fields["comparisons"]])
        return watch._restore(found | errors_from_dict(fields["errors"]), fields["logged"])

    def _read(self, limits: Limits, job_ids: Sequence[str]) -> Conversation[Answers[ComparisonResult]]:
        return (yield from get_comparisons(limits, [self._comparisons[job_id] for job_id in job_ids]))

    def _is_settled(self, job_id: str) -> bool:
        answer: ComparisonResult | DrsError = self._answers[job_id]
        return not can_change(answer) if isinstance(answer, DrsError) else answer.is_done

    def _describe(self, job_id: str) -> str:
        answer: ComparisonResult | DrsError = self._answers[job_id]
        if isinstance(answer, DrsError):
            return f"gives no result: {answer}"
        words = ", ".join(f"{kind} {word}" for kind, word in answer.statuses.items())
        return f"comparison: {words}, {len(answer.differences)} differences"


def _explain(result: ComparisonResult) -> DrsError:
    broken = {kind: word for kind, word in result.statuses.items() if word != SUCCESSFUL}
    if broken:
        words = ", ".join(f"{kind} {word}" for kind, word in broken.items())
        what, remedy = f"could not be compared: {words}", "Compare again, or look in the DRS console."
    elif not result.differences:
        what, remedy = "was not compared: there is no result", "Name tables that exist."
    else:
        named = "; ".join(_name(each) for each in result.differences[:_MOST_NAMED])
        more = len(result.differences) - _MOST_NAMED
        what = f"differs: {named}{f'; and {more} more' if more > 0 else ''}"
        remedy = "The XCom comparison_report has every difference."
    return make_error(
        f"The data of job {result.job_id} {what}",
        job_ids=(result.job_id,),
        error_class=DrsError,
        remedy=remedy,
    )


def _name(difference: Mapping[str, Any]) -> str:
    place = ".".join(
        str(difference[key]) for key in ("source_db_name", "source_table_name") if difference.get(key)
    )
    counts = [
        str(difference[key])
        for keys in (("source_row_num", "target_row_num"), ("source_count", "target_count"))
        for key in keys
        if key in difference
    ]
    word = next((str(value) for key, value in difference.items() if key.endswith("_compare_result")), "")
    subject = place or str(difference.get("object_type") or "?")
    return f"{subject} {word}" + (f" ({' and '.join(counts)})" if counts else "")
