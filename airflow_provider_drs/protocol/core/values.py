"""The base of immutable values that cross XComs, triggers and trigger events as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import msgspec


class Value(msgspec.Struct, frozen=True):
    """An immutable value that converts to and from plain JSON values."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        fields: dict[str, Any] = msgspec.to_builtins(self)
        return fields

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """
        Return the value that :meth:`to_dict` serialized.

        :raises TypeError: a field is missing or has the wrong type.
        """
        try:
            return msgspec.convert(fields, cls)
        except msgspec.ValidationError as error:
            raise TypeError(f"{cls.__name__}: {error}") from None
