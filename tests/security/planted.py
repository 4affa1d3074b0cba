"""Secrets for both sweeps, with and without a running Airflow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from drs_emulator.http.iam import Iam, Metadata

from tests.security.canaries import Canaries

PEM = "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n"


def listen_for_tokens(canaries: Canaries, patch: pytest.MonkeyPatch) -> None:
    """Search for each token and secret key that an emulator in this process issues from now on."""

    def listen(owner: type, name: str, find: Callable[[Any], list[str]]) -> None:
        original = getattr(owner, name)

        def call(*arguments: Any, **options: Any) -> Any:
            issued = original(*arguments, **options)
            for secret in find(issued):
                canaries.add(f"issued {len(canaries.by_name)}", secret)
            return issued

        patch.setattr(owner, name, call)

    listen(Iam, "issue", lambda issued: [issued[0]])
    listen(Iam, "assume", lambda issued: [issued[0]])
    listen(Iam, "issue_keys", lambda keys: [keys.secret_key, keys.security_token])
    listen(Metadata, "open_session", lambda token: [token])


def make_database(name: str, canaries: Canaries) -> dict[str, Any]:
    """Return the connection of a database with a secret in each field that can hold one."""
    return {
        "conn_type": "mysql",
        "host": "192.0.2.1",
        "port": 3306,
        "login": "root",
        "password": canaries.make(f"{name}-password", awkward=True),
        "extra": {
            "inst_id": "in01",
            "region": "eu-de",
            "ssl_cert": PEM.format(canaries.make(f"{name}-certificate")),
            "ssl_cert_password": canaries.make(f"{name}-certificate-password"),
        },
    }
