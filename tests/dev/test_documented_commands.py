"""The commands in the documentation work and print what is shown, against the emulator."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest
from drs_emulator import Emulator
from drs_emulator.__main__ import make_parser

from airflow_provider_drs.cli.commands import VARIABLES, build_parser

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
#: Commands that install, serve until Ctrl-C, or show what another test runs: their first word or words.
NOT_RUN = ("python3.11", ". venv", "pip", "make", "drs-emulator", "airflow api-server", "export AIRFLOW_CONN")
#: The port of emulators in the documentation, and of those in tests.
PORT = re.compile(r"127\.0\.0\.1:\d+")
MARK = "exit code:"
#: Success, or a failed check that the output shows.
FINE = (0, 1, 3)


@dataclass(frozen=True)
class Example:
    """A command and its documented output, in which ``...`` is any text."""

    command: str
    shown: str

    @property
    def is_run(self) -> bool:
        """Whether it can run in a test."""
        words = [word for word in self.command.split() if "=" not in word]
        return not " ".join(words).startswith(NOT_RUN) and not self.command.startswith(NOT_RUN)

    def matches(self, output: str) -> bool:
        """Return whether the output is the documented one."""
        lines = [
            "(?:.*\n)*" if line == "..." else f"{re.escape(line).replace(re.escape('...'), '.*')}\n"
            for line in self.shown.strip("\n").split("\n")
        ]
        return not self.shown or re.fullmatch("".join(lines), f"{output.strip()}\n") is not None


def _read_examples(page: str) -> list[Example]:
    text = (ROOT / page).read_text("utf-8")
    fences = (
        r"```console\n(.*?)```" if page.endswith(".md") else r"\.\. code-block:: console\n\n((?:   .*\n|\n)+)"
    )
    found = []
    for block in re.findall(fences, text, re.DOTALL if page.endswith(".md") else 0):
        for part in re.split(r"^\$ ", textwrap.dedent(block), flags=re.MULTILINE)[1:]:
            command, *shown = part.rstrip().split("\n")
            found.append(Example(command, "\n".join(shown)))
    return found


def _run(examples: list[Example], folder: Path, emulator: Emulator, **environment: str) -> None:
    """Run examples in one shell, and compare what they print with the documented output."""
    run = [each for each in examples if each.is_run]
    # The exit code stays available to the next command.
    script = "".join(f"{each.command}\ncode=$?; echo; echo '{MARK}' $code; (exit $code)\n" for each in run)
    foreign = ("AIRFLOW", "DRS_", "PYTEST")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    environment |= {
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "AIRFLOW_CONN_DRS_DEFAULT": emulator.connection_json,
        "AIRFLOW_HOME": str(folder / "airflow"),
        "NO_PROXY": "127.0.0.1",
        "PYTHONWARNINGS": "ignore",
    }
    done = subprocess.run(
        ["bash", "-c", script.replace("http://127.0.0.1:8765", emulator.url)],
        cwd=folder,
        env=inherited | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )
    outputs = re.split(rf"\n?{MARK} (\d+)\n", done.stdout)
    assert len(outputs) == 2 * len(run) + 1, done.stdout[-3000:]
    for each, output, code in zip(run, outputs[::2], outputs[1::2], strict=False):
        assert int(code) in FINE, f"{each.command}: {code}\n{output}"
        printed = PORT.sub("127.0.0.1:8443", output)
        assert each.matches(printed), f"{each.command} is shown with\n{each.shown}\nand prints\n{printed}"


@pytest.mark.system
def test_quickstart_commands(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "dags", tmp_path / "dags")
    with Emulator(pace="at-once") as emulator:
        _run(_read_examples("docs/quickstart.rst"), tmp_path, emulator)


@pytest.mark.system
def test_command_line_page(tmp_path: Path) -> None:
    waivers = [{"item": "srcUniqueKey", "jobs": "*", "reason": "known", "expires": "2999-12-31"}]
    (tmp_path / "waivers.yaml").write_text(json.dumps(waivers))
    (tmp_path / "tls").mkdir()
    with Emulator(pace="at-once") as emulator, Emulator(tls=tmp_path / "tls") as secure:
        failing = emulator.job_ids[2]
        emulator.set_verdict(failing, "fail", items=["srcBinlogFormatCheck"])
        (tmp_path / "jobs.txt").write_text("\n".join(emulator.job_ids[2:5]))
        # As behind a TLS-inspecting proxy: the issuer of the certificate is not trusted.
        untrusted = {**secure.connection, "extra": {**secure.connection["extra"], "verify": "true"}}
        environment = {"AIRFLOW_CONN_BEHIND_A_PROXY": json.dumps(untrusted)}
        _run(_read_examples("docs/command_line.rst"), tmp_path, emulator, **environment)


@pytest.mark.parametrize("page", ["README.md", "docs/quickstart.rst", "docs/command_line.rst"])
def test_other_commands_are_valid(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    targets = re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)

    for name in re.findall(r"make ([a-z-]+)`", text):
        assert name in targets
    for name in re.findall(r"\bDRS_[A-Z_]+\b", text):
        assert name in VARIABLES or name == "DRS_"
    for name in re.findall(r"-c (\S+)", text):
        assert (ROOT / name).exists()
    for command in (each.command for each in _read_examples(page)):
        if command.startswith("drs-emulator"):
            make_parser().parse_args(shlex.split(command)[1:])
        if command.startswith("make"):
            assert command.split()[1] in targets
    for line in re.findall(r"^   (drs .*)$", text, re.MULTILINE):
        build_parser().parse_args(shlex.split(line, comments=True)[1:])


def test_readme_shows_the_output_of_the_demo(tmp_path: Path) -> None:
    (sample,) = re.findall(
        r"Log of the sensor:\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL
    )
    table = textwrap.dedent(sample).replace("10 jobs: 9 passed, 1 failed", "1 job: 1 failed")
    with Emulator(pace="at-once") as emulator:
        emulator.set_verdict(emulator.job_ids[2], "fail", items=["srcBinlogFormatCheck"])
        job_id = emulator.job_ids[2]
        examples = [
            Example(f"drs precheck {job_id} --wait > /dev/null", ""),
            Example(f"drs results {job_id}", table),
        ]
        _run(examples, tmp_path, emulator)


def test_pytest_examples_pass(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "emulator.rst").read_text("utf-8")
    blocks = re.findall(r"\.\. code-block:: python\n\n((?:    .*\n|\n)+)", text)
    (tmp_path / "test_them.py").write_text("".join(textwrap.dedent(block) for block in blocks))
    environment = {name: value for name, value in os.environ.items() if "PYTEST" not in name}

    done = subprocess.run(
        [BIN / "pytest", "-q", "-p", "no:cacheprovider", "test_them.py"],
        cwd=tmp_path,
        env=environment | {"AIRFLOW_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert len(blocks) == 2
    assert "2 passed" in done.stdout, done.stdout[-3000:]
