"""What one file of the template says must agree with the others."""

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from jinja2 import meta
from support.answers import PAIRWISE
from support.command_line import parse
from support.rendering import ROOT, files, questions, render
from zenml.cli.cli import cli

from governance_core.core import template_root
from governance_core.project import FILES, Project, file_class, load_project
from governance_core.secrets.declared import declared_secrets
from governance_core.stacks.flavors import flavors

SETTINGS: dict[str, Any] = yaml.safe_load((ROOT / "copier.yml").read_text(encoding="utf-8"))
TEMPLATE = ROOT / "template"
SOURCES = [path.relative_to(TEMPLATE).as_posix() for path in sorted(TEMPLATE.rglob("*")) if path.is_file()]
ANSWERS_SOURCE = ".copier-answers.yml.jinja"


def test_the_settings_are_those_that_copier_knows_and_none_needs_trust() -> None:
    """Copier ignores a setting that it does not know, and tasks, migrations and extensions ask for --trust."""
    assert {name for name in SETTINGS if name.startswith("_")} == {
        "_min_copier_version",
        "_subdirectory",
        "_answers_file",
        "_envops",
        "_exclude",
        "_skip_if_exists",
        "_message_after_copy",
    }


def test_a_slip_in_a_template_file_is_an_error_and_not_an_empty_string() -> None:
    assert SETTINGS["_envops"]["undefined"] == "jinja2.StrictUndefined"


def test_every_question_that_takes_free_text_has_a_validator_and_every_one_a_default() -> None:
    for name, question in questions().items():
        assert "default" in question, name
        assert "validator" in question or "choices" in question, name
        assert question["help"], name


def test_the_questions_are_the_fields_of_the_project_file() -> None:
    assert questions().keys() == Project.model_fields.keys()


def undeclared(source: str) -> set[str]:
    environment = jinja2.Environment(**SETTINGS["_envops"] | {"undefined": jinja2.StrictUndefined})
    return meta.find_undeclared_variables(environment.parse(source))


@pytest.mark.parametrize("name", [name for name in SOURCES if name != ANSWERS_SOURCE])
def test_a_template_file_uses_answers_only(name: str) -> None:
    """Paths, dates, versions of tools and where the template was would differ between equal answers."""
    used = undeclared(name)
    if name.endswith(".jinja"):
        used |= undeclared((TEMPLATE / name).read_text(encoding="utf-8"))
    assert used <= questions().keys()


def test_every_question_has_an_effect_besides_the_project_file() -> None:
    sources = [name for name in SOURCES if name not in {ANSWERS_SOURCE, "governance/project.yaml.jinja"}]
    bodies = [name + (TEMPLATE / name).read_text(encoding="utf-8") for name in sources]
    used = set().union(*map(undeclared, bodies))
    assert questions().keys() <= used


def test_a_file_is_a_template_only_where_it_must_be() -> None:
    """An unsuffixed file is read by editors and linters as what it is."""
    # A template/.gitignore would hide files of the template from this repository.
    plain = {".gitignore.jinja", ANSWERS_SOURCE}
    for name in SOURCES:
        if name.endswith(".jinja") and name not in plain:
            assert re.search(r"\[[=%]", (TEMPLATE / name).read_text(encoding="utf-8")), name


@pytest.mark.parametrize("answers", PAIRWISE[:2])
def test_every_rendered_file_has_a_class_and_every_class_entry_a_file(answers: dict[str, str]) -> None:
    rendered = [path for ci in questions()["ci"]["choices"].values() for path in files(render(**answers | {"ci": ci}))]
    assert [path for path in rendered if file_class(path) is None] == []
    for pattern in [pattern for patterns in FILES.values() for pattern in patterns]:
        assert any(path == pattern or path.startswith(pattern) for path in rendered), pattern


def test_copier_passes_seeds_by_and_nothing_else() -> None:
    seeds = [f"/{pattern}**" if pattern.endswith("/") else f"/{pattern}" for pattern in FILES["seed"]]
    on_update = [f"[% if _copier_operation == 'update' %]{seed}[% endif %]" for seed in seeds]
    assert SETTINGS["_skip_if_exists"] == seeds
    assert [pattern for pattern in SETTINGS["_exclude"] if "_copier_operation" in pattern] == on_update


