"""What `make release` checks before it builds."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from airflow_provider_drs import __version__
from dev.docs.public_interface import describe
from dev.release import find_problems

INTERFACE = describe()

CHANGELOG = "# Changelog\n\n## Unreleased\n\n{unreleased}## {version} - 2026-12-01\n\n{changes}\n"


def _git(repository: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=release test", "-c", "user.email=release@test.invalid")
    subprocess.run(["git", "-C", repository, *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository in which this version can be released."""
    _git(tmp_path, "init", "-q")
    _write(tmp_path)
    return tmp_path


def _write(
    repository: Path,
    *,
    version: str = __version__,
    unreleased: str = "",
    changes: str = "- Added.",
    without: str = "",
) -> None:
    text = CHANGELOG.format(version=version, unreleased=unreleased, changes=changes)
    (repository / "CHANGELOG.md").write_text(text)
    interface = repository / "docs" / "public_interface.txt"
    interface.parent.mkdir(exist_ok=True)
    interface.write_text("\n".join([__version__, *(line for line in INTERFACE if line != without)]))
    _git(repository, "add", ".")
    _git(repository, "commit", "-q", "--allow-empty", "-m", "Describe the version")


def test_complete_version_can_be_released(repository: Path) -> None:
    assert find_problems(__version__, repository) == []
    _git(repository, "tag", f"v{__version__}")
    assert find_problems(__version__, repository) == []


@pytest.mark.parametrize("version", ["", "1.0", "v1.0.0", "1.0.0; rm -rf /", "latest"])
def test_invalid_version_is_rejected(repository: Path, version: str) -> None:
    (problem,) = find_problems(version, repository)

    assert "expected a version such as 1.0.0" in problem


@pytest.mark.parametrize(
    "url", ["example.org/drs", "http://example.org/drs", "https://example.org", "https://h/a\nb"]
)
def test_invalid_address_is_rejected(repository: Path, url: str) -> None:
    (problem,) = find_problems(__version__, repository, url)

    assert "expected the address of the repository" in problem


def test_version_of_the_package_must_match(repository: Path) -> None:
    _write(repository, version="9.9.9")

    assert [line.partition(" 1.")[0] for line in find_problems("9.9.9", repository)] == [
        "The package has version",
        "The emulator has version",
        "docs/public_interface.txt is out of date. Run: make interface",
    ]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"version": "0.0.9"}, f'has no section "## {__version__} - YYYY-MM-DD"'),
        ({"changes": ""}, "is empty. Describe the changes."),
        ({"unreleased": "- Not released.\n\n"}, "Move them to the section"),
    ],
)
def test_changelog_must_describe_the_version(repository: Path, change: dict[str, str], problem: str) -> None:
    _write(repository, **change)

    (found,) = find_problems(__version__, repository)
    assert problem in found


def test_interface_must_be_that_of_the_code(repository: Path) -> None:
    _write(repository, without="XCom: jobs")

    (problem,) = find_problems(__version__, repository)
    assert "Run: make interface" in problem


def test_all_files_must_be_committed(repository: Path) -> None:
    (repository / "new.py").touch()

    (problem,) = find_problems(__version__, repository)
    assert "new.py" in problem


def test_tag_of_another_commit_is_rejected(repository: Path) -> None:
    _git(repository, "tag", f"v{__version__}")
    _write(repository)

    (problem,) = find_problems(__version__, repository)
    assert f"The tag v{__version__} already exists, and points to another commit" in problem
