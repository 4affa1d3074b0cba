"""Withdrawn and vulnerable versions are found, and an unavailable service is reported."""

from __future__ import annotations

import datetime
import functools
import http.server
import json
import re
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dev import environments
from dev.checks import advisories, audit

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


def test_stored_advisories_are_used_offline(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _go_offline(monkeypatch, tmp_path)

    assert audit.main() == 0

    assert "can be reached: " in capsys.readouterr().out
    note = (tmp_path / "audit.note").read_text()
    assert re.fullmatch(r"\d+ packages checked with advisories of [\d-]{10}, \d+ days old", note)
    assert int(note.split()[0]) > 150


def test_known_vulnerability_fails_the_check_offline(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _go_offline(monkeypatch, tmp_path)
    old = tmp_path / "constraints-old.txt"
    old.write_text("aiohttp==3.9.1\npendulum==3.0.0\nrequests==2.32.0\n")
    monkeypatch.setattr(audit, "PINNED", (old,))

    assert audit.main() == 1

    assert capsys.readouterr().out.splitlines()[1].startswith("aiohttp 3.9.1 has PYSEC-2024-24 (")


def _go_offline(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr(audit, "NOTE", folder / "audit.note")
    monkeypatch.setattr(audit, "find_yanked", lambda _: [])
    monkeypatch.setattr(audit, "query", lambda _: None)
    monkeypatch.setattr(advisories, "download", lambda _: False)


def test_database_is_extracted(tmp_path: Path) -> None:
    """Ranges, lists of versions, several ranges in one list of events, and withdrawn advisories."""
    events = [{"introduced": "0"}, {"fixed": "3.9.0"}, {"introduced": "3.11.0"}, {"last_affected": "3.12.0"}]
    for name, fields in {
        "PYSEC-1": {"ranges": [{"type": "GIT", "events": []}, {"type": "ECOSYSTEM", "events": events}]},
        "PYSEC-2": {"versions": ["3.10.0"]},
        "PYSEC-3": {"versions": ["3.10.0"], "withdrawn": "2026-01-01"},
    }.items():
        file = tmp_path / "vulns" / "aiohttp" / f"{name}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        withdrawn = {"withdrawn": fields.pop("withdrawn")} if "withdrawn" in fields else {}
        file.write_text(json.dumps({"id": name, "aliases": ["CVE-1"], "affected": [fields], **withdrawn}))
    identity = ("-c", "user.name=audit test", "-c", "user.email=audit@test.invalid")
    for command in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "Add advisories")):
        subprocess.run(["git", "-C", tmp_path, *identity, *command], check=True)

    known = advisories.extract(tmp_path)

    found = {
        version: [line.split()[3] for line in advisories.find_vulnerabilities({"aiohttp": version}, known)]
        for version in ("3.8.6", "3.9.0", "3.10.0", "3.12.0", "3.12.1")
    }
    assert found == {
        "3.8.6": ["PYSEC-1"],
        "3.9.0": [],
        "3.10.0": ["PYSEC-2"],
        "3.12.0": ["PYSEC-1"],
        "3.12.1": [],
    }
    assert advisories.describe_age(known, datetime.date.fromisoformat(known["date"])).endswith(", 0 days old")


@pytest.mark.parametrize("way", ["withdrawn", "vulnerable"])
def test_finding_fails_the_check(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, way: str) -> None:
    monkeypatch.setattr(audit, "NOTE", tmp_path / "audit.note")
    monkeypatch.setattr(audit, "find_yanked", lambda _: ["`x==1` is yanked"] if way == "withdrawn" else [])
    monkeypatch.setattr(audit, "query", lambda _: REPORT if way == "vulnerable" else None)
    monkeypatch.setattr(advisories, "download", lambda _: False)

    assert audit.main() == 1
