"""The endpoints of all regions that the vendor's SDK lists."""

from __future__ import annotations

from huaweicloudsdkdrs.v3.region.drs_region import DrsRegion

from airflow_provider_drs.protocol.connection.settings import _ZONE, Cloud


def test_endpoints_equal_those_of_the_sdk() -> None:
    listed = {name: region.endpoints[0] for name, region in DrsRegion.static_fields.items()}

    assert len(listed) > 30
    assert not [name for name in listed if _ZONE.fullmatch(name)]
    assert {name: Cloud.HUAWEI.endpoint("drs", name) for name in listed} == listed
