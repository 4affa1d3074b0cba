"""A task that has something to tell OpenLineage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import TypeAlias

    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_drs.hooks.drs import DrsHook
    from airflow_provider_drs.protocol.watches import Watch

    Lineage: TypeAlias = OperatorLineage[Any, Any]


class HasLineage:
    """
    Finds out what there is to tell while the task works, since nothing can be asked when it ends.

    Without OpenLineage it does nothing, and with it, it never fails; see :mod:`airflow_provider_drs.lineage`.
    """

    _lineage: Lineage | None = None

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Lineage | None:
        """Return what was found out. OpenLineage asks when the task ends, well or not."""
        return self._lineage

    def _tell_replication(self, job_ids: Iterable[str], rows: Sequence[Mapping[str, Any]] = ()) -> None:
        """Tell that the data of jobs goes from one end to the other."""
        from airflow_provider_drs import lineage

        self._lineage = lineage.tell_replication(self._open_hook(), job_ids, rows)

    def _tell_prechecks(self, watch: Watch) -> None:
        """Tell what the pre-checks of jobs say of their databases."""
        from airflow_provider_drs import lineage
        from airflow_provider_drs.protocol.watches import PrecheckWatch

        if isinstance(watch, PrecheckWatch):
            self._lineage = lineage.tell_prechecks(self._open_hook(), watch.reports)

    def _tell_comparisons(self, watch: Watch) -> None:
        """Tell what comparisons say of the data at both ends of jobs."""
        from airflow_provider_drs import lineage
        from airflow_provider_drs.protocol.watches import ComparisonWatch

        if isinstance(watch, ComparisonWatch):
            self._lineage = lineage.tell_comparisons(self._open_hook(), watch.ended)

    def _open_hook(self) -> DrsHook:
        raise NotImplementedError
