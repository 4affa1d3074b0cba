"""What is kept of reports, and for how long."""

from __future__ import annotations

from airflow_provider_drs.report.kept import Kept


def test_what_was_put_is_found() -> None:
    """And what was not is not."""
    kept: Kept[str] = Kept(10)
    kept.put("a", "value", 1)

    assert (kept.get("a"), kept.get("b"), "a" in kept, "b" in kept) == ("value", None, True, False)


def test_what_was_not_used_for_longest_makes_room() -> None:
    """Sizes count, not numbers."""
    kept: Kept[str] = Kept(10)
    for name in ("a", "b"):
        kept.put(name, name, 4)
    kept.get("a")
    kept.put("c", "c", 6)

    assert [name in kept for name in ("a", "b", "c")] == [True, False, True]


def test_a_value_that_is_put_again_takes_its_place() -> None:
    """Its size counts once."""
    kept: Kept[str] = Kept(10)
    for value in ("old", "new"):
        kept.put("a", value, 6)
    kept.put("b", "b", 4)

    assert (kept.get("a"), kept.get("b")) == ("new", "b")


def test_one_that_is_too_large_is_kept_alone() -> None:
    """Else it would be read anew for each page of it."""
    kept: Kept[str] = Kept(10)
    kept.put("a", "a", 5)
    kept.put("huge", "huge", 100)

    assert ("a" in kept, "huge" in kept) == (False, True)
