"""What may stand in a field of a report: texts of bearable length, numbers, and links to the manuals."""

from __future__ import annotations

from urllib.parse import urlsplit

from airflow_provider_drs.protocol.prechecks.checks import MANUAL_URL

#: The only hosts that a link of a report may lead to: those of the services' own manuals.
LINK_HOSTS = frozenset({urlsplit(MANUAL_URL).hostname, "support.huaweicloud.com"})

#: A text of a report is cut here; DRS itself sends 500 characters.
_LONGEST_TEXT = 2000


def check_link(address: object) -> str:
    """Return an address that a report may link to, else nothing."""
    try:
        parts = urlsplit(address if isinstance(address, str) else "")
        place = (parts.scheme, parts.username, parts.password, parts.port or 443)
    except ValueError:
        return ""
    is_good = place == ("https", None, None, 443) and parts.hostname in LINK_HOSTS
    return str(address) if is_good else ""


def read_text(value: object) -> str:
    """Return anything as a text of bearable length."""
    text = value if isinstance(value, str) else "" if value is None else str(value)
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]} …"


def read_number(value: object) -> float | None:
    """Return a number that JSON can hold; ``None`` for anything else."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    # Neither infinity nor what is no number is JSON.
    return value if is_number and abs(value) < 1e9 else None  # type: ignore[arg-type, return-value]
