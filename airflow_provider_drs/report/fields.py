"""The fields of a report: texts of limited length, numbers, and links to manuals."""

from __future__ import annotations

from urllib.parse import urlsplit

from airflow_provider_drs.protocol.prechecks.checks import MANUAL_URL

#: The hosts of the services' manuals, to which a link of a report may lead.
LINK_HOSTS = frozenset({urlsplit(MANUAL_URL).hostname, "support.huaweicloud.com"})

#: The limit of a text in a report; DRS returns up to 500 characters.
_LONGEST_TEXT = 2000


def check_link(address: object) -> str:
    """Return a URL that a report may link to, else an empty string."""
    try:
        parts = urlsplit(address if isinstance(address, str) else "")
        place = (parts.scheme, parts.username, parts.password, parts.port or 443)
    except ValueError:
        return ""
    is_allowed = place == ("https", None, None, 443) and parts.hostname in LINK_HOSTS
    return str(address) if is_allowed else ""


def read_text(value: object) -> str:
    """Return a value as a text of limited length."""
    text = value if isinstance(value, str) else "" if value is None else str(value)
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]} …"


def read_number(value: object) -> float | None:
    """Return a number that JSON supports; ``None`` for anything else."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    # JSON has neither infinity nor NaN.
    return value if is_number and abs(value) < 1e9 else None  # type: ignore[arg-type, return-value]
