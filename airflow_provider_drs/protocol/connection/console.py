"""The page of the cloud's console with a job."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import quote

#: The console's list by kind of job. The URLs of a single job and of the list of disaster recovery jobs are
#: not documented: the start page of DRS links to them.
_LISTS = {"migration": "#/drs/migrate/list", "sync": "#/drs/synchronization/list"}


def find_page(console_url: str, region: str, uses: Collection[str] = ()) -> str:
    """
    Return the console page of some jobs.

    :param console_url: the base URL of the console.
    :param region: the region of the jobs; empty if unknown.
    :param uses: the known ``db_use_type`` values of the jobs. If there are several or none, the start page of
        DRS.
    """
    query = f"?region={quote(region, safe='')}" if region else ""
    page = _LISTS.get(next(iter(uses)), "") if len(uses) == 1 else ""
    return f"{console_url}/drs/{query}{page}"
