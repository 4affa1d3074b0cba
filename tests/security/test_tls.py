"""TLS over real sockets: which certificates are trusted, and that there is no weaker fallback."""

from __future__ import annotations

import datetime
import json
import socket
import ssl
import stat
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from drs_emulator import Emulator
from drs_emulator.http.certificates import NAMES, Certificates, find_or_make, make

from airflow_provider_drs.protocol.core.errors import DrsConfigError, DrsError, DrsUnavailableError
from tests.security.canaries import Canaries
from tests.security.conftest import Use
from tests.security.servers import Answer, RecordingServer, connection_to, no_such_job

pytestmark = pytest.mark.usefixtures("no_backoff", "collect")

JOB = "00000001-d0c5-4a11-8a11-0000001jb101"
Make = Callable[..., Certificates]


@pytest.fixture
def certificates(tmp_path: Path) -> Make:
    """Return a function that generates an authority and a certificate signed by it."""

    def generate(name: str, *names: str, **options: Any) -> Certificates:
        folder = tmp_path / name
        folder.mkdir()
        files = Certificates(*(folder / name for name in ("ca.pem", "server.pem", "key.pem")))
        return make(files, names or NAMES, **options)

    return generate


def _serve(files: Certificates) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certfile, files.keyfile)
    return context


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_emulator_certificate_is_trusted(hook: Any, use: Use, secure: Emulator, host: str) -> None:
    url, connection = secure.url.replace("127.0.0.1", host), secure.connection
    use({**connection, "host": url, "extra": {**connection["extra"], "iam_endpoint": url}})

    assert len(hook.get_job_statuses(secure.job_ids)) == 10
    assert url.startswith("https://")


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
@pytest.mark.parametrize(
    ("variable", "bundle", "verify", "is_trusted"),
    [
        ("REQUESTS_CA_BUNDLE", "emulator", None, True),
        ("CURL_CA_BUNDLE", "emulator", None, True),
        ("REQUESTS_CA_BUNDLE", "other", "emulator", True),
        ("REQUESTS_CA_BUNDLE", "other", None, False),
        (None, None, None, False),
        (None, None, "false", True),
    ],
)
def test_ca_bundle_precedence(
    hook: Any,
    use: Use,
    secure: Emulator,
    certificates: Make,
    monkeypatch: pytest.MonkeyPatch,
    variable: str | None,
    bundle: str | None,
    verify: str | None,
    is_trusted: bool,
) -> None:
    connection = secure.connection
    own = connection["extra"].pop("verify")
    if variable:
        monkeypatch.setenv(variable, own if bundle == "emulator" else str(certificates("other").ca_file))
    if verify:
        connection["extra"]["verify"] = own if verify == "emulator" else verify
    use(connection)

    if is_trusted:
        assert len(hook.get_job_statuses(secure.job_ids)) == 10
    else:
        with pytest.raises(DrsConfigError, match=r"extra\.verify"):
            hook.get_job_statuses([JOB])
        assert secure.journal() == []


@pytest.mark.parametrize(
    ("names", "options", "trusts_another", "host"),
    [
        ((), {}, True, "127.0.0.1"),
        (("drs.example",), {}, False, "127.0.0.1"),
        (("192.0.2.1",), {}, False, "127.0.0.1"),
        (("127.0.0.1",), {}, False, "localhost"),
        ((), {"lifetime": datetime.timedelta(days=-1)}, False, "127.0.0.1"),
    ],
    ids=["other authority", "other name", "other address", "address, not name", "expired"],
)
def test_invalid_certificate_is_rejected(
    hook: Any,
    use: Use,
    certificates: Make,
    names: tuple[str, ...],
    options: dict[str, Any],
    trusts_another: bool,
    host: str,
) -> None:
    canaries = Canaries()
    shown = certificates("shown", *names, **options)
    trusted = certificates("trusted").ca_file if trusts_another else shown.ca_file
    with RecordingServer(tls=_serve(shown)) as server:
        url = f"https://{host}:{server.port}"
        use(connection_to(url, url, canaries.make("password"), verify=str(trusted)))

        with pytest.raises(DrsConfigError, match=r"certificate.*extra\.verify") as caught:
            hook.get_job_statuses([JOB])

    assert server.received == []
    assert server.connections == 1
    assert canaries.search({"error": f"{caught.value!r} {caught.value.to_dict()}"}) == []


@pytest.mark.parametrize("content", [None, "", "garbage"])
def test_invalid_ca_bundle_is_named(
    hook: Any, use: Use, secure: Emulator, tmp_path: Path, content: str | None
) -> None:
    bundle = tmp_path / "bundle.pem"
    if content is not None:
        bundle.write_text(content)
    use(connection_to(secure.url, secure.url, "password-not-real", verify=str(bundle), retry_timeout=0.3))

    with pytest.raises(DrsConfigError, match=r"extra\.verify"):
        hook.get_job_statuses([JOB])


