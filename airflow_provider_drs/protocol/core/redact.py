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

# A value in quotes ends with its quote, and one in the quotes of JSON within a text with an escaped one. A
# bare one goes on behind a separator unless another name follows that.
_SECRET_IN_TEXT = re.compile(
    r"""(?ix)
    (?P<name>
        (?:db[_-]?|ssl[_-]?cert[_-]?)?password | passwd | pwd | ssl[_-]?cert[_-]?key | secret[_-]?key
        | token | authorization | signature
    )
    (?P<glue>(?:\\*["'])?\s*[:=]\s*)
    (?P<value>
        "(?:[^"\\]|\\.)*"?
        | '(?:[^'\\]|\\.)*'?
        | \\+"(?:[^"]|(?<=\\\\\\)")*"?
        | (?:SDK-HMAC-SHA256\s+)?
          (?:[^\s,;&}"']|[,;&](?!\s|$|["']?\w+["']?\s*[:=]))+
          (?:,\s*\w+=[^\s,;&}]+)*
    )
    """
)
# user:password@host in a URL, e.g. of a proxy; up to the last @, since a password may hold one, or a slash.
# One with a space or a quote in it ends at the first, unless it is a port. With bounds, so that a text that
# is made for it takes no long time.
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
    """Whether a field of this name holds a secret, however it is spelt."""
    return name.lower().replace("_", "").replace("-", "") in SECRET_FIELDS


def redact(value: Any) -> Any:
    """Return a copy of a JSON value with every secret masked: fields at any depth, and within texts."""
    if isinstance(value, Mapping):
        return {
            name: MASK if is_secret_field(str(name)) and inner else redact(inner)
            for name, inner in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [redact(inner) for inner in value]
    return redact_text(value) if isinstance(value, str) else value


def redact_text(text: str) -> str:
    """Return *text* with the values of secret-looking fields and URL credentials masked."""
    text = _SECRET_IN_TEXT.sub(rf"\g<name>\g<glue>{MASK}", text)
    return _USERINFO.sub(rf"\g<scheme>{MASK}@", text)
