"""The connection of the command line: its sources and their precedence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from drs_emulator import Emulator

from airflow_provider_drs.cli.commands import VARIABLES
from airflow_provider_drs.cli.connection import find_settings
from airflow_provider_drs.protocol.core.errors import DrsConfigError
from airflow_provider_drs.provider_info import CONNECTION_FIELDS
from dev.stacks.airflow_database import make_database
from tests.cli.conftest import Drs

SECRET = "canary-77-not-real"


def _variables(emulator: Emulator) -> dict[str, str]:
    extra = {f"DRS_{name.upper()}": str(value) for name, value in emulator.connection["extra"].items()}
    fields = {f"DRS_{name.upper()}": emulator.connection[name] for name in ("host", "login", "password")}
    return extra | fields


def test_every_connection_field_is_a_variable() -> None:
    fields = {f"DRS_{name.upper()}" for name in CONNECTION_FIELDS}

    assert VARIABLES.keys() == fields | {"DRS_HOST", "DRS_LOGIN", "DRS_PASSWORD"}


def test_empty_connection_is_rejected(drs: Drs, emulator: Emulator) -> None:
    """An unset variable of a shell must not select another account."""
    done = drs("status", emulator.job_ids[0], "--conn-id", "")

    assert (done.code, emulator.journal()) == (2, [])
    assert "--conn-id is empty" in done.err


def test_unknown_variables_are_reported(
    drs: Drs, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**_variables(emulator), "DRS_VERFY": "false", "DRS_QUIET_ZONE": SECRET}.items():
        monkeypatch.setenv(name, value)

    done = drs("status", emulator.job_ids[0], "--json")

    assert (done.code, done.document["exit_code"]) == (0, 0)
    assert "variable DRS_VERFY is unknown and ignored. Did you mean DRS_VERIFY?" in done.err
    assert "variable DRS_QUIET_ZONE is unknown" in done.err
    assert SECRET not in done.err


def test_variables_override_the_default_connection(
    drs: Drs, emulator: Emulator, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(host="http://127.0.0.1:1", extra={"retry_timeout": 1})
    for name, value in _variables(emulator).items():
        monkeypatch.setenv(name, value)

    assert drs("status", emulator.job_ids[0]).code == 0
    assert drs("status", emulator.job_ids[0], "--conn-id", "drs_default").code == 3


def test_variables_of_every_kind_are_read() -> None:
    settings = find_settings(
        None,
        {
            "DRS_AUTH": "token",
            "DRS_PASSWORD": SECRET,
            "DRS_REGION": "eu-nl",
            "DRS_PROJECT_ID": "0" * 32,
            "DRS_READ_TIMEOUT": "7",
            "DRS_BATCH_SIZE": "20",
            "DRS_VERIFY": "false",
        },
    )

    assert settings.drs_url == "https://drs.eu-nl.otc.t-systems.com"
    assert (settings.read_timeout_s, settings.batch_size, settings.verify) == (7.0, 20, False)


def test_error_names_the_variable() -> None:
    with pytest.raises(DrsConfigError, match="the project is missing. Set DRS_REGION") as caught:
        find_settings(None, {"DRS_LOGIN": "user", "DRS_PASSWORD": SECRET, "DRS_DOMAIN_NAME": "domain"})

    assert "extra" not in str(caught.value)
    assert SECRET not in str(caught.value)


def test_error_names_the_variable_of_a_field_of_the_connection() -> None:
    with pytest.raises(DrsConfigError, match="^DRS_LOGIN is empty. With DRS_AUTH=password"):
        find_settings(None, {"DRS_REGION": "eu-de"})


def test_connection_uri(drs: Drs, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    from urllib.parse import quote, urlencode

    fields = emulator.connection
    host = quote(fields["host"], safe="")
    uri = f"drs://{fields['login']}:{fields['password']}@{host}/?{urlencode(fields['extra'])}"
    monkeypatch.setenv("AIRFLOW_CONN_EMULATED", uri)

    assert drs("status", emulator.job_ids[0], "--conn-id", "emulated").code == 0


@pytest.mark.system
def test_connection_in_airflow_database(tmp_path: Any, emulator: Emulator) -> None:
    import os

    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "DRS_"))
    }
    environment |= {
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__FERNET_KEY": "Zm9yLXRlc3RzLW9ubHktLS0tLS0tLS0tLS0tLS0tLS0=",
    }

    def airflow(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-W", "ignore", "-m", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    make_database(
        tmp_path / "airflow.db", Path(sys.executable).parent, lambda: airflow("airflow", "db", "migrate")
    )
    added = airflow("airflow", "connections", "add", "kept", "--conn-json", emulator.connection_json)
    assert added.returncode == 0, added.stderr

    done = airflow("airflow_provider_drs.cli", "status", emulator.job_ids[0], "--conn-id", "kept", "--json")

    assert done.returncode == 0, done.stderr
    assert '"status": "CONFIGURATION"' in done.stdout


@pytest.mark.parametrize("text", ["{", "[1]", '{"extra": "{"}', "drs://host:port-not-real/"])
def test_invalid_connection_variable(drs: Drs, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_BAD", text)

    done = drs("status", "x", "--conn-id", "bad")

    assert done.code == 2
    assert "connection 'bad'" in done.err
