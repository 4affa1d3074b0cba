"""
Checks responses against the OpenAPI document of the service.

A field that the document does not name is an error like a field of the wrong type, except in the rejection of
a single job, whose shape no page documents.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

PATH = Path(__file__).with_name("drs-v3.openapi.yaml")

#: Shapes that are known only from the vendor's tools, which accept more fields.
_OPEN_SHAPES = frozenset({"BatchErrorResponse"})


class ContractError(AssertionError):
    """A response is not as documented; the message lists each deviation."""


@lru_cache(maxsize=1)
def load_document() -> dict[str, Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    document: dict[str, Any] = yaml.load(PATH.read_text("utf-8"), Loader=loader)  # noqa: S506 - our own file
    return document


@lru_cache(maxsize=1)
def load_operations() -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Return method, path and description of each operation by its ID."""
    return {
        description["operationId"]: (method.upper(), path, description)
        for path, methods in load_document()["paths"].items()
        for method, description in methods.items()
        if method in {"get", "put", "post", "delete"}
    }


def check_response(
    operation_id: str,
    status: int,
    body: bytes | str | Mapping[str, Any],
    headers: Mapping[str, str] | None = None,
) -> None:
    """
    Check that a response is documented: its status, its fields, and no others.

    :param body: the body, encoded or decoded.
    :param headers: if given, the content type and the required headers are checked as well.
    :raises ContractError: it is not.
    :raises KeyError: the document has no such operation.
    """
    response = _find_response(operation_id, status)
    document = _decode(operation_id, body) if isinstance(body, bytes | str) else body
    faults = [*_find_faults(operation_id, status, document)]
    if headers is not None:
        faults += _find_header_faults(response, headers)
    if faults:
        raise ContractError(f"{operation_id} returned {status}: " + "; ".join(faults))


def is_success(operation_id: str, status: int) -> bool:
    """Whether the document names this status as that of success."""
    return status < 300 and str(status) in load_operations()[operation_id][2]["responses"]


def _find_response(operation_id: str, status: int) -> dict[str, Any]:
    responses = load_operations()[operation_id][2]["responses"]
    if str(status) not in responses and (status < 400 or "default" not in responses):
        raise ContractError(f"{operation_id} documents no status {status}")
    key = str(status) if str(status) in responses else "default"
    response: dict[str, Any] = responses[key]
    return _follow(response["$ref"]) if "$ref" in response else response


def _follow(reference: str) -> dict[str, Any]:
    found: Any = load_document()
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    result: dict[str, Any] = found
    return result


def _decode(operation_id: str, body: bytes | str) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        raise ContractError(f"{operation_id} returned something other than JSON: {body[:80]!r}") from None


@lru_cache(maxsize=256)
def _make_validator(operation_id: str, status: int) -> Draft202012Validator:
    response = _find_response(operation_id, status)
    schema = response["content"]["application/json"]["schema"]
    root = {**_close(schema), "components": {"schemas": _load_closed_schemas()}}
    return Draft202012Validator(root, format_checker=Draft202012Validator.FORMAT_CHECKER)


@lru_cache(maxsize=1)
def _load_closed_schemas() -> dict[str, Any]:
    schemas = load_document()["components"]["schemas"]
    return {name: schema if name in _OPEN_SHAPES else _close(schema) for name, schema in schemas.items()}


def _close(schema: Any) -> Any:
    """Return the schema with all objects closed to fields that they do not name."""
    if isinstance(schema, list):
        return [_close(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _close(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and "additionalProperties" not in schema:
        closed["unevaluatedProperties"] = False
    return closed


def _find_faults(operation_id: str, status: int, document: Any) -> Iterator[str]:
    for error in _make_validator(operation_id, status).iter_errors(document):
        yield f"at {error.json_path}: {error.message}"


def _find_header_faults(response: Mapping[str, Any], headers: Mapping[str, str]) -> Iterator[str]:
    present = {name.lower(): value for name, value in headers.items()}
    if not present.get("content-type", "").startswith("application/json"):
        yield f"its content type is {present.get('content-type')!r}"
    for name, facts in response.get("headers", {}).items():
        if facts.get("required") and not present.get(name.lower()):
            yield f"it has no header {name}"
