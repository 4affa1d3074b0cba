"""How Sphinx builds the documentation."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from airflow_provider_drs import __version__
from airflow_provider_drs.cli.commands import COMMANDS, COMPLETION, EXIT_CODES, VARIABLES
from airflow_provider_drs.metrics import METRICS
from airflow_provider_drs.protocol.connection.permissions import permissions_by_face
from airflow_provider_drs.protocol.connection.settings import Cloud
from airflow_provider_drs.protocol.jobs.preconditions import RULES
from airflow_provider_drs.protocol.jobs.states import STATUSES
from airflow_provider_drs.task_groups import drs as task_groups
from dev.docs import coverage_table, state_diagram

project = "airflow-provider-drs"
author = "the authors of airflow-provider-drs"
release = __version__
extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.extlinks",
    "sphinx.ext.intersphinx",
    "myst_parser",
    "sphinx_copybutton",
]
html_theme = "furo"
html_title = f"{project} {release}"
templates_path = ["_templates"]
# With several versions side by side, pages link to the list of versions.
html_context = {"is_site": "DOCS_SITE" in os.environ}
html_sidebars = {
    "**": [
        "sidebar/brand.html",
        "sidebar/search.html",
        "sidebar/scroll-start.html",
        "sidebar/navigation.html",
        "versions.html",
        "sidebar/scroll-end.html",
    ]
}
# Copy the commands of an example only.
copybutton_prompt_text = r"\$ "
copybutton_prompt_is_regexp = True
# The changelog includes the Markdown file, whose first heading is of level one.
source_suffix = {".rst": "restructuredtext"}
exclude_patterns = ["_build", "_generated"]
nitpicky = False
intersphinx_mapping = {}
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": False}
autodoc_mock_imports: list[str] = []

_API = "https://docs.otc.t-systems.com/data-replication-service/api-ref/api"
# The page of the service's API reference that a fact comes from.
extlinks = {"drs": (f"{_API}/%s.html", "%s")}

_GENERATED = Path(__file__).parent / "_generated"
_TASKS = ("airflow_provider_drs.operators.", "airflow_provider_drs.sensors.")
_PARAMETER = re.compile(r":param (\w+):")


def setup(app: Any) -> None:
    """Make the pages that are made of the code, and let every operator list all of its parameters."""
    _GENERATED.mkdir(exist_ok=True)
    (_GENERATED / "states.svg").write_text(state_diagram.draw(), "utf-8")
    (_GENERATED / "states.rst").write_text(_list_statuses(), "utf-8")
    (_GENERATED / "rules.rst").write_text(_list_rules(), "utf-8")
    (_GENERATED / "commands.rst").write_text(_list_commands(), "utf-8")
    (_GENERATED / "exit_codes.rst").write_text(
        _table(["Exit code", "Meaning"], [[f"``{code}``", meaning] for code, meaning in EXIT_CODES.items()]),
        "utf-8",
    )
    (_GENERATED / "variables.rst").write_text(
        _table(["Variable", "Description"], [[f"``{name}``", text] for name, text in VARIABLES.items()]),
        "utf-8",
    )
    (_GENERATED / "coverage.rst").write_text(_list_coverage(), "utf-8")
    (_GENERATED / "permissions.rst").write_text(_list_permissions(), "utf-8")
    (_GENERATED / "metrics.rst").write_text(_list_metrics(), "utf-8")
    app.connect("autodoc-process-docstring", _inherit_parameters)
    # Airflow's decorator hides the functions, and with them what they say and take.
    for name in ("drs_migration", "drs_synchronization", "drs_disaster_recovery", "drs_edit_objects"):
        setattr(task_groups, name, getattr(task_groups, name).function)


def _inherit_parameters(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Add the parameters that only the classes above document."""
    if what != "class" or not name.startswith(
        ("airflow_provider_drs.operators", "airflow_provider_drs.sensors")
    ):
        return
    known = set(_PARAMETER.findall("\n".join(lines)))
    for base in obj.__mro__[1:]:
        text = base.__doc__ or ""
        if not base.__module__.startswith("airflow_provider_drs") or ":param" not in text:
            continue
        for block in re.split(r"\n\s*(?=:param )", text)[1:]:
            parameter = _PARAMETER.match(block)
            if parameter and parameter[1] not in known:
                known.add(parameter[1])
                lines.append(" ".join(block.split()))
    lines.append("")


def _table(headings: list[str], rows: list[list[str]]) -> str:
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in [headings, *rows]:
        lines += [f"   {'* -' if n == 0 else '  -'} {cell}" for n, cell in enumerate(row)]
    return "\n".join([*lines, ""])


def _list_statuses() -> str:
    rows = [[f"``{each.word}``", each.phase.value, each.meaning] for each in STATUSES.values()]
    return _table(["Status", "Phase", "Meaning"], rows)


def _list_rules() -> str:
    rows = []
    for rule in RULES.values():
        allowed = (
            "all except stopped and deleted jobs" if rule.allowed is None else ", ".join(sorted(rule.allowed))
        )
        only = [*rule.uses, rule.engine, rule.direction and f"direction {rule.direction}"]
        parent = "yes" if rule.takes_parent else "no"
        rows.append(
            [
                f"``{rule.name}``",
                rule.operation,
                allowed,
                ", ".join(each for each in only if each) or "all",
                parent,
                rule.backward.value,
            ]
        )
    headings = [
        "Action",
        "Operation",
        "Allowed statuses",
        "Supported jobs",
        "Dual-active parent allowed",
        "Backward job",
    ]
    return _table(headings, rows)


def _list_metrics() -> str:
    rows = [
        [f"``{name}``", each.kind, ", ".join(f"``{tag}``" for tag in each.tags) or "none", each.meaning]
        for name, each in METRICS.items()
    ]
    return _table(["Name", "Type", "Tags", "Description"], rows)


def _list_commands() -> str:
    parts = []
    for command in (*COMMANDS, COMPLETION):
        title = f"drs {command.name}"
        # A pattern of names contains what is markup here.
        rows = [
            [f"``{argument}``", re.sub(r"([*_])", r"\\\1", argument.help)] for argument in command.arguments
        ]
        text = f"{command.help[0].upper()}{command.help[1:]}."
        parts += [title, "~" * len(title), "", text, "", _table(["Argument", "Description"], rows)]
    return "\n".join(parts)


def _list_permissions() -> str:
    otc, huaweicloud = (permissions_by_face(cloud) for cloud in (Cloud.OTC, Cloud.HUAWEI))
    rows = [[f"``{face}``", _list_literals(otc[face]), _list_literals(huaweicloud[face])] for face in otc]
    return _table(["Operator or sensor", "Open Telekom Cloud", "Huawei Cloud"], rows)


def _list_literals(words: Iterable[str]) -> str:
    return ", ".join(f"``{word}``" for word in words)


def _list_coverage() -> str:
    rows = [
        [
            f":drs:`{row.operation} <{row.address}>`",
            ", ".join(f"``{name}``" for name in row.methods),
            ", ".join(f"``{name}``" for name in row.faces),
            "yes" if row.is_emulated else "no",
            row.sdk or "no",
        ]
        for row in coverage_table.read_coverage()
    ]
    return _table(["Operation", "Hook method", "Operator or sensor", "Emulated", "SDK method"], rows)
