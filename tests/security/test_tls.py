"""TLS over real sockets: who is believed, who is not, and that nothing weaker takes its place."""

from __future__ import annotations

import datetime
import json
import socket
import ssl
import stat
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_drs.emulator import Emulator
from airflow_provider_drs.emulator.http.certificates import NAMES, Certificates, find_or_make, make
from airflow_provider_drs.protocol.core.errors import DrsConfigError, DrsError, DrsUnavailableError
from tests.security.canaries import Canaries
from tests.security.conftest import Use
from tests.security.servers import RecordingServer, connection_to

pytestmark = pytest.mark.usefixtures("no_backoff", "collect")

JOB = "00000001-d0c5-4a11-8a11-0000001jb101"
Make = Callable[..., Certificates]


@pytest.fixture
def certificates(tmp_path: Path) -> Make:
    """Return a function that makes an authority and a certificate of it."""

    def anew(name: str, *names: str, **options: Any) -> Certificates:
        folder = tmp_path / name
        folder.mkdir()
        files = Certificates(*(folder / each for each in ("ca.pem", "server.pem", "key.pem")))
        return make(files, names or NAMES, **options)

    return anew


@pytest.fixture(scope="module")
def running_secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """Return an emulator with certificates of its own."""
    with Emulator(clock="manual", tls=tmp_path_factory.mktemp("tls")) as emulator:
        yield emulator


@pytest.fixture
def secure(running_secure: Emulator) -> Emulator:
    """Return it as if it had just been started."""
    running_secure.reset()
    return running_secure


def _serve(files: Certificates) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certfile, files.keyfile)
    return context


def _bundle(emulator: Emulator) -> str:
    return str(emulator.connection["extra"]["verify"])


def test_emulator_certificate_is_trusted(hook: Any, use: Use, secure: Emulator) -> None:
    use(secure.connection)

    assert len(hook.get_job_statuses(secure.job_ids)) == 10
    assert secure.url.startswith("https://")


def test_certificate_includes_localhost(hook: Any, use: Use, secure: Emulator) -> None:
    url = secure.url.replace("127.0.0.1", "localhost")
    connection = secure.connection
    use({**connection, "host": url, "extra": {**connection["extra"], "iam_endpoint": url}})

    assert len(hook.get_job_statuses(secure.job_ids)) == 10


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_ca_bundle_of_environment(
    hook: Any, use: Use, secure: Emulator, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    connection = secure.connection
    monkeypatch.setenv(name, connection["extra"].pop("verify"))
    use(connection)

    assert len(hook.get_job_statuses(secure.job_ids)) == 10


def test_connection_overrides_ca_bundle_of_environment(
    hook: Any, use: Use, secure: Emulator, certificates: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificates("other").ca_file))
    use(secure.connection)

    assert len(hook.get_job_statuses(secure.job_ids)) == 10


def test_ca_bundle_of_environment_replaces_the_default(
    hook: Any, use: Use, secure: Emulator, certificates: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificates("other").ca_file))
    connection = secure.connection
    del connection["extra"]["verify"]
    use(connection)

    with pytest.raises(DrsConfigError, match=r"extra\.verify"):
        hook.get_job_statuses([JOB])
    assert secure.journal() == []


@pytest.mark.parametrize(
    ("names", "options", "trusts_another"),
    [
        ((), {}, True),
        (("drs.example",), {}, False),
        (("192.0.2.1",), {}, False),
        ((), {"lifetime": datetime.timedelta(days=-1)}, False),
    ],
    ids=["of another authority", "for another name", "for another address", "that has expired"],
)
def test_invalid_certificate_is_rejected(
    hook: Any,
    use: Use,
    certificates: Make,
    names: tuple[str, ...],
    options: dict[str, Any],
    trusts_another: bool,
) -> None:
    canaries = Canaries()
    shown = certificates("shown", *names, **options)
    trusted = certificates("trusted").ca_file if trusts_another else shown.ca_file
    with RecordingServer(tls=_serve(shown)) as server:
        use(connection_to(server.url, server.url, canaries.make("password"), verify=str(trusted)))

        with pytest.raises(DrsConfigError, match=r"certificate.*extra\.verify") as caught:
            hook.get_job_statuses([JOB])

    assert server.received == []
    # Trying again would change nothing.
    assert server.connections == 1
    assert canaries.search({"error": f"{caught.value!r} {caught.value.to_dict()}"}) == []


