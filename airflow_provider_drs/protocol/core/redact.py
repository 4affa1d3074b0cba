"""
Remove secrets from everything that is stored or shown.

Job details may contain ``db_password`` and certificate keys (drs_api_0151); texts may contain output of
libraries.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

MASK = "***"

#: Every field of the API that is marked as sensitive, and fields that this provider sends. Lower case,
#: without separators.
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

# A quoted value ends with its quote, or within JSON in a text with an escaped quote, and includes what
# follows the quote directly. An unquoted value continues after a separator unless another name follows.
_SECRET_IN_TEXT = re.compile(
    r"""(?ix)
    (?P<name>
        (?:db[_-]?|ssl[_-]?cert[_-]?)?password | passwd | pwd | ssl[_-]?cert[_-]?key | secret[_-]?key
        | token | authorization | signature
    )
    (?P<glue>(?:\\*["'])?\s*[:=]\s*)
    (?P<value>
        (?:"(?:[^"\\]|\\.)*"? | '(?:[^'\\]|\\.)*'? | \\+"(?:[^"]|(?<=\\\\\\)")*"?)
        (?:[^\s,;&}"']|[,;&](?!\s|$|["']?\w+["']?\s*[:=]))*
        | SDK-HMAC-SHA256\s+[^\s,;&}]+(?:,\s*\w+=[^\s,;&}]+)*
        | (?:[^\s,;&}"']|[,;&](?!\s|$|["']?\w+["']?\s*[:=]))+
    )
    """
)
# user:password@host in a URL, up to the last @, because a password may contain @ and slashes. With a space or
# a quote it ends at the first @, unless that is a port. Bounded, so that no input takes long.
_USERINFO = re.compile(
    r"""(?ix)
    (?P<scheme>[a-z][a-z0-9+.-]{0,30}://)
    (?:
        (?:(?!://)[^\s"'<>]){1,512}
        | [^\s/:@"'<>\[]{1,128}:(?!\d{1,5}(?:[/\s?\#,;)]|$))[^\n@]{1,256}
    )@
    """
)


def is_secret_field(name: str) -> bool:
    """Whether a field with this name contains a secret, in any spelling."""
    return name.lower().replace("_", "").replace("-", "") in SECRET_FIELDS


def redact(value: Any) -> Any:
    """Return a copy of a JSON value with all secrets masked, in fields at any depth and in texts."""
    if isinstance(value, Mapping):
        return {
            name: MASK if is_secret_field(str(name)) and inner else redact(inner)
            for name, inner in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [redact(inner) for inner in value]
    return redact_text(value) if isinstance(value, str) else value


def redact_text(text: str) -> str:
    """Return *text* with the values of secret fields and URL credentials masked."""
    text = _SECRET_IN_TEXT.sub(rf"\g<name>\g<glue>{MASK}", text)
    return _USERINFO.sub(rf"\g<scheme>{MASK}@", text)
