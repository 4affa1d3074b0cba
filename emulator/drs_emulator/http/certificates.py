"""
Generates a certificate authority for clients that verify TLS.

The authority's key signs one certificate and is then discarded, so it cannot be used to impersonate another
server.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.exceptions import InvalidSignature

#: The usual names of this machine.
NAMES = ("localhost", "127.0.0.1", "::1")
_LIFETIME = datetime.timedelta(days=365)
# Certificates that expire within this time are regenerated, with the bundle.
_LEAST_LEFT = datetime.timedelta(days=1)


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
    authority = trustme.CA(organization_name="drs-emulator", organization_unit_name="local CA")
    server = authority.issue_cert(*names, not_after=datetime.datetime.now(datetime.UTC) + lifetime)
    authority.cert_pem.write_to_path(into.ca_file)
    server.cert_chain_pems[0].write_to_path(into.certfile)
    into.keyfile.unlink(missing_ok=True)
    # Never readable by other users, not even briefly.
    with os.fdopen(os.open(into.keyfile, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        out.write(server.private_key_pem.bytes())
    return into


def _is_valid(found: Certificates, names: Sequence[str]) -> bool:
    authority, server = (
        x509.load_pem_x509_certificate(file.read_bytes()) for file in (found.ca_file, found.certfile)
    )
    with suppress(x509.ExtensionNotFound, InvalidSignature, TypeError):
        server.verify_directly_issued_by(authority)
        named = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        left = server.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
        return left > _LEAST_LEFT and set(names) <= {str(name.value) for name in named}
    return False
