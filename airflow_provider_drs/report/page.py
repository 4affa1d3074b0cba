"""The page itself, and the headers that it and all it asks for are sent with."""

from __future__ import annotations

from pathlib import Path

STATIC = Path(__file__).parent / "static"
PAGE = STATIC / "page.html"

#: Nothing but our own files runs here, nothing is sent elsewhere, and only Airflow itself may frame it.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'self'",
    )
)

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    # What one viewer may see is for nobody else.
    "Cache-Control": "no-store",
}
