"""The site of the documentation, with one folder per version."""

from __future__ import annotations

from pathlib import Path

import pytest

from dev.docs.site import list_versions


def _add(site: Path, name: str) -> None:
    (site / name).mkdir()
    (site / name / "index.html").write_text("")


def test_latest_release_is_opened_and_all_versions_are_listed(tmp_path: Path) -> None:
    for name in ("1.9.0", "1.10.0", "2.0.0rc1", "images"):
        _add(tmp_path, name)

    list_versions(tmp_path)

    assert "url=1.10.0/index.html" in (tmp_path / "index.html").read_text()
    listed = (tmp_path / "versions.html").read_text()
    assert [listed.index(name) for name in ("2.0.0rc1", "1.10.0</a> (latest)", "1.9.0")] == sorted(
        listed.index(name) for name in ("2.0.0rc1", "1.10.0</a> (latest)", "1.9.0")
    )
    assert "images" not in listed


def test_site_without_a_version_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has no version"):
        list_versions(tmp_path)
