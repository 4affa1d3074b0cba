"""
Adds the documentation of this version to a site with those of other versions.

    make site SITE=folder

Each version is a folder of the site. ``versions.html`` lists them, every page links to it, and ``index.html``
opens the latest release. The site can be opened without a server.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from packaging.version import InvalidVersion, Version

from airflow_provider_drs import __version__

ROOT = Path(__file__).resolve().parents[2]
_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>airflow-provider-drs: {title}</title>
{head}
</head>
<body>
<h1>airflow-provider-drs: {title}</h1>
{body}
</body>
</html>
"""


def add_version(site: Path) -> None:
    """Build the documentation of this version, and list it."""
    folder = site / __version__
    shutil.rmtree(folder, ignore_errors=True)
    environment = {**os.environ, "DOCS_SITE": "1", "AIRFLOW_HOME": str(ROOT / ".run" / "airflow")}
    build = [sys.executable, "-m", "sphinx", "-q", "-E", "-W", "-b", "html", ROOT / "docs", folder]
    subprocess.run(build, env=environment, check=True)
    list_versions(site)


def list_versions(site: Path) -> None:
    """
    Write the list of the versions, and the start page, which opens the latest release.

    :raises ValueError: the site has no version.
    """
    versions = sorted(filter(None, map(_read_version, site.iterdir())), reverse=True)
    if not versions:
        raise ValueError(f"{site} has no version: no folder is named like a version and has an index.html.")
    latest = next((version for version in versions if not version.is_prerelease), versions[0])
    items = "\n".join(
        f'<li><a href="{version}/index.html">{version}</a>{" (latest)" if version == latest else ""}</li>'
        for version in versions
    )
    pages = {
        "versions": {"title": "versions", "head": "", "body": f"<ul>\n{items}\n</ul>"},
        "index": {
            "title": "documentation",
            "head": f'<meta http-equiv="refresh" content="0; url={latest}/index.html">',
            "body": f'<p><a href="{latest}/index.html">Version {latest}</a></p>',
        },
    }
    for name, parts in pages.items():
        (site / f"{name}.html").write_text(_PAGE.format(**parts))


def _read_version(folder: Path) -> Version | None:
    try:
        return Version(folder.name) if (folder / "index.html").exists() else None
    except InvalidVersion:
        return None


if __name__ == "__main__":
    add_version(Path(sys.argv[1]))
