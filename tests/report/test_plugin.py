"""The plugin registers the page, and costs other processes nothing."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_drs.report.page import STATIC
from airflow_provider_drs.report.plugin import DrsReportPlugin

#: Prints the modules that the plugin loads outside a web server.
LOADED = """
import json, sys
import airflow.plugins_manager
before = set(sys.modules)
import airflow_provider_drs.report.plugin
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def test_other_processes_load_no_web_framework() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LOADED], capture_output=True, text=True, check=True
    )

    loaded = json.loads(done.stdout.splitlines()[-1])
    assert "airflow_provider_drs.report.plugin" in loaded
    web = ("fastapi", "flask", "sqlalchemy", "requests", "aiohttp", "airflow_provider_drs.report.responses")
    assert not [name for name in loaded if name.startswith(web)]


# Deprecation warnings of the web frameworks.
@pytest.mark.filterwarnings("ignore")
def test_plugin_of_each_airflow_line() -> None:
    if AIRFLOW_V_3_0_PLUS:
        (app,) = DrsReportPlugin.fastapi_apps
        assert (app["url_prefix"], DrsReportPlugin.flask_blueprints) == ("/drs", [])
        # Nothing before them: they follow Airflow's base URL.
        assert all(view["href"].startswith("drs/report") for view in DrsReportPlugin.external_views)
    else:
        (blueprint,) = DrsReportPlugin.flask_blueprints
        assert (blueprint.url_prefix, blueprint.name) == ("/drs", "drs_report")
        assert not hasattr(DrsReportPlugin, "fastapi_apps")


def test_page_loads_own_files_only() -> None:
    for file in STATIC.iterdir():
        text = file.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in text, file.name
        assert "https:" not in text, file.name
        for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("):
            assert word not in text, file.name
