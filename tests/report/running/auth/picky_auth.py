"""
An auth manager for Airflow 3 with permissions per DAG and per part of a DAG.

Airflow's simple auth manager, on which it is based, has neither.
"""

from __future__ import annotations

from typing import Any

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

#: The one DAG that the user ``stranger`` may read.
OTHER_DAG = "another_dag"


class PickyAuthManager(SimpleAuthManager):
    """The user ``stranger`` may read one DAG; ``blind`` may read every DAG, but no XCom."""

    def is_authorized_dag(
        self, *, method: Any, user: Any, access_entity: Any = None, details: Any = None
    ) -> bool:
        """Whether a user may access a DAG or a part of it."""
        if user.username == "stranger" and (details is None or details.id != OTHER_DAG):
            return False
        if user.username == "blind" and access_entity == DagAccessEntity.XCOM:
            return False
        return super().is_authorized_dag(
            method=method, user=user, access_entity=access_entity, details=details
        )
