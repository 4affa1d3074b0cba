"""
Checks that a version can be released, and builds its packages. It does not upload them.

    make release VERSION=1.0.0 URL=https://github.com/example/airflow-provider-drs

The metadata links to the repository at URL, which setup.cfg does not contain: each fork has its own. The
wheels and source archives of the provider and the emulator are built twice and must be identical byte by
byte, so that anyone can rebuild them from the tag. The folder sbom gets a bill of materials of each
(CycloneDX).
"""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path

import drs_emulator

from airflow_provider_drs import __version__
from dev import environments
from dev.docs import public_interface

ROOT = Path(__file__).resolve().parents[1]
#: The folders of the projects that are released together.
PROJECTS = (".", "emulator")
_URL = re.compile(r"https://[\w.-]+(?::\d+)?(?:/[\w.~-]+)+")
_VERSION = re.compile(r"\d+\.\d+\.\d+(?:(?:a|b|rc)\d+)?")


def find_problems(version: str, root: Path = ROOT, url: str = "") -> list[str]:
    """Return what must be fixed before a version can be released, each with the fix."""
    if not _VERSION.fullmatch(version):
        return [f"VERSION is {version!r}: expected a version such as 1.0.0 or 1.1.0rc1."]
    problems = []
    if url and not _URL.fullmatch(url):
        problems.append(
            f"URL is {url!r}: expected the address of the repository, such as https://host/group/project."
        )
    if version != __version__:
        problems.append(
            f"The package has version {__version__}. Set __version__ in airflow_provider_drs/__init__.py."
        )
    if version != drs_emulator.__version__:
        problems.append(
            f"The emulator has version {drs_emulator.__version__}. Set __version__ in "
            "emulator/drs_emulator/__init__.py."
        )
    if public_interface.read(root / "docs" / "public_interface.txt") != (
        version,
        public_interface.describe(),
    ):
        problems.append("docs/public_interface.txt is out of date. Run: make interface")
    problems += _find_changelog_problems(version, (root / "CHANGELOG.md").read_text("utf-8"))
    if changed := _git(root, "status", "--porcelain"):
        problems.append(f"Files are not committed. Commit or remove them:\n{changed}")
    tag = f"v{version}"
    if _git(root, "tag", "--list", tag) and _git(root, "rev-parse", f"{tag}^{{commit}}") != _git(
        root, "rev-parse", "HEAD"
    ):
        problems.append(f"The tag {tag} already exists, and points to another commit. Choose a new version.")
    return problems


def _find_changelog_problems(version: str, text: str) -> list[str]:
    sections = dict(re.findall(r"^## (.+)\n((?:(?!## ).*\n)*)", text, re.MULTILINE))
    heading = re.compile(rf"{re.escape(version)} - \d{{4}}-\d\d-\d\d")
    found = [title for title in sections if heading.fullmatch(title)]
    if not found:
        return [f'CHANGELOG.md has no section "## {version} - YYYY-MM-DD". Rename the section Unreleased.']
    if not sections[found[0]].strip():
        return [f'The section "## {found[0]}" of CHANGELOG.md is empty. Describe the changes.']
    if sections.get("Unreleased", "").strip():
        return [f"CHANGELOG.md has changes under Unreleased. Move them to the section of {version}."]
    return []


def build(root: Path, into: Path, projects: Iterable[str] = PROJECTS, url: str = "") -> list[Path]:
    """
    Build wheels and source archives from the committed files.

    :param projects: the folders of the projects.
    :param url: the address of the repository, for the links in the metadata.

    :raises SystemExit: the build fails.
    """
    epoch = _git(root, "log", "-1", "--format=%ct")
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder)
        archive = subprocess.run(
            ["git", "-C", root, "archive", "--format=tar", "HEAD"], stdout=subprocess.PIPE, check=True
        )
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
            tar.extractall(source, filter="data")
        for project in projects:
            if url:
                _add_links(source / project / "setup.cfg", url)
            _run(
                [sys.executable, "-m", "build", "--no-isolation", "--outdir", into, source / project],
                env={"PATH": "/usr/bin:/bin", "SOURCE_DATE_EPOCH": epoch, "HOME": folder},
            )
    built = sorted(into.iterdir())
    for file in built:
        if file.name.endswith(".tar.gz"):
            _normalize(file, int(epoch))
    return built


