"""Secrets for both sweeps, with and without a running Airflow."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_drs.emulator.http.iam import Iam
from tests.security.canaries import Canaries

PEM = "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n"


def listen_for_tokens(canaries: Canaries, patch: pytest.MonkeyPatch) -> None:
    """Search for each token that an emulator in this process issues from now on."""
    issue = Iam.issue

    def listen(self: Iam, *arguments: Any, **options: Any) -> Any:
        token, document = issue(self, *arguments, **options)
        canaries.add(f"token {len(canaries.by_name)}", token)
        return token, document

    patch.setattr(Iam, "issue", listen)


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
