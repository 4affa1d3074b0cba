"""Withdrawn and vulnerable versions are found, and an unavailable service is reported."""

from __future__ import annotations

import functools
import http.server
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dev import environments
from dev.checks import audit

REPORT: dict[str, Any] = {
    "dependencies": [
        {"name": "safe", "version": "1.0", "vulns": []},
        {"name": "vulnerable", "version": "1.0", "vulns": [{"id": "CVE-1", "fix_versions": ["1.1"]}]},
        {"name": "unknown", "skip_reason": "Dependency not found"},
    ]
}


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def index(tmp_path: Path) -> Iterator[str]:
    """Serve a package index with a current and a withdrawn package."""
    for name, mark in (("current", ""), ("withdrawn", ' data-yanked="broken"')):
        folder = tmp_path / "index" / name
        folder.mkdir(parents=True)
        wheel = f"{name}-1.0-py3-none-any.whl"
        about = f"{name}-1.0.dist-info"
        with zipfile.ZipFile(folder / wheel, "w") as archive:
            archive.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
            archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
            archive.writestr(f"{about}/RECORD", "")
        (folder / "index.html").write_text(f'<a href="{wheel}"{mark}>{wheel}</a>')
    handler = functools.partial(_Quiet, directory=str(tmp_path / "index"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_yanked_version_is_found(index: str, tmp_path: Path) -> None:
    if environments.find_uv() is None:
        pytest.skip("uv cannot be installed")
    pinned = tmp_path / "pinned.txt"
    pinned.write_text("current==1.0\nwithdrawn==1.0\n")

    (line,) = audit.find_yanked(pinned, ["--no-cache", "--default-index", index])

    assert line.startswith("`withdrawn==1.0` is yanked")


def test_vulnerability_is_reported_with_its_fix() -> None:
    assert list(audit.list_vulnerabilities(REPORT)) == ["vulnerable 1.0 has CVE-1; fixed in 1.1"]
    assert list(audit.list_unknown(REPORT)) == ["unknown"]


def test_unavailable_index_is_reported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(audit, "find_yanked", lambda _: [])
    monkeypatch.setattr(audit, "query", lambda _: None)
    monkeypatch.setattr(audit, "NOTE", tmp_path / "audit.note")

    assert audit.main() == 0

    assert "NOT AUDITED" in capsys.readouterr().out
    assert int((tmp_path / "audit.note").read_text().split()[0]) > 150


@pytest.mark.parametrize("way", ["withdrawn", "vulnerable"])
def test_finding_fails_the_check(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, way: str) -> None:
    monkeypatch.setattr(audit, "NOTE", tmp_path / "audit.note")
    monkeypatch.setattr(audit, "find_yanked", lambda _: ["`x==1` is yanked"] if way == "withdrawn" else [])
    monkeypatch.setattr(audit, "query", lambda _: REPORT if way == "vulnerable" else None)

    assert audit.main() == 1
