"""The workflows of GitHub and GitLab: their schemas, and an audit."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from dev import environments

pytestmark = pytest.mark.system

ROOT = environments.ROOT
GITHUB = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.mark.parametrize(
    ("schema", "files", "options"),
    [
        ("github-workflows", GITHUB, ()),
        ("dependabot", [ROOT / ".github" / "dependabot.yml"], ()),
        ("gitlab-ci", [ROOT / ".gitlab-ci.yml"], ("--data-transform", "gitlab-ci")),
    ],
)
def test_files_fit_their_schemas(schema: str, files: list[Path], options: tuple[str, ...]) -> None:
    _run("check-jsonschema", "--builtin-schema", f"vendor.{schema}", *options, *files)


def test_audit_finds_nothing() -> None:
    """Such as credentials that stay on a runner, or a title of a pull request that becomes a command."""
    _run("zizmor", "--offline", "--no-progress", ROOT / ".github")


@pytest.mark.parametrize("file", [*GITHUB, ROOT / ".gitlab-ci.yml"], ids=lambda file: file.name)
def test_targets_of_make_exist(file: Path) -> None:
    listed = re.findall(r"target: \[(.+)\]", file.read_text(), re.IGNORECASE)
    targets = {
        *", ".join(listed).split(", "),
        *re.findall(r"- (?:run: )?make ([a-z-]+)", file.read_text()),
    } - {""}
    makefile = (ROOT / "Makefile").read_text()

    assert targets
    assert not [target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)]


def _run(command: str, *arguments: str | Path) -> None:
    tool = environments.make("packaging") / command
    done = subprocess.run([tool, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