def test_host_name_is_verified_on_loopback(hook: Any, use: Use, certificates: Make) -> None:
    files = certificates("address", "127.0.0.1")
    with RecordingServer(tls=_serve(files)) as server:
        url = f"https://localhost:{server.port}"
        use(connection_to(url, url, "password-not-real", verify=str(files.ca_file)))

        with pytest.raises(DrsConfigError, match=r"extra\.verify"):
            hook.get_job_statuses([JOB])

    assert server.received == []


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
    """Whether a client that is lax enough gets through to a server that is that old."""
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
    "version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1], ids=lambda each: each.name
)
def test_old_tls_is_rejected(hook: Any, use: Use, certificates: Make, version: ssl.TLSVersion) -> None:
    files = certificates("old")
    canaries = Canaries()
    with warnings.catch_warnings():
        # Python, too, advises against them.
        warnings.simplefilter("ignore", DeprecationWarning)
        context = _serve(files)
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = version
        if not _speaks(context, version):
            pytest.skip(f"the OpenSSL of this machine does not speak {version.name}")
    with RecordingServer(tls=context) as server:
        use(
            connection_to(
                server.url,
                server.url,
                canaries.make("password"),
                verify=str(files.ca_file),
                retry_timeout=0.3,
            )
        )

        with pytest.raises(DrsError):
            hook.get_job_statuses([JOB])

    assert server.connections
    assert server.received == []


@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_https_never_falls_back_to_http(hook: Any, use: Use, verify: bool) -> None:
    canaries = Canaries()
    with RecordingServer() as server:
        url = server.url.replace("http://", "https://")
        use(connection_to(url, url, canaries.make("password"), verify=verify, retry_timeout=0.3))

        with pytest.raises((DrsUnavailableError, DrsConfigError)):
            hook.get_job_statuses([JOB])

    assert server.received
    # A record of TLS begins with 0x16, and its version with 3.
    assert {each.raw[:2] for each in server.received} == {b"\x16\x03"}
    assert canaries.search({"sent": server.everything}) == []


def test_broken_handshake_gets_no_request(hook: Any, use: Use) -> None:
    canaries = Canaries()
    with RecordingServer(lambda _: b"\x15\x03\x01\x00\x02\x02\x28") as server:
        url = f"https://127.0.0.1:{server.port}"
        use(connection_to(url, url, canaries.make("password"), retry_timeout=0.3))

        with pytest.raises(DrsError):
            hook.get_job_statuses([JOB])

    assert {each.raw[:2] for each in server.received} == {b"\x16\x03"}


def test_certificates_are_reused(tmp_path: Path) -> None:
    folder = tmp_path / "tls"
    first = find_or_make(folder, "127.0.0.1")
    bundle, key = first.ca_file.read_bytes(), first.keyfile.read_bytes()

    assert find_or_make(folder, "127.0.0.1").ca_file.read_bytes() == bundle
    assert stat.S_IMODE(first.keyfile.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    # The authority's own key is nowhere: nobody can sign with it once more.
    assert sorted(file.name for file in folder.iterdir()) == ["ca.pem", "server-key.pem", "server.pem"]
    assert [file.read_bytes().count(b"PRIVATE") for file in sorted(folder.iterdir())] == [0, 2, 0]
    assert key.count(b"PRIVATE") == 2


@pytest.mark.parametrize("what", ["expired", "missing", "garbage", "of another", "for other names"])
def test_invalid_certificates_are_replaced(tmp_path: Path, what: str) -> None:
    folder = tmp_path / "tls"
    found = find_or_make(folder, "127.0.0.1")
    other = find_or_make(tmp_path / "other", "127.0.0.1")
    spoil: dict[str, Callable[[], object]] = {
        "expired": lambda: make(found, lifetime=datetime.timedelta(hours=1)),
        "missing": found.keyfile.unlink,
        "garbage": lambda: found.certfile.write_text("garbage"),
        "of another": lambda: found.certfile.write_bytes(other.certfile.read_bytes()),
        "for other names": lambda: make(found, ["drs.example"]),
    }
    spoil[what]()
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