def _speaks(context: ssl.SSLContext, version: ssl.TLSVersion) -> bool:
    """Return whether the installed OpenSSL can complete a handshake with this version at all."""
    lax = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    lax.check_hostname = False
    lax.verify_mode = ssl.CERT_NONE
    lax.set_ciphers("ALL:@SECLEVEL=0")
    lax.minimum_version = lax.maximum_version = version
    with RecordingServer(tls=context) as server:
        try:
            with (
                socket.create_connection(("127.0.0.1", server.port)) as plain,
                lax.wrap_socket(plain) as secure,
            ):
                secure.sendall(b"GET / HTTP/1.1\r\n\r\n")
                return bool(secure.recv(1))
        except OSError:
            return False


@pytest.mark.parametrize(
    "version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1], ids=lambda version: version.name
)
def test_old_tls_is_rejected(hook: Any, use: Use, certificates: Make, version: ssl.TLSVersion) -> None:
    files = certificates("old")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context = _serve(files)
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = version
        if not _speaks(context, version):
            pytest.skip(f"the OpenSSL of this machine does not speak {version.name}")
    with RecordingServer(tls=context) as server:
        extra = {"verify": str(files.ca_file), "retry_timeout": 0.3}
        use(connection_to(server.url, server.url, "password-not-real", **extra))

        with pytest.raises(DrsError):
            hook.get_job_statuses([JOB])

    assert server.connections
    assert server.received == []


@pytest.mark.parametrize("answer", [no_such_job, lambda _: b"\x15\x03\x01\x00\x02\x02\x28"])
@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_failed_handshake_sends_no_request(hook: Any, use: Use, verify: bool, answer: Answer) -> None:
    canaries = Canaries()
    with RecordingServer(answer) as server:
        url = server.url.replace("http://", "https://")
        use(connection_to(url, url, canaries.make("password"), verify=verify, retry_timeout=0.3))

        with pytest.raises((DrsUnavailableError, DrsConfigError)):
            hook.get_job_statuses([JOB])

    # A TLS record starts with 0x16 and the major version 3.
    assert {request.raw[:2] for request in server.received} == {b"\x16\x03"}
    assert canaries.search({"sent": server.everything}) == []


def test_certificates_are_reused(tmp_path: Path) -> None:
    folder = tmp_path / "tls"
    first = find_or_make(folder, "127.0.0.1")
    bundle, key = first.ca_file.read_bytes(), first.keyfile.read_bytes()

    assert find_or_make(folder, "127.0.0.1").ca_file.read_bytes() == bundle
    assert stat.S_IMODE(first.keyfile.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    # The authority's key is not stored, so that no further certificate can be signed with it.
    assert sorted(file.name for file in folder.iterdir()) == ["ca.pem", "server-key.pem", "server.pem"]
    assert [file.read_bytes().count(b"PRIVATE") for file in sorted(folder.iterdir())] == [0, 2, 0]
    assert key.count(b"PRIVATE") == 2


@pytest.mark.parametrize("what", ["expired", "missing", "garbage", "of another", "for other names"])
def test_invalid_certificates_are_replaced(tmp_path: Path, what: str) -> None:
    folder = tmp_path / "tls"
    found = find_or_make(folder, "127.0.0.1")
    other = find_or_make(tmp_path / "other", "127.0.0.1")
    invalidate: dict[str, Callable[[], object]] = {
        "expired": lambda: make(found, lifetime=datetime.timedelta(hours=1)),
        "missing": found.keyfile.unlink,
        "garbage": lambda: found.certfile.write_text("garbage"),
        "of another": lambda: found.certfile.write_bytes(other.certfile.read_bytes()),
        "for other names": lambda: make(found, ["drs.example"]),
    }
    invalidate[what]()
    before = found.ca_file.read_bytes()

    with Emulator(tls=folder) as emulator:
        assert len(emulator.jobs) == 10

    assert found.ca_file.read_bytes() != before


def test_certificate_is_given_or_generated(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="mutually exclusive"):
        Emulator(tls=tmp_path, certfile="cert.pem")


def test_command_prints_the_ca_bundle(start_emulator: Any, tmp_path: Path) -> None:
    lines = start_emulator("--tls", str(tmp_path / "tls"))

    connection = json.loads(lines[-1].partition("=")[2].strip("'"))
    assert str(tmp_path / "tls" / "ca.pem") in lines[1]
    assert connection["extra"]["verify"] == str(tmp_path / "tls" / "ca.pem")
    assert connection["host"].startswith("https://")
