"""
Writes docs/public_interface.txt: a line for each public name.

    make interface

The file has the interface of the latest release. A test compares it with the code, and fails if a change is
not in the changelog, under Unreleased.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from drs_emulator.__main__ import make_parser

from airflow_provider_drs import __version__
from airflow_provider_drs.cli.commands import COMMANDS, COMPLETION, EXIT_CODES, VARIABLES
from airflow_provider_drs.metrics import METRICS
from airflow_provider_drs.operators import results
from airflow_provider_drs.provider_info import CONNECTION_FIELDS

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docs" / "public_interface.txt"
#: Modules, all of whose public classes and functions can be used in DAGs, tests and scripts.
MODULES = (
    "airflow_provider_drs.assets.drs",
    "airflow_provider_drs.hooks.drs",
    "airflow_provider_drs.links.drs",
    "airflow_provider_drs.operators.drs",
    "airflow_provider_drs.protocol.core.errors",
    "airflow_provider_drs.protocol.prechecks.approval",
    "airflow_provider_drs.sensors.drs",
    "airflow_provider_drs.task_groups.drs",
    "drs_emulator",
)
#: Those whose methods users call. Airflow calls those of the others.
_CALLED = ("airflow_provider_drs.hooks.", "airflow_provider_drs.protocol.core.errors.", "drs_emulator.")
_OURS = ("airflow_provider_drs.", "drs_emulator.")


def describe() -> list[str]:
    """Return a line for each name: its kind, the name, and what its users depend on."""
    lines = [line for module in MODULES for line in _describe_module(module)]
    keys = [value for name, value in vars(results).items() if name.endswith("_KEY")]
    lines += [f"XCom: {key}" for key in ("return_value", *keys)]
    lines += [_describe_field(name, facts) for name, facts in CONNECTION_FIELDS.items()]
    for command in (*COMMANDS, COMPLETION):
        lines += [f"command: drs {command.name} {argument}" for argument in command.arguments]
    lines += [f"command: drs-emulator {option}" for option in _list_options(make_parser())]
    lines += [f"exit code: {code}: {meaning}" for code, meaning in EXIT_CODES.items()]
    lines += [f"variable: {name}" for name in VARIABLES]
    lines += [
        f"metric: {name}: {facts.kind}, tags {', '.join(facts.tags) or 'none'}"
        for name, facts in METRICS.items()
    ]
    return sorted({*lines, "fixture: drs_emulator", "setting: [drs] live_report"})


def _describe_module(name: str) -> Iterator[str]:
    module = importlib.import_module(name)
    for key in module.__all__:
        member = getattr(module, key)
        if inspect.isclass(member):
            yield from _describe_class(f"{name}.{key}", member)
        else:
            yield f"function: {name}.{key}"
            # Airflow's decorator of task groups hides the function.
            yield from _describe_parameters(f"{name}.{key}", getattr(member, "function", member))


def _describe_class(name: str, owner: type[Any]) -> Iterator[str]:
    yield f"class: {name}"
    if not issubclass(owner, Exception):
        yield from _describe_parameters(name, owner)
    yield from (f"template: {name}.{field}" for field in getattr(owner, "template_fields", ()))
    for key in dir(owner) if name.startswith(_CALLED) else ():
        defining = next((base for base in owner.__mro__ if key in vars(base)), object)
        if key.startswith("_") or not defining.__module__.startswith(_OURS):
            continue
        member = inspect.getattr_static(owner, key)
        if inspect.isroutine(member) or isinstance(member, classmethod | staticmethod):
            yield f"method: {name}.{key}"
            yield from _describe_parameters(f"{name}.{key}", getattr(owner, key))
        elif isinstance(member, property):
            yield f"attribute: {name}.{key}"


def _describe_parameters(name: str, function: Any) -> Iterator[str]:
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name == "self" or parameter.kind is parameter.VAR_KEYWORD:
            continue
        default = "required" if parameter.default is parameter.empty else f"default {parameter.default!r}"
        only = ", keyword-only" if parameter.kind is parameter.KEYWORD_ONLY else ""
        yield f"argument: {name}({parameter.name}): {default}{only}"


def _describe_field(name: str, facts: dict[str, Any]) -> str:
    schema = facts["schema"]
    choices = f", one of {', '.join(schema['enum'])}" if "enum" in schema else ""
    return f"connection field: {name}: {schema['type'][0]}, default {schema.get('default')!r}{choices}"


def _list_options(parser: argparse.ArgumentParser) -> list[str]:
    return [action.option_strings[-1] for action in parser._actions if action.option_strings]


def find_unannounced(released: list[str], changelog: str) -> list[str]:
    """
    Return the lines that differ from a release and whose names are not in the changelog under Unreleased.

    :param released: the lines of the release.
    """
    section = re.search(r"^## Unreleased\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    text = section[1] if section else ""
    today = describe()
    changes = [f"- {line}" for line in released if line not in today]
    changes += [f"+ {line}" for line in today if line not in released]
    return [line for line in changes if not re.search(rf"(?<![\w-]){re.escape(_name(line))}(?![\w-])", text)]


def _name(line: str) -> str:
    """Return the name by which the changelog must announce a change of a line."""
    kind, _, rest = line.lstrip("+- ").partition(": ")
    name = rest.partition(": ")[0]
    if kind == "command":
        return name.split()[2] if name.startswith("drs ") else name.split()[1]
    return name if kind == "metric" else re.findall(r"\w+", name)[-1]


def read(file: Path = FILE) -> tuple[str, list[str]]:
    """Return the version of the latest release, and the lines of its interface."""
    version, *lines = file.read_text("utf-8").splitlines()
    return version, lines


def main() -> None:
    FILE.write_text("\n".join([__version__, *describe(), ""]), "utf-8")


if __name__ == "__main__":
    main()
