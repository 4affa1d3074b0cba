"""Airflow connections for the databases of the example DAGs. The emulator does not connect to them."""

from __future__ import annotations

import json
from typing import Any

#: Not a real password; tests search for it where it must not be.
PASSWORD = "not-a-real-password-of-a-database"
CLOUD = {
    "inst_id": "e05a3679efe241d8b5dee80b17c1a863in01",
    "region": "eu-de",
    "vpc_id": "0a7f4b1c-vpc",
    "subnet_id": "352ad828-3467-4f03-987a-c55a5a9dd417",
}


def _describe(kind: str, host: str, port: int, extra: dict[str, Any] | None = None) -> str:
    connection = {"conn_type": kind, "host": host, "port": port, "login": "drs", "password": PASSWORD}
    return json.dumps({**connection, "extra": extra or {}})


CONNECTIONS = {
    "shop_source": _describe("mysql", "192.0.2.11", 3306),
    "shop_target": _describe("mysql", "192.0.2.12", 3306, CLOUD),
    "orders_source": _describe("postgres", "192.0.2.21", 5432),
    "orders_target": _describe("postgres", "192.0.2.22", 5432, CLOUD),
    "billing_source": _describe("postgres", "192.0.2.23", 5432),
    "billing_target": _describe("postgres", "192.0.2.24", 5432, CLOUD),
    "catalog_source": _describe("mongo", "192.0.2.31,192.0.2.32", 27017),
    "catalog_target": _describe("mongo", "192.0.2.33", 8635, CLOUD),
    "ledger_there": _describe("mysql", "192.0.2.41", 3306),
    "ledger_here": _describe("mysql", "192.0.2.42", 3306, CLOUD),
}


def make_environment() -> dict[str, str]:
    """Return the environment variables that define the connections."""
    return {f"AIRFLOW_CONN_{name.upper()}": connection for name, connection in CONNECTIONS.items()}