def test_the_wheel_carries_exactly_the_template_that_git_knows() -> None:
    """A file that git ignores, or that nobody added, is missing in one of the two."""
    listed = subprocess.run(["git", "ls-files", "-z", "template"], cwd=ROOT, check=True, capture_output=True, text=True)
    packed = template_root() / "template"
    carried = {path.relative_to(template_root()).as_posix(): path for path in packed.rglob("*") if path.is_file()}
    carried = {name: path for name, path in carried.items() if path.suffix != ".pyc"}
    assert sorted(carried) == sorted(filter(None, listed.stdout.split("\0")))
    for name, path in carried.items():
        assert path.read_bytes() == (ROOT / name).read_bytes(), name
        assert (path.stat().st_mode ^ (ROOT / name).stat().st_mode) & 0o100 == 0, name


def test_a_rendered_script_is_executable_and_an_imported_file_is_not() -> None:
    for path in sorted(Path(render()).rglob("*.py")):
        assert bool(path.stat().st_mode & 0o100) == (path.read_text(encoding="utf-8").startswith("#!")), path


def documented_commands(project: Path) -> list[tuple[str, list[str]]]:
    """Return the commands of the console blocks in a rendered project's documents."""
    return [
        (page.name, shlex.split(line, comments=True))
        for page in [project / "README.md", *sorted((project / "docs").glob("*.md"))]
        for block in re.findall(r"```console\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
        for line in block.splitlines()
    ]


def test_the_commands_in_a_projects_documents_are_ones_that_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (render() / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    scripts = {
        "scripts/promote_model.py": ["promote"],
        "scripts/rollback_model.py": ["rollback"],
        "scripts/build_snapshot.py": ["snapshot", "create"],
    }
    commands = documented_commands(render())
    programs = {"make", "python", "governance", "zenml", "umask", "copier", "gh", "git", "uv"}
    assert {words[0] for _, words in commands} == programs
    for page, words in commands:
        match words:
            case ["make", *wanted]:
                assert {word for word in wanted if "=" not in word} <= targets, (page, words)
            case ["python", "run.py", *options]:
                assert options[::2] in (["--pipeline"], ["--pipeline", "--environment"]), (page, words)
            case ["python", script, *options]:
                parse([*scripts[script], *options])
            case ["governance", *arguments]:
                parse(arguments)
            case ["zenml", *arguments]:
                parse(arguments, cli)


PLATFORMS = {
    "git": ("ssh://git@git.example.com/platform/governed.git", "weekly update fetch `{}`"),
    "index": ("https://packages.example.com/simple", "installs from the index `{}`"),
    "path": ("/srv/platform", "`{}` is a folder of one machine"),
}


@pytest.mark.parametrize("source", PLATFORMS)
@pytest.mark.parametrize("system", ["github", "gitlab", "jenkins"])
def test_a_project_is_told_how_ci_gets_the_platform_from_its_own_source_and_no_other(system: str, source: str) -> None:
    location, _ = PLATFORMS[source]
    project = render(ci=system, governance_source=source, governance_location=location)
    page = (project / "docs/ci.md").read_text(encoding="utf-8")
    (section,) = re.findall(r"^## Where the platform comes from\n\n(.*?)^## ", page, re.DOTALL | re.MULTILINE)
    assert [name for name, (_, said) in PLATFORMS.items() if said.format(location) in section] == [source]
    assert ("url.https://reader:$(cat platform.token)@git.example.com/platform/governed.git.insteadOf" in section) is (
        (system, source) == ("gitlab", "git")
    )


@pytest.mark.parametrize("alerter", [("slack", "C0123ABCD"), ("discord", "112233445566778899")])
@pytest.mark.parametrize("cloud", ["local", "gcp"])
def test_the_commands_that_give_runs_an_alerter_and_a_tracker_are_ones_that_exist(
    cloud: str, alerter: tuple[str, str]
) -> None:
    chat = {"alerter": alerter[0], "alert_channel": alerter[1]}
    commands = documented_commands(render(cloud=cloud, experiment_tracker="mlflow", **chat))
    for page in ("alerts.md", "experiments.md", "stacks.md"):
        verbs = [words[1:] for name, words in commands if (name, words[0]) == (page, "governance")]
        assert ["stack", "register"] in [words[:2] for words in verbs], page
        for arguments in verbs:
            parse(arguments)
    for arguments in (words[1:] for _, words in commands if words[0] == "zenml"):
        parse(arguments, cli)


def test_the_stack_refers_to_the_secrets_that_the_platform_declares() -> None:
    for alerter, channel in (("slack", "C0123ABCD"), ("discord", "112233445566778899")):
        root = render(cloud="gcp", experiment_tracker="mlflow", alerter=alerter, alert_channel=channel)
        declared = {
            f"{{{{{secret.name}.{key}}}}}" for secret in declared_secrets(root).values() for key in secret.keys
        }
        given = {value for flavor in flavors(load_project(root), "staging") for value in flavor.given.values()}
        assert given - {channel} == declared
