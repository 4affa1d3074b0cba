"""Authentication: from the settings of a connection to what authorizes its requests."""

from __future__ import annotations

from dataclasses import replace

from airflow_provider_drs.protocol.connection import iam, metadata
from airflow_provider_drs.protocol.connection.grants import Grant, own_grant
from airflow_provider_drs.protocol.connection.settings import Auth, Settings
from airflow_provider_drs.protocol.core.wire import Conversation


def is_complete(settings: Settings) -> bool:
    """Whether the connection itself contains everything, so that nothing must be requested."""
    has_own_grant = settings.auth in (Auth.AKSK, Auth.TOKEN) and not settings.agency_name
    return has_own_grant and bool(settings.project_id)


def can_renew(settings: Settings) -> bool:
    """Whether a new token or new keys can be requested after the current ones were rejected."""
    return settings.auth in (Auth.PASSWORD, Auth.METADATA) or bool(settings.agency_name)


def obtain_grant(settings: Settings) -> Conversation[Grant]:
    """
    Request what authorizes requests to DRS.

    :raises DrsAuthError: IAM or the metadata service rejected the credentials.
    :raises DrsConfigError: IAM lists no project of the name.
    :raises DrsUnavailableError: no valid response within ``retry_timeout``.
    """
    if settings.agency_name:
        return (yield from iam.get_agency_token(settings))
    if settings.auth is Auth.PASSWORD:
        return (yield from iam.get_token(settings))
    grant = own_grant(settings)
    if settings.auth is Auth.METADATA:
        grant = yield from metadata.get_keys(settings)
    if grant.keys is None or settings.project_id:
        return replace(grant, project_id=settings.project_id)
    return replace(grant, project_id=(yield from iam.find_project(settings, grant.keys)))