def _add_links(setup: Path, url: str) -> None:
    tag = f"v{__version__}"
    links = {
        "Source": f"{url}/tree/{tag}",
        "Documentation": f"{url}/tree/{tag}/docs",
        "Changelog": f"{url}/blob/{tag}/CHANGELOG.md",
        "Issues": f"{url}/issues",
    }
    lines = "".join(f"\n    {label} = {link}" for label, link in links.items())
    setup.write_text(
        setup.read_text("utf-8").replace("[metadata]", f"[metadata]\nproject_urls ={lines}", 1), "utf-8"
    )


def check_metadata(files: Iterable[Path]) -> None:
    """
    Check that a package index accepts the metadata of files.

    :raises SystemExit: it does not.
    """
    _run([environments.make("packaging") / "twine", "check", "--strict", *files])


def write_bill(wheel: Path, into: Path) -> Path:
    """Write the bill of materials of a wheel, with its pinned dependencies for the latest Airflow."""
    bill = into / f"{'-'.join(wheel.name.split('-')[:2])}.cdx.json"
    with tempfile.TemporaryDirectory() as folder:
        venv = Path(folder)
        constraints = ROOT / ".ci" / "constraints-airflow-3.txt"
        environments.install(venv, "-c", str(constraints), str(wheel))
        command = ["cyclonedx-py", "environment", "--output-reproducible", "--output-file", bill]
        _run([environments.make("packaging") / command[0], *command[1:], venv / "bin" / "python"])
    return bill


def _run(command: list[str | Path], env: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))} failed:\n{done.stdout[-3000:]}")


def _normalize(file: Path, epoch_s: int) -> None:
    """Write a source archive again without times, owners and order of this machine."""
    with tarfile.open(file) as old:
        members = [(member, old.extractfile(member)) for member in sorted(old, key=lambda item: item.name)]
        content = [(member, stream.read() if stream else None) for member, stream in members]
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as new:
        for member, data in content:
            info = tarfile.TarInfo(member.name)
            info.type, info.size, info.mtime = member.type, member.size, epoch_s
            info.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            new.addfile(info, io.BytesIO(data) if data is not None else None)
    with file.open("wb") as stream, gzip.GzipFile("", "wb", fileobj=stream, mtime=epoch_s) as zipped:
        zipped.write(packed.getvalue())


def hash_files(files: Iterable[Path]) -> dict[str, str]:
    """Return the SHA-256 of each file by its name."""
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", root, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def main(version: str, url: str = "") -> int:
    """Check and build, and print what remains to be done. Return 0 if the version can be released."""
    if problems := find_problems(version, url=url):
        print(f"{version} cannot be released:")
        for problem in problems:
            print(f"- {problem}")
        return 1
    dist, bills = ROOT / "dist", ROOT / "sbom"
    for folder in (dist, bills):
        shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory() as other:
        built, again = (hash_files(build(ROOT, into, url=url)) for into in (dist, Path(other)))
    if built != again:
        print("The build is not reproducible. Two builds produced different files:")
        print("\n".join(f"- {name}" for name in built if built[name] != again.get(name)))
        return 1
    check_metadata(dist.iterdir())
    bills.mkdir()
    for wheel in sorted(dist.glob("*.whl")):
        write_bill(wheel, bills)
    print(f"{version} can be released. Packages are in dist, bills of materials in sbom:")
    for name, digest in built.items():
        print(f"  {digest}  {name}")
    if not url:
        print("The metadata has no links. To add them, set URL to the address of the repository.")
    print(f"To publish it, push the tag: git tag v{version} && git push origin v{version}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:] or [""]))
