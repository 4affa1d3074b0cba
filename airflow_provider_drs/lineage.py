"""
What is reported to OpenLineage: between which databases a task has moved data, and what pre-checks and
comparisons have found.

It is collected while the task has its connection, and only if OpenLineage is installed and configured: one
call reads the details of the jobs, with a short timeout; its failure is ignored.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_drs.protocol.conversations import get_job_details
from airflow_provider_drs.protocol.jobs.messages import JobDetails
from airflow_provider_drs.protocol.lineage import (
    ENDS,
    Assertion,
    Dataset,
    assert_comparison,
    assert_precheck,
    count_rows,
    find_objects,
)

if TYPE_CHECKING:
    from typing import TypeAlias

    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_drs.hooks.drs import DrsHook
    from airflow_provider_drs.protocol.comparisons.messages import ComparisonResult
    from airflow_provider_drs.protocol.prechecks.report import JobReport

    Lineage: TypeAlias = OperatorLineage[Any, Any]

_log = logging.getLogger(__name__)

#: Maximum seconds for the call: lineage must not delay a task for longer.
LONGEST_S = 5.0


def is_wanted() -> bool:
    """Whether OpenLineage is installed and configured."""
    try:
        from airflow.providers.openlineage.conf import is_disabled
    except ImportError:
        return False
    return not is_disabled()


def build_replication_lineage(
    hook: DrsHook, job_ids: Iterable[str], rows: Sequence[Mapping[str, Any]] = ()
) -> Lineage | None:
    """
    Return the lineage of data that moves from the sources of jobs to their destinations. Never fails.

    :param rows: the replicated objects, as rows of the service; empty for all objects.
    """

    def make(details: Mapping[str, JobDetails]) -> Lineage:
        found = [find_objects(job, rows) for job in details.values()]
        source, target = (dict.fromkeys(dataset for job in found for dataset in job[end]) for end in ENDS)
        return _make_lineage({dataset: () for dataset in source}, target)

    return _describe(hook, job_ids, make)


def build_precheck_lineage(hook: DrsHook, reports: Sequence[JobReport]) -> Lineage | None:
    """Return the findings of pre-checks on the databases of their jobs. Never fails."""

    def make(details: Mapping[str, JobDetails]) -> Lineage:
        found: dict[Dataset, list[Assertion]] = {}
        for report in reports:
            job = details.get(report.job_id)
            said = assert_precheck(job, report) if job else {}
            for end, datasets in (find_objects(job) if job else {}).items():
                for dataset in datasets:
                    found.setdefault(dataset, []).extend(said[end])
        return _make_lineage(found, {})

    return _describe(hook, [report.job_id for report in reports], make)


def build_comparison_lineage(hook: DrsHook, results: Sequence[ComparisonResult]) -> Lineage | None:
    """Return the findings of comparisons on the data of source and destination. Never fails."""

    def make(details: Mapping[str, JobDetails]) -> Lineage:
        found: dict[Dataset, list[Assertion]] = {}
        rows: dict[Dataset, int] = {}
        for result in results:
            if job := details.get(result.job_id):
                for dataset, said in assert_comparison(job, result).items():
                    found.setdefault(dataset, []).extend(said)
                rows |= count_rows(job, result)
        return _make_lineage(found, {}, rows)

    return _describe(hook, [result.job_id for result in results], make)


def _describe(
    hook: DrsHook, job_ids: Iterable[str], make: Callable[[Mapping[str, JobDetails]], Lineage]
) -> Lineage | None:
    asked = list(job_ids)
    if not asked or not is_wanted():
        return None
    try:
        return make(_read_details(hook, asked))
    except Exception as error:
        # Lineage must not fail the task.
        _log.warning("No lineage for these jobs: %s", error)
        return None


def _read_details(hook: DrsHook, job_ids: Sequence[str]) -> dict[str, JobDetails]:
    from airflow_provider_drs import metrics
    from airflow_provider_drs.transport.sync import SyncClient

    settings = replace(hook.get_settings(), retry_timeout_s=LONGEST_S)
    client = SyncClient(settings, observer=metrics.count_call)
    try:
        limits = settings.make_limits()
        answers = client.run(get_job_details(limits, job_ids))
    finally:
        client.close()
    return {job_id: job for job_id, job in answers.items() if isinstance(job, JobDetails)}


def _make_lineage(
    inputs: Mapping[Dataset, Sequence[Assertion]],
    outputs: Iterable[Dataset],
    rows: Mapping[Dataset, int] | None = None,
) -> Lineage:
    from airflow.providers.openlineage.extractors import OperatorLineage
    from openlineage.client.event_v2 import InputDataset, OutputDataset

    counts = rows or {}
    made = [
        InputDataset(
            dataset.namespace, dataset.name, inputFacets=_make_facets(assertions, counts.get(dataset))
        )
        for dataset, assertions in inputs.items()
    ]
    return OperatorLineage(
        inputs=made, outputs=[OutputDataset(dataset.namespace, dataset.name) for dataset in outputs]
    )


def _make_facets(assertions: Sequence[Assertion], rows: int | None) -> dict[str, Any]:
    import attrs
    from openlineage.client.facet_v2 import data_quality_assertions_dataset as quality
    from openlineage.client.facet_v2 import data_quality_metrics_input_dataset as metrics

    # Earlier clients have neither severity nor description.
    known = {attribute.name for attribute in attrs.fields(quality.Assertion)}
    made = [
        quality.Assertion(**{name: value for name, value in asdict(assertion).items() if name in known})
        for assertion in assertions
    ]
    facets: dict[str, Any] = {}
    if made:
        facets["dataQualityAssertions"] = quality.DataQualityAssertionsDatasetFacet(assertions=made)
    if rows is not None:
        facets["dataQualityMetrics"] = metrics.DataQualityMetricsInputDatasetFacet(
            columnMetrics={}, rowCount=rows
        )
    return facets
