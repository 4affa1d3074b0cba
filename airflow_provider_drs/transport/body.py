"""Collects the body of a response within the size limit, and decodes it if a gateway has compressed it."""

from __future__ import annotations

import zlib

from airflow_provider_drs.protocol.core.wire import LARGEST_BODY

# zlib detects the header of gzip and of zlib (deflate).
_ANY_HEADER = zlib.MAX_WBITS | 32
_CODINGS = frozenset({"gzip", "x-gzip", "deflate"})


class Body:
    """
    The body of one response.

    Requests ask for an uncompressed body, but some gateways compress all responses. Decoding stops at the
    limit, so a body that expands a thousandfold takes no more memory than an uncompressed one.

    :param coding: the response's Content-Encoding. Other codings than gzip and deflate are not decoded.
    """

    def __init__(self, coding: str | None) -> None:
        self._is_compressed = (coding or "").strip().lower() in _CODINGS
        self._decoder = zlib.decompressobj(_ANY_HEADER)
        self._pieces: list[bytes] = []
        self._size = 0

    def add(self, piece: bytes) -> bool:
        """
        Add a piece of the body, and return whether the body is within the limit.

        :raises ValueError: the compressed data is invalid.
        """
        while piece:
            found, piece = (piece, b"") if not self._is_compressed else self._decode(piece)
            self._pieces.append(found)
            self._size += len(found)
            if self._size > LARGEST_BODY:
                return False
        return True

    def join(self) -> bytes:
        """
        Return the whole body.

        :raises ValueError: the compressed data ends too early.
        """
        if self._is_compressed and self._pieces and not self._decoder.eof:
            raise ValueError("the compressed body is incomplete")
        return b"".join(self._pieces)

    def remove_coding(self, headers: dict[str, str]) -> dict[str, str]:
        """Return the headers of the decoded response."""
        if self._is_compressed:
            headers.pop("content-encoding", None)
        return headers

    def _decode(self, piece: bytes) -> tuple[bytes, bytes]:
        """Return the decoded data, and what is left of the piece."""
        if self._decoder.eof:
            # A gzip body can have several members.
            self._decoder = zlib.decompressobj(_ANY_HEADER)
        try:
            found = self._decoder.decompress(piece, LARGEST_BODY + 1 - self._size)
        except zlib.error:
            raise ValueError("the compressed body is invalid") from None
        return found, self._decoder.unused_data or self._decoder.unconsumed_tail
