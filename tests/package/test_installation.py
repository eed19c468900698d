"""The tests run what users install, and an installed package that is not ours says so."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import rfc8785

from governance_core.core import installation, template_root
from governance_core.core.installation import PACKAGE

HEAVY = {"zenml", "sklearn", "evidently", "mlflow", "pandas"}
ASK = "from dataclasses import asdict; from governance_core.core import installation; "
ASK += "import json; print(json.dumps(asdict(installation())))"


def python(code: str, site: Path | None = None, *options: str) -> str:
    """Run code in a fresh interpreter, with ``site`` before the installed packages."""
    environment = os.environ | ({"PYTHONPATH": str(site)} if site else {})
    command = [sys.executable, *options, "-c", code]
    return subprocess.run(command, env=environment, cwd="/", check=True, capture_output=True, text=True).stdout


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Return a folder that holds a copy of the installed package and of its record."""
    record = next(PACKAGE.parent.glob("governed_ml_core-*.dist-info"))
    shutil.copytree(PACKAGE, tmp_path / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(record, tmp_path / record.name)
    return tmp_path


def test_the_installed_package_is_an_intact_wheel() -> None:
    assert installation().kind == "wheel", installation().problems
    assert (template_root() / "copier.yml").is_file()


def test_a_copy_with_its_record_is_a_wheel_as_well(site: Path) -> None:
    assert json.loads(python(ASK, site))["kind"] == "wheel"


def test_an_edited_file_makes_the_package_foreign(site: Path) -> None:
    edited = site / "governance_core" / "core" / "errors.py"
    edited.write_text(edited.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    found = json.loads(python(ASK, site))
    assert found["kind"] == "foreign"
    assert str(edited) in found["problems"][0]


def test_a_deleted_file_makes_the_package_foreign(site: Path) -> None:
    (site / "governance_core" / "cli" / "output.py").unlink()
    assert "is missing" in json.loads(python(ASK, site))["problems"][0]


def test_a_file_of_somebody_else_makes_the_package_foreign(site: Path) -> None:
    (site / "governance_core" / "extra.py").touch()
    found = json.loads(python(ASK, site))
    assert found["kind"] == "foreign"
    assert "extra.py does not belong" in found["problems"][0]


def test_a_package_of_our_import_name_without_our_record_is_foreign(site: Path) -> None:
    shutil.rmtree(next(site.glob("governed_ml_core-*.dist-info")))
    assert json.loads(python(ASK, site))["kind"] == "foreign"


def test_without_any_record_the_package_is_foreign(site: Path) -> None:
    shutil.rmtree(next(site.glob("governed_ml_core-*.dist-info")))
    shutil.copytree(Path(rfc8785.__file__).parent, site / "rfc8785")
    assert json.loads(python(ASK, site, "-S"))["kind"] == "foreign"  # -S: no installed packages


def test_an_editable_install_is_told_from_a_wheel(site: Path) -> None:
    record = next(site.glob("governed_ml_core-*.dist-info"))
    (record / "direct_url.json").write_text('{"url": "file:///x", "dir_info": {"editable": true}}', encoding="utf-8")
    assert json.loads(python(ASK, site))["kind"] == "editable"


def test_importing_the_package_loads_nothing_heavy() -> None:
    loaded = set(python("import governance_core, sys; print(*sys.modules)").split())
    assert not HEAVY & loaded


def test_parsing_the_command_line_loads_nothing_heavy() -> None:
    code = "from governance_core.cli import app; import sys\n"
    code += "for verbs in app.VERBS: __import__(f'governance_core.cli.{verbs}')\nprint(*sys.modules)"
    assert not HEAVY & set(python(code).split())
