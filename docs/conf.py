"""How Sphinx builds the documentation."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from airflow_provider_drs import __version__

project = "airflow-provider-drs"
author = "the authors of airflow-provider-drs"
release = __version__
extensions = ["sphinx.ext.autodoc", "sphinx.ext.extlinks", "sphinx.ext.intersphinx"]
html_theme = "furo"
exclude_patterns = ["_build"]
nitpicky = False
intersphinx_mapping = {}
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_mock_imports: list[str] = []

_API = "https://docs.otc.t-systems.com/data-replication-service/api-ref/api/public_api_management"
# The page of the service's API reference that a fact comes from.
extlinks = {"drs": (f"{_API}/%s.html", "%s")}
