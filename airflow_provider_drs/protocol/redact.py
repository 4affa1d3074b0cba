"""
Keeps secrets out of everything that is kept or shown.

Job details may echo ``db_password`` and certificate keys (drs_api_0151); texts may hold what a library
printed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

MASK = "***"

#: Every field of the API that is marked sensitive, and what we send of our own. Lower case, without
#: separators.
SECRET_FIELDS = frozenset(
    {
        "dbpassword",
        "sslcertpassword",
        "sslcertkey",
        "password",
        "secretkey",
        "token",
        "xauthtoken",
        "xsubjecttoken",
        "authorization",
    }
)

_SECRET_IN_TEXT = re.compile(
    r"""(?ix)
    (?P<name>
        (?:db[_-]?|ssl[_-]?cert[_-]?)?password | ssl[_-]?cert[_-]?key | secret[_-]?key
        | x-auth-token | x-subject-token | authorization | signature
    )
    (?P<glue>["']?\s*[:=]\s*)
    (?P<value>"[^"]*"? | '[^']*'? | (?:SDK-HMAC-SHA256\s+)?[^\s,;&}"']+(?:,\s*\w+=[^\s,;&}]+)*)
    """
)
# user:password@host in a URL, e.g. of a proxy.
_USERINFO = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://)[^/\s@]+@", re.IGNORECASE)


def is_secret_field(name: str) -> bool:
    """Whether a field of this name holds a secret, however it is spelt."""
    return name.lower().replace("_", "").replace("-", "") in SECRET_FIELDS


def redact(value: Any) -> Any:
    """Return a copy of a JSON value in which every secret field is masked, at any depth."""
    if isinstance(value, Mapping):
        return {
            name: MASK if is_secret_field(str(name)) and inner else redact(inner)
            for name, inner in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [redact(inner) for inner in value]
    return value


def redact_text(text: str) -> str:
    """Return *text* with the values of secret-looking fields and URL credentials masked."""
    text = _USERINFO.sub(rf"\g<scheme>{MASK}@", text)
    return _SECRET_IN_TEXT.sub(rf"\g<name>\g<glue>{MASK}", text)
