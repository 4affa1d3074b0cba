"""What is in the wheel."""

from __future__ import annotations

import json
from configparser import ConfigParser
from email.message import Message
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest

import airflow_provider_drs
from dev import environments
from dev.release import build, check_metadata, hash_files, write_bill

pytestmark = pytest.mark.system

PACKAGE = Path(airflow_provider_drs.__file__).parent


@pytest.fixture
def names(wheel: Path) -> set[str]:
    with ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture
def metadata(wheel: Path) -> Message:
    """Return the metadata that installers read."""
    return Parser().parsestr(_read_info(wheel, "METADATA"))


def _read_info(wheel: Path, name: str) -> str:
    with ZipFile(wheel) as archive:
        (found,) = (each for each in archive.namelist() if each.endswith(f".dist-info/{name}"))
        return archive.read(found).decode()


def test_wheel_has_every_file(names: set[str]) -> None:
    files = {
        f"airflow_provider_drs/{file.relative_to(PACKAGE).as_posix()}"
        for file in PACKAGE.rglob("*")
        if file.is_file()
        and not any(
            part[0] in "._" and part != "__init__.py" and part != "__main__.py"
            for part in file.relative_to(PACKAGE).parts
        )
    }

    assert {"airflow_provider_drs/py.typed"} < files
    assert files <= names


def test_wheel_has_no_other_files(names: set[str]) -> None:
    folders = {name.split("/")[0] for name in names}

    assert folders == {
        "airflow_provider_drs",
        f"airflow_provider_drs-{airflow_provider_drs.__version__}.dist-info",
    }


def test_wheel_metadata(metadata: Message) -> None:
    fields = ("Name", "Version", "License-Expression", "Requires-Python")

    assert [metadata[field] for field in fields] == [
        "airflow-provider-drs",
        airflow_provider_drs.__version__,
        "Apache-2.0",
        ">=3.11",
    ]


def test_readme_is_the_description(metadata: Message) -> None:
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert str(metadata.get_payload()).strip() == (environments.ROOT / "README.md").read_text("utf-8").strip()


def test_vendor_sdk_is_not_required(metadata: Message) -> None:
    needed = [each for each in metadata.get_all("Requires-Dist", []) if "extra ==" not in each]

    assert not [each for each in needed if "huawei" in each]


def test_entry_points(wheel: Path) -> None:
    entry_points = ConfigParser()
    entry_points.read_string(_read_info(wheel, "entry_points.txt"))

    assert {section: dict(entry_points[section]) for section in entry_points.sections()} == {
        "apache_airflow_provider": {"provider_info": "airflow_provider_drs.provider_info:get_provider_info"},
        "airflow.plugins": {"drs_report": "airflow_provider_drs.report.plugin:DrsReportPlugin"},
        "console_scripts": {
            "drs": "airflow_provider_drs.cli.__main__:main",
        },
    }


def test_two_builds_are_equal_and_valid(tmp_path: Path) -> None:
    url = "https://example.org/databases/airflow-provider-drs"
    first, second = (build(environments.ROOT, tmp_path / name, url=url) for name in ("first", "second"))

    assert hash_files(first) == hash_files(second)
    assert [file.name.rpartition(".")[2] for file in first] == ["whl", "gz"] * 2
    check_metadata(first)
    for wheel in tmp_path.glob("first/*.whl"):
        with ZipFile(wheel) as archive:
            (name,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
            assert f"Project-URL: Issues, {url}/issues\n" in archive.read(name).decode()


def test_bill_of_materials_has_the_dependencies(wheel: Path, tmp_path: Path) -> None:
    bill = json.loads(write_bill(wheel, tmp_path).read_text())

    names = {component["name"]: component.get("licenses") for component in bill["components"]}
    assert bill["bomFormat"] == "CycloneDX"
    ours = {"airflow-provider-drs", "apache-airflow", "aiohttp", "msgspec"}
    assert ours <= set(names)
    assert all(names[name] for name in ours)
