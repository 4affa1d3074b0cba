"""
Serves OpenStack Keystone from a folder; runs in its environment, see keystone.py.

Reads its configuration as a line of JSON from standard input, prints its URL, and removes its folder and
exits at the end of standard input, so also when the process that started it is killed.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

# Eventlet prints a deprecation warning at import.
warnings.simplefilter("ignore")

import waitress  # noqa: E402
from keystone.common import fernet_utils  # noqa: E402
from keystone.common.provider_api import ProviderAPIs  # noqa: E402
from keystone.common.sql import upgrades  # noqa: E402
from keystone.server.wsgi import initialize_public_application  # noqa: E402

_CONFIGURATION = """\
[DEFAULT]
log_file = {folder}/keystone.log
[database]
connection = sqlite:///{folder}/keystone.db
[token]
provider = fernet
expiration = {lifetime_s}
[fernet_tokens]
key_repository = {folder}/fernet
[fernet_receipts]
key_repository = {folder}/fernet
[identity]
# Tests log in many times; a cheap hash keeps them fast.
password_hash_algorithm = bcrypt
password_hash_rounds = 4
"""


def main() -> None:
    """Set up Keystone and serve it."""
    wanted = json.loads(sys.stdin.readline())
    folder = Path(wanted["folder"])
    threading.Thread(target=_end_with_stdin, args=(folder,), daemon=True).start()
    configuration = folder / "keystone.conf"
    configuration.write_text(_CONFIGURATION.format(folder=folder, lifetime_s=wanted["lifetime_s"]))
    os.environ["OS_KEYSTONE_CONFIG_FILES"] = str(configuration)
    # Keystone does not start without keys.
    (folder / "fernet").mkdir(mode=0o700)
    fernet_utils.FernetUtils(str(folder / "fernet"), 3, "fernet_tokens").initialize_key_repository()
    application = initialize_public_application()
    upgrades.offline_sync_database_to_version()
    _populate(wanted)
    server = waitress.create_server(application, listen="127.0.0.1:0", threads=4)
    print(f"http://127.0.0.1:{server.effective_port}", flush=True)
    server.run()


def _populate(wanted: dict[str, Any]) -> None:
    """
    Create a domain with a project, a user with access to it, and one without.

    Not through the API, which does not accept the ID of a project.
    """
    domain = {"id": wanted["domain_id"], "name": wanted["domain"], "enabled": True}
    ProviderAPIs.resource_api.create_domain(domain["id"], domain)
    project = {"id": wanted["project_id"], "name": wanted["project"], "domain_id": domain["id"]}
    ProviderAPIs.resource_api.create_project(project["id"], {**project, "enabled": True})
    role = ProviderAPIs.role_api.create_role("d" * 32, {"id": "d" * 32, "name": "drs_admin"})
    for name in (wanted["user"], wanted["stranger"]):
        details = {"name": name, "password": wanted["password"], "domain_id": domain["id"], "enabled": True}
        user = ProviderAPIs.identity_api.create_user(details)
        if name == wanted["user"]:
            ProviderAPIs.assignment_api.add_role_to_user_and_project(user["id"], project["id"], role["id"])
            # As every user of the public clouds, it can have a token of its account.
            ProviderAPIs.assignment_api.create_grant(role["id"], user_id=user["id"], domain_id=domain["id"])


def _end_with_stdin(folder: Path) -> None:
    sys.stdin.read()
    shutil.rmtree(folder, ignore_errors=True)
    # waitress would wait for open connections.
    os._exit(0)


if __name__ == "__main__":
    main()
