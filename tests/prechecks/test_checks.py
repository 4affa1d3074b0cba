"""The catalog of check items."""

from __future__ import annotations

from airflow_provider_drs.protocol.prechecks.checks import CHECKS, MANUAL_URL, explain


def test_every_check_has_words_and_an_address() -> None:
    """A person who has never seen DRS must know what to mend."""
    for name, facts in CHECKS.items():
        assert facts.meaning, name
        assert facts.hint, name
        assert facts.url.startswith(MANUAL_URL)
        assert facts.url.endswith(".html")
    assert "does not know" in explain("brandNewCheck").meaning
    assert explain("brandNewCheck").url.endswith("index.html")
