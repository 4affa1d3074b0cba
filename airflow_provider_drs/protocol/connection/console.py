"""Where a person sees a job in the console of its cloud."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import quote

#: The console's list of the jobs of each kind. The address of a single job is documented nowhere, and neither
#: is that of the list of disaster recovery jobs: the first page of DRS has a link to it.
_LISTS = {"migration": "#/drs/migrate/list", "sync": "#/drs/synchronization/list"}


def find_page(console_url: str, region: str, uses: Collection[str] = ()) -> str:
    """
    Return the page of the console that has some jobs.

    :param console_url: the base URL of the console.
    :param region: where the jobs are; empty where nobody knows.
    :param uses: ``db_use_type`` of the jobs, as far as it is known. Of several kinds, or of none, it is the
        first page of DRS.
    """
    query = f"?region={quote(region, safe='')}" if region else ""
    page = _LISTS.get(next(iter(uses)), "") if len(uses) == 1 else ""
    return f"{console_url}/drs/{query}{page}"
