"""The policy of the Terraform code holds in every render, and each of its rules finds what it is there for."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.rendering import edit
from terraform.policy import RULES, Folder, least_privilege, private, rooted, violations
from terraform.rights import rights

EXAMPLE = Path(__file__).with_name("example")
RULES_BY_NAME = {rule.__name__: rule for rule in RULES}
BAD = [  # what finds a mistake, what it says, and the mistake: each stands below a comment in the file of its rule
    (path.stem, *case.split("\n", 1))
    for path in sorted(Path(__file__).with_name("bad").glob("*.tf"))
    for case in path.read_text(encoding="utf-8").split("# finds: ")[1:]
]


def test_the_rules_find_nothing_in_a_good_example() -> None:
    assert violations(EXAMPLE) == []


@pytest.mark.parametrize(("rule", "found", "code"), BAD)
def test_a_rule_finds_a_bad_example(tmp_path: Path, rule: str, found: str, code: str) -> None:
    (tmp_path / "main.tf").write_text(code, encoding="utf-8")
    assert any(found in what for what in RULES_BY_NAME[rule](Folder(tmp_path)))


def test_every_rule_has_a_bad_example() -> None:
    assert {rule for rule, _, _ in BAD} == RULES_BY_NAME.keys()


@pytest.mark.parametrize("code", ['provider "google" {}\n', 'terraform {\n  backend "gcs" {}\n}\n'])
def test_a_module_has_neither_provider_nor_backend(tmp_path: Path, code: str) -> None:
    module = tmp_path / "modules/it"
    module.mkdir(parents=True)
    (module / "main.tf").write_text(code, encoding="utf-8")
    assert list(rooted(Folder(module))) == ["a module configures a backend or a provider"]


def test_a_wildcard_is_let_by_for_a_reason_beside_it_or_where_it_is_denied(tmp_path: Path) -> None:
    statement = '  a = {\n    Effect   = "Allow"\n    Resource = "*" # knows no resource\n  }\n'
    denial = '  b = {\n    Effect    = "Deny"\n    Principal = "*"\n    Action    = "s3:*"\n  }\n'
    (tmp_path / "main.tf").write_text(f"locals {{\n{statement}{denial}}}\n", encoding="utf-8")
    assert not [*least_privilege(Folder(tmp_path)), *private(Folder(tmp_path))]
    edit(tmp_path / "main.tf", " # knows no resource", "")
    assert list(least_privilege(Folder(tmp_path)))


@pytest.mark.parametrize(
    "statement",
    ['Action = "a:b"', 'Sid = "A"\n Effect = "Allow"\n NotAction = "a:b"', 'Effect = "Allow"\n Action = "*"'],
)
def test_a_statement_of_which_nobody_could_tell_what_it_allows_is_an_error(tmp_path: Path, statement: str) -> None:
    (tmp_path / "main.tf").write_text(f"locals {{\n  it = {{\n {statement}\n}}\n}}\n", encoding="utf-8")
    with pytest.raises(ValueError, match="a statement without"):
        rights(tmp_path, "vertex")
