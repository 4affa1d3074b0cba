"""
Generates a certificate authority for clients that verify TLS.

The authority's key signs one certificate and is then discarded, so it cannot be used to impersonate another
server.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

#: The usual names of this machine.
NAMES = ("localhost", "127.0.0.1", "::1")
_LIFETIME = datetime.timedelta(days=365)
# Certificates that expire within this time are regenerated, with the bundle.
_LEAST_LEFT = datetime.timedelta(days=1)
# For clients whose clock is slightly behind.
_SKEW = datetime.timedelta(hours=1)
_PEM = serialization.Encoding.PEM


@dataclass(frozen=True)
class Certificates:
    """
    The files of a server with TLS.

    :param ca_file: the CA bundle for clients.
    :param certfile: the server's certificate.
    :param keyfile: its private key, readable only by the owner.
    """

    ca_file: Path
    certfile: Path
    keyfile: Path

    @property
    def _files(self) -> tuple[Path, Path, Path]:
        return self.ca_file, self.certfile, self.keyfile


def find_or_make(folder: Path, host: str) -> Certificates:
    """
    Return the certificates in a directory; generate them if they are missing or invalid.

    The bundle therefore stays the same between restarts.

    :param folder: a dedicated directory; created if missing.
    :param host: the server's host, which the certificate names in addition to this machine's usual names.
    :raises OSError: the directory is not writable.
    """
    names = tuple(dict.fromkeys((*NAMES, host)))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = Certificates(*(folder / name for name in ("ca.pem", "server.pem", "server-key.pem")))
    # Missing or unreadable certificates are generated again.
    with suppress(OSError, ValueError):
        if found.keyfile.stat().st_size and _is_valid(found, names):
            return found
    return make(found, names)


def make(
    into: Certificates, names: Sequence[str] = NAMES, *, lifetime: datetime.timedelta = _LIFETIME
) -> Certificates:
    """
    Write a new authority and a certificate that it has signed.

    :param into: the files to write.
    :param names: the host names and addresses of the certificate.
    :param lifetime: from now; a negative one creates an expired certificate.
    """
    now = datetime.datetime.now(datetime.UTC)
    # The validity of an expired certificate must begin before it ends, too.
    begin, end = min(now, now + lifetime) - _SKEW, now + lifetime
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = _name("drs-emulator, for this directory only")
    authority = _begin(ca_name, ca_name, ca_key, ca_key, begin, max(end, now + _LIFETIME))
    authority = authority.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    authority = authority.add_extension(_usage(signs_certificates=True), critical=True)
    server = _begin(_name("drs-emulator"), ca_name, key, ca_key, begin, end)
    server = server.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    server = server.add_extension(_usage(signs_certificates=False), critical=True)
    server_auth = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    server = server.add_extension(server_auth, critical=False)
    server = server.add_extension(x509.SubjectAlternativeName(list(_alternatives(names))), critical=False)
    into.ca_file.write_bytes(authority.sign(ca_key, hashes.SHA256()).public_bytes(_PEM))
    into.certfile.write_bytes(server.sign(ca_key, hashes.SHA256()).public_bytes(_PEM))
    plain = serialization.NoEncryption()
    _write_private(into.keyfile, key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, plain))
    return into


def _begin(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    ca_key: ec.EllipticCurvePrivateKey,
    begin: datetime.datetime,
    end: datetime.datetime,
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder(subject_name=subject, issuer_name=issuer)
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(begin).not_valid_after(end)
    # Required by Python 3.13 and later.
    own_id = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    issuer_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    return builder.add_extension(own_id, critical=False).add_extension(issuer_id, critical=False)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def _alternatives(names: Iterable[str]) -> Iterable[x509.GeneralName]:
    for name in names:
        try:
            yield x509.IPAddress(ipaddress.ip_address(name))
        except ValueError:
            yield x509.DNSName(name)


def _write_private(file: Path, content: bytes) -> None:
    file.unlink(missing_ok=True)
    # Never readable by other users, not even briefly.
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        out.write(content)


def _is_valid(found: Certificates, names: Iterable[str]) -> bool:
    authority, server = (x509.load_pem_x509_certificate(file.read_bytes()) for file in found._files[:2])
    now = datetime.datetime.now(datetime.UTC)
    with suppress(x509.ExtensionNotFound, InvalidSignature, TypeError):
        server.verify_directly_issued_by(authority)
        named = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return server.not_valid_before_utc <= now < server.not_valid_after_utc - _LEAST_LEFT and set(
            _alternatives(names)
        ) <= set(named)
    return False
