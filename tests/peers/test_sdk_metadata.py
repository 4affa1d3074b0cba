"""The vendor's SDK reads the keys of the emulator's metadata service, as the hooks do."""

from __future__ import annotations

import datetime

import pytest
from drs_emulator import Emulator
from huaweicloudsdkcore.auth.internal import MetadataAccessor
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException

from airflow_provider_drs.protocol.connection.metadata import get_keys
from airflow_provider_drs.protocol.connection.settings import read_settings
from airflow_provider_drs.transport.sync import SyncClient


@pytest.fixture(autouse=True)
def _metadata_of_the_emulator(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MetadataAccessor, "_METADATA_ENDPOINT", emulator.url)


@pytest.mark.parametrize("mode", ["open", "session"])
def test_sdk_and_hook_read_the_same_keys(emulator: Emulator, mode: str) -> None:
    emulator.set_iam(metadata=mode)
    extra = {"auth": "metadata", "region": "eu-de", "metadata_endpoint": emulator.url}
    settings = read_settings("c", host="", port=None, login="", password="", extra=extra)
    client = SyncClient(settings)

    ours = client.run(get_keys(settings))
    theirs = MetadataAccessor().get_credential()

    assert ours.keys is not None
    assert (ours.keys.access_key, ours.keys.secret_key) == (theirs.access, theirs.secret)
    assert ours.keys.security_token == theirs.security_token
    expires_at = datetime.datetime.fromtimestamp(theirs.expire_at, datetime.UTC).timestamp()
    assert ours.lifetime_s == pytest.approx(expires_at - emulator.now, abs=60)
    client.close()


def test_sdk_recognizes_a_server_without_an_agency(emulator: Emulator) -> None:
    emulator.set_iam(metadata="no-agency")

    with pytest.raises(ClientRequestException, match="Please configure Cloud Service Agency first"):
        MetadataAccessor().get_credential()
    assert not emulator.journal("GetMetadataToken")[1:]
