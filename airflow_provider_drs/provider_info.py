"""
The provider's metadata for Airflow.

Airflow reads it before its own settings exist: import nothing of Airflow here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_drs import __version__

_INTEGRATION = "Data Replication Service (DRS)"


#: Airflow 3.2 and later can fold sections; earlier versions show the fields in the same order without
#: headings.
_ACCOUNT, _NETWORK, _CALLS = "Cloud and account", "Endpoints and network", "Calls"


def _field(kind: str, section: str, label: str, description: str, **schema: Any) -> dict[str, Any]:
    return {
        "label": label,
        "description": description,
        "schema": {"type": [kind, "null"], "section": section, **schema},
    }


def _text(section: str, label: str, description: str, **schema: Any) -> dict[str, Any]:
    return _field("string", section, label, description, **schema)


def _choice(section: str, label: str, description: str, choices: Mapping[str, str]) -> dict[str, Any]:
    """Return a field with choices and their labels. The first choice is the default."""
    words = [*choices]
    shown = dict(choices)
    return _text(section, label, description, default=words[0], enum=words, values_display=shown)


def _number(label: str, description: str, default: int, **schema: Any) -> dict[str, Any]:
    return _field("integer", _CALLS, label, description, default=default, **schema)


#: The fields of the connection's extra, as Airflow 3.2 and later read them for the form. For earlier versions
#: the hook builds the form from this table.
CONNECTION_FIELDS: dict[str, dict[str, Any]] = {
    "auth": _choice(
        _ACCOUNT,
        "Authentication",
        "The kind of credentials in login and password. A token also requires the project ID.",
        {
            "password": "password: IAM user and password",
            "aksk": "aksk: access key and secret key",
            "token": "token: IAM token (in the password field)",
            "metadata": "metadata: keys of the cloud server, without login and password",
        },
    ),
    "cloud": _choice(
        _ACCOUNT,
        "Cloud",
        "Cloud and region determine the endpoints of DRS and IAM.",
        {"otc": "otc: Open Telekom Cloud", "huaweicloud": "huaweicloud: Huawei Cloud"},
    ),
    "region": _text(
        _ACCOUNT, "Region", "The region of the jobs, for example eu-de or eu-nl.", examples=["eu-de", "eu-nl"]
    ),
    "domain_name": _text(
        _ACCOUNT,
        "Account name (domain)",
        "The account that owns the IAM user, for example OTC-EU-DE-00000000001000000000. "
        "Set this or the account ID.",
    ),
    "domain_id": _text(_ACCOUNT, "Account ID (domain)", "Alternative to the account name."),
    "project_name": _text(
        _ACCOUNT,
        "Project name",
        "The project of the jobs, for example eu-de_shop. Default: the region.",
    ),
    "project_id": _text(_ACCOUNT, "Project ID", "Alternative to the project name. Required with a token."),
    "security_token": _text(
        _ACCOUNT,
        "Security token",
        "Belongs to a temporary access key and secret key (aksk only).",
        format="password",
    ),
    "agency_name": _text(
        _ACCOUNT,
        "Agency name",
        "Act in another account through this IAM agency (password or token only).",
    ),
    "agency_domain_name": _text(
        _ACCOUNT,
        "Account name of the agency",
        "The account that has created the agency, and owns the project.",
    ),
    "iam_endpoint": _text(_NETWORK, "IAM endpoint", "Base URL of IAM. Default: from cloud and region."),
    "metadata_endpoint": _text(
        _NETWORK,
        "Metadata endpoint",
        "Base URL of the metadata service (metadata only). Default: http://169.254.169.254.",
    ),
    "console_url": _text(
        _NETWORK, "Console URL", "Base URL of the cloud's console, for links. Default: from the cloud."
    ),
    "verify": _text(
        _NETWORK,
        "Verify TLS",
        "true, false, or the path of a CA bundle on the machines that run Airflow.",
        default="true",
        examples=["true", "false", "/etc/ssl/certs/ca-certificates.crt"],
    ),
    # It may contain a password.
    "proxy": _text(
        _NETWORK,
        "Proxy",
        "URL of a proxy, for example http://proxy.example:3128, with user:password@ if required. "
        "Default: HTTPS_PROXY and NO_PROXY of the environment.",
        format="password",
    ),
    "allow_http": _field(
        "boolean",
        _NETWORK,
        "Allow plain http",
        "Allow credentials to be sent to other machines without TLS. Not for production.",
        default=False,
    ),
    "language": _choice(
        _CALLS,
        "Language",
        "Language of the service's messages.",
        {"en-us": "en-us: English", "zh-cn": "zh-cn: Chinese"},
    ),
    "connect_timeout": _number("Connect timeout", "Seconds to wait for a connection.", 10, minimum=1),
    "read_timeout": _number(
        "Read timeout", "Seconds to wait for the next bytes of a response.", 60, minimum=1
    ),
    "retry_timeout": _number(
        "Retry timeout", "Maximum seconds for one call, including its retries.", 300, minimum=1
    ),
    "batch_size": _number(
        "Batch size",
        "Maximum number of jobs in a request that changes jobs, 1 to 100.",
        10,
        minimum=1,
        maximum=100,
    ),
    "poll_batch_size": _number(
        "Poll batch size",
        "Maximum number of jobs in a request that reads jobs, 1 to 100.",
        50,
        minimum=1,
        maximum=100,
    ),
    "parallel_requests": _number(
        "Parallel requests",
        "Maximum number of requests of one call that are sent side by side, 1 to 16.",
        4,
        minimum=1,
        maximum=16,
    ),
}

FIELD_BEHAVIOUR: dict[str, Any] = {
    # extra is not hidden: without it the Test button of Airflow 2.11 fails silently. port is not hidden:
    # Airflow 3.3.1 and 3.3.2 reject a connection without one.
    "hidden-fields": ["schema"],
    "relabeling": {
        "host": "DRS endpoint",
        "port": "Port of the endpoint",
        "login": "User or access key",
        "password": "Password or secret key",
        "extra": "Extra, as JSON (use the fields below instead)",
    },
    # Airflow 3 shows placeholders for its own fields only.
    "placeholders": {
        "host": "default: from cloud and region",
        "port": "443",
        "login": "IAM user name or access key; empty with a token or metadata",
        "password": "IAM user's password, secret key or token; empty with metadata",
        "region": "eu-de",
        "domain_name": "OTC-EU-DE-00000000001000000000",
        "domain_id": "alternative to the account name",
        "project_name": "default: the region",
        "project_id": "alternative to the project name",
        "security_token": "only with a temporary access key",
        "agency_name": "only to act in another account",
        "agency_domain_name": "only with an agency",
        "metadata_endpoint": "default: http://169.254.169.254",
        "iam_endpoint": "default: from cloud and region",
        "console_url": "default: from the cloud",
        "proxy": "default: from the environment",
    },
}


_URI_SCHEMES = [{"schemes": ["drs"], "handler": "airflow_provider_drs.assets.drs.sanitize_uri"}]


def get_provider_info() -> dict[str, Any]:
    """Return the provider's metadata, for ``airflow providers`` and the UI."""
    return {
        "package-name": "airflow-provider-drs",
        "name": _INTEGRATION,
        "description": "Database migrations with the Data Replication Service, from creation to cutover.",
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
        # ``airflow drs``, in Airflow 3.2 and later.
        "cli": ["airflow_provider_drs.cli.airflow.get_commands"],
        "extra-links": [
            "airflow_provider_drs.links.drs.DrsConsoleLink",
            "airflow_provider_drs.links.drs.DrsReportLink",
        ],
        # Airflow 3 and 2.11 use different names.
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
