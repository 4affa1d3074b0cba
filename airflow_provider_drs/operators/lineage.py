"""What tasks report to OpenLineage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import TypeAlias

    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_drs.hooks.drs import DrsHook
    from airflow_provider_drs.protocol.watches import Watch

    Lineage: TypeAlias = OperatorLineage[Any, Any]


class LineageMixin:
    """
    Records lineage while the task runs, because DRS cannot be called when the task ends.

    Has no effect without OpenLineage, and never fails the task; see :mod:`airflow_provider_drs.lineage`.
    """

    _lineage: Lineage | None = None

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Lineage | None:
        """Return what was recorded. OpenLineage calls this when the task succeeds or fails."""
        return self._lineage

    def _record_replication(self, job_ids: Iterable[str], rows: Sequence[Mapping[str, Any]] = ()) -> None:
        from airflow_provider_drs import lineage

        self._lineage = lineage.build_replication_lineage(self._open_hook(), job_ids, rows)

    def _record_prechecks(self, watch: Watch) -> None:
        from airflow_provider_drs import lineage
        from airflow_provider_drs.protocol.watches import PrecheckWatch

        if isinstance(watch, PrecheckWatch):
            self._lineage = lineage.build_precheck_lineage(self._open_hook(), watch.reports)

    def _record_comparisons(self, watch: Watch) -> None:
        from airflow_provider_drs import lineage
        from airflow_provider_drs.protocol.watches import ComparisonWatch

        if isinstance(watch, ComparisonWatch):
            self._lineage = lineage.build_comparison_lineage(self._open_hook(), watch.ended)

    def _open_hook(self) -> DrsHook:
        raise NotImplementedError
