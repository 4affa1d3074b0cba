"""Permissions of operators and sensors by cloud."""

from __future__ import annotations

from airflow_provider_drs.operators import drs as operators
from airflow_provider_drs.protocol.connection.permissions import permissions_by_face, permissions_of
from airflow_provider_drs.protocol.connection.settings import Cloud
from airflow_provider_drs.protocol.core.errors import make_error
from airflow_provider_drs.protocol.core.operations import OPERATIONS
from airflow_provider_drs.sensors import drs as sensors


def test_every_operation_operator_and_sensor_has_permissions() -> None:
    for cloud in Cloud:
        assert all(permissions_of(name, cloud) for name in OPERATIONS)
        assert permissions_by_face(cloud).keys() == {*operators.__all__, *sensors.__all__}


def test_permissions_of_a_start_include_the_reads() -> None:
    needed = {"drs:migrationJob:get", "drs:migrationJob:action", "drs:precheckJob:get"}

    assert set(permissions_by_face(Cloud.OTC)["DrsStartJobsOperator"]) == needed


def test_remedies_of_permissions() -> None:
    scheduled = make_error("x", error_msg="Can not get agency token.")

    assert "Security Administrator" in str(scheduled)
    assert "drs doctor --permissions" in str(make_error("x", error_code="DRS.M00103"))
