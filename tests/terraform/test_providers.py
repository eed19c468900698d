"""The stand-ins for providers refuse what the real ones would: Terraform names each mistake and its place."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.rendering import edit
from terraform.run import Terraform, terraform_for, tried, unformatted

CODE = Path(__file__).with_name("example")


@pytest.fixture(scope="module")
def terraform() -> Iterator[Terraform]:
    """Return Terraform with what the example uses."""
    with terraform_for(CODE) as terraform:
        yield terraform


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """Return the example, to write to."""
    return Path(shutil.copytree(CODE, tmp_path / "example"))


def test_terraform_holds_the_example_to_be_valid_and_its_tests_pass(terraform: Terraform, code: Path) -> None:
    assert unformatted(terraform, code) == ""
    assert tried(terraform, code).found == ""


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("public_access_prevention ", "public_access_preventions ", 'Did you mean "public_access_prevention"?'),
        ("  versioning {", "  version {", 'Blocks of type "version" are not expected here'),
        ('"google_storage_bucket" "this"', '"google_storage_buckets" "this"', 'Did you mean "google_storage_bucket"?'),
        ('  location                    = "EU"\n', "", 'The argument "location" is required'),
        ("enabled = true", 'enabled = "often"', "a bool is required"),
        ("this.url", "this.uri", 'has no argument, nested block, or exported attribute named "uri"'),
        ("  flavor = ", "  flavour = ", 'Did you mean "flavor"?'),
    ],
)  # fmt: skip
def test_terraform_refuses(terraform: Terraform, code: Path, right: str, wrong: str, said: str) -> None:
    edit(code / "main.tf", right, wrong)
    found = tried(terraform, code).found
    assert said in " ".join(found.split())
    assert "on main.tf line" in found


def test_a_root_without_tests_is_not_taken_for_one_whose_tests_pass(terraform: Terraform, code: Path) -> None:
    shutil.rmtree(code / "tests")
    assert tried(terraform, code).found == "it has no tests that plan"
