"""``drs`` as a process: on a terminal, in a shell that completes, below ``airflow``."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from drs_emulator import Emulator

BIN = Path(sys.executable).parent
SECRET = "canary-55-not-real"


@pytest.fixture
def environment(emulator: Emulator) -> dict[str, str]:
    """Return the environment of an interactive shell."""
    excluded = ("PYTEST", "DRS_", "LINES", "COLUMNS", "NO_COLOR", "FORCE_COLOR")
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(excluded)},
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "AIRFLOW_CONN_DRS_DEFAULT": emulator.connection_json,
        "TERM": "xterm-256color",
    }


def _on_terminal(command: list[str], environment: dict[str, str], columns: int, rows: int) -> str:
    """Run a command on a new terminal, and return what it wrote."""
    primary, secondary = pty.openpty()
    fcntl.ioctl(secondary, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), secondary)
    with subprocess.Popen(command, env=environment, **streams) as process:
        os.close(secondary)
        written = b""
        while True:
            try:
                piece = os.read(primary, 65_536)
            except OSError:
                break
            if not piece:
                break
            written += piece
        process.wait(timeout=60)
    os.close(primary)
    return written.decode()


def _without_colors(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def test_live_table_in_terminal(emulator: Emulator, environment: dict[str, str]) -> None:
    emulator.set_pace(4)
    emulator.set_verdict(emulator.job_ids[1], "fail")
    command = ["drs", "precheck", *emulator.job_ids[:3], "--wait", "--interval", "0.01"]

    written = _on_terminal(command, environment, columns=110, rows=24)

    text = _without_colors(written)
    assert "━" in text
    assert re.search(r"orders-migration-01 \([\w-]+\)\s+pending", text)
    assert f"({emulator.job_ids[1]})  failed" in text
    assert "\x1b[1;31mFAILED" in written
    assert "3 jobs: 2 passed, 1 failed" in text


def test_table_fits_the_terminal() -> None:
    from rich.console import Console

    from airflow_provider_drs.cli.screen import TerminalScreen
    from airflow_provider_drs.protocol.prechecks.verdict import AlarmPolicy
    from airflow_provider_drs.protocol.watches import PrecheckWatch

    console = Console(width=100, height=9, file=io.StringIO(), force_terminal=True)
    screen = TerminalScreen(console)

    with screen.watch(PrecheckWatch([f"job-{n}" for n in range(10)], AlarmPolicy())):
        written = console.file.getvalue()

    assert "and 6 more" in _without_colors(written)


def test_no_color_disables_the_table(emulator: Emulator, environment: dict[str, str]) -> None:
    written = _on_terminal(
        ["drs", "status", emulator.job_ids[0]], {**environment, "NO_COLOR": "1"}, columns=80, rows=24
    )

    assert "\x1b" not in written
    assert "CONFIGURATION" in written


@pytest.mark.parametrize(("line", "expected"), [("drs pre", "precheck"), ("drs status --conn", "--conn-id")])
def test_bash_completion(environment: dict[str, str], line: str, expected: str) -> None:
    script = f"""
        eval "$(drs completion bash)"
        COMP_WORDS=({line}) COMP_CWORD={len(line.split()) - 1} COMP_TYPE=9
        COMP_LINE="{line}" COMP_POINT={len(line)}
        _python_argcomplete drs {line.split()[-1]} drs
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """

    done = subprocess.run(
        ["bash", "-c", script], env=environment, capture_output=True, text=True, check=True, timeout=60
    )

    assert expected in [word.strip() for word in done.stdout.splitlines()]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_of_every_shell(environment: dict[str, str], shell: str) -> None:
    done = subprocess.run(
        ["drs", "completion", shell], env=environment, capture_output=True, text=True, check=True
    )

    assert "_ARGCOMPLETE" in done.stdout


def test_help_imports_no_airflow_and_http_library() -> None:
    code = (
        "import sys\n"
        "from airflow_provider_drs.cli.__main__ import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'airflow', 'requests', 'aiohttp', 'rich', 'pendulum'} & sys.modules.keys()))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"


def test_command_does_not_import_airflow(emulator: Emulator, environment: dict[str, str]) -> None:
    code = (
        "import sys\n"
        "from airflow_provider_drs.cli.__main__ import main\n"
        f"code = main(['status', {emulator.job_ids[0]!r}])\n"
        "print(code, 'airflow' in sys.modules)"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )

    assert done.stdout.splitlines()[-1] == "0 False"


def test_airflow_drs_command(emulator: Emulator, environment: dict[str, str]) -> None:
    from airflow import __version__

    if tuple(map(int, __version__.split(".")[:2])) < (3, 2):
        pytest.skip("this Airflow takes no commands from providers")
    command = [sys.executable, "-W", "ignore", "-m", "airflow", "drs"]

    good = subprocess.run(
        [*command, "status", emulator.job_ids[0]],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    wrong = subprocess.run(
        [*command, "status", "not/a/job"], env=environment, capture_output=True, text=True, check=False
    )

    assert good.returncode == 0, good.stderr
    assert "CONFIGURATION" in good.stdout
    assert (wrong.returncode, "expected a DRS job ID" in wrong.stderr) == (2, True)


@pytest.mark.parametrize("arguments", [["doctor"], ["status", "x"], ["precheck", "x", "--wait"], ["--help"]])
def test_output_has_no_secret(emulator: Emulator, environment: dict[str, str], arguments: list[str]) -> None:
    connection = emulator.connection_json.replace(emulator.connection["password"], SECRET)
    for text in (connection, connection[:-1]):
        done = subprocess.run(
            ["drs", *arguments],
            env={**environment, "AIRFLOW_CONN_DRS_DEFAULT": text},
            capture_output=True,
            text=True,
            check=False,
        )
        assert SECRET not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
