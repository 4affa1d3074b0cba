"""
What Airflow asks a provider about itself.

Airflow calls this before its own settings exist: import nothing of it.
"""

from __future__ import annotations

from typing import Any

from airflow_provider_drs import __version__

_INTEGRATION = "Data Replication Service (DRS)"


def _text(label: str, description: str, **schema: Any) -> dict[str, Any]:
    return {"label": label, "description": description, "schema": {"type": ["string", "null"], **schema}}


def _number(label: str, description: str, **schema: Any) -> dict[str, Any]:
    return {"label": label, "description": description, "schema": {"type": ["integer", "null"], **schema}}


def _flag(label: str, description: str) -> dict[str, Any]:
    return {
        "label": label,
        "description": description,
        "schema": {"type": ["boolean", "null"], "default": False},
    }


#: The fields that a connection has in its extra, as Airflow 3.2 and later read them for the form in the UI.
#: Earlier versions ask the hook, which answers from this table.
CONNECTION_FIELDS: dict[str, dict[str, Any]] = {
    "auth": _text(
        "Authentication",
        "password: IAM user and password. aksk: access key as login, secret key as password. "
        "token: an IAM token as password.",
        default="password",
        enum=["password", "aksk", "token"],
    ),
    "cloud": _text(
        "Cloud",
        "Whose endpoints to derive from the region: Open Telekom Cloud or Huawei Cloud.",
        default="otc",
        enum=["otc", "huaweicloud"],
    ),
    "region": _text("Region", "For example eu-de or eu-nl."),
    "domain_name": _text("Domain name", "The account that owns the IAM user. Give this or the domain id."),
    "domain_id": _text("Domain id", "Instead of the domain name."),
    "project_name": _text("Project name", "Scope of the token. Default: the region."),
    "project_id": _text("Project id", "Scope of the calls. Needed with aksk and token; else IAM tells it."),
    "iam_endpoint": _text(
        "IAM endpoint", "IAM base URL, if it is not the one that follows from region and cloud."
    ),
    "language": _text(
        "Language", "Language of the service's messages.", default="en-us", enum=["en-us", "zh-cn"]
    ),
    "verify": _text("Verify TLS", "true, false, or the path of a CA bundle.", default="true"),
    "proxy": _text("Proxy", "Proxy URL. HTTPS_PROXY and NO_PROXY of the environment work too."),
    "connect_timeout": _number("Connect timeout", "Seconds to wait for a connection.", default=10),
    "read_timeout": _number("Read timeout", "Seconds to wait for bytes of an answer.", default=60),
    "retry_timeout": _number(
        "Retry timeout", "Seconds that one call may take, all tries together.", default=300
    ),
    "batch_size": _number(
        "Batch size", "Jobs per writing call, 1 to 100.", default=10, minimum=1, maximum=100
    ),
    "poll_batch_size": _number(
        "Poll batch size", "Jobs per reading call, 1 to 100.", default=50, minimum=1, maximum=100
    ),
    "console_url": _text(
        "Console URL", "Base URL of the cloud's console, for links, if it is not the one of the cloud."
    ),
    "allow_http": _flag("Allow plain http", "Send credentials over http to other hosts than this one."),
}

FIELD_BEHAVIOUR: dict[str, Any] = {
    "hidden-fields": ["schema", "port", "extra"],
    "relabeling": {
        "host": "DRS endpoint",
        "login": "User or access key",
        "password": "Password, secret key or token",
    },
    "placeholders": {"host": "empty: derived from region and cloud", "login": "IAM user name"},
}


_URI_SCHEMES = [{"schemes": ["drs"], "handler": "airflow_provider_drs.assets.drs.sanitize_uri"}]


def get_provider_info() -> dict[str, Any]:
    """Return the provider's description for ``airflow providers`` and the UI."""
    return {
        "package-name": "airflow-provider-drs",
        "name": _INTEGRATION,
        "description": "Database migrations with the Data Replication Service, from creation to cut-over.",
        "versions": [__version__],
        "integrations": [
            {
                "integration-name": _INTEGRATION,
                "external-doc-url": "https://docs.otc.t-systems.com/data-replication-service/",
                "tags": ["service"],
            }
        ],
        "operators": [
            {"integration-name": _INTEGRATION, "python-modules": ["airflow_provider_drs.operators.drs"]}
        ],
        "sensors": [
            {"integration-name": _INTEGRATION, "python-modules": ["airflow_provider_drs.sensors.drs"]}
        ],
        "hooks": [{"integration-name": _INTEGRATION, "python-modules": ["airflow_provider_drs.hooks.drs"]}],
        "triggers": [
            {"integration-name": _INTEGRATION, "python-modules": ["airflow_provider_drs.triggers.drs"]}
        ],
        # ``airflow drs``, from Airflow 3.2 on.
        "cli": ["airflow_provider_drs.cli.airflow.get_commands"],
        "extra-links": [
            "airflow_provider_drs.links.drs.DrsConsoleLink",
            "airflow_provider_drs.links.drs.DrsReportLink",
        ],
        # Airflow 3 and 2.11 call the same thing by two names.
        **dict.fromkeys(("asset-uris", "dataset-uris"), _URI_SCHEMES),
        "connection-types": [
            {
                "connection-type": "drs",
                "hook-class-name": "airflow_provider_drs.hooks.drs.DrsHook",
                "hook-name": _INTEGRATION,
                "conn-fields": CONNECTION_FIELDS,
                "ui-field-behaviour": FIELD_BEHAVIOUR,
            }
        ],
    }
