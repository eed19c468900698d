"""What `copier copy` gives: clean code, the same bytes everywhere, and clear words where an answer is wrong."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from pytest_copie.plugin import Copie
from support.answers import PAIRWISE
from support.rendering import ROOT, copy_template, files, git, project_copy, render, template, template_repository

from governance_core.core import version
from governance_core.project import Project, file_class, load_project, render_governed

RUFF = Path(sys.executable).parent / "ruff"
COPIER = Path(sys.executable).parent / "copier"


def test_every_render_has_no_ruff_finding_and_is_formatted() -> None:
    projects = [render(**answers) for answers in PAIRWISE]
    assert len(projects) >= 12
    for command in (["check"], ["format", "--diff"]):
        done = subprocess.run([RUFF, *command, "--no-cache", *projects], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("answers", PAIRWISE)
def test_answers_reach_the_code_as_they_were_given_and_no_delimiter_is_left(answers: dict[str, str]) -> None:
    project = render(**answers)
    answered = load_project(project).model_dump()
    assert answers.items() <= answered.items()
    recorded = yaml.safe_load((project / ".copier-answers.yml").read_text(encoding="utf-8"))
    assert {name: recorded.get(name) for name in answered} == answered
    given = [value for value in answered.values() if value]
    for path, content in files(project).items():
        if path == ".copier-answers.yml":  # holds the answers as YAML spells them
            continue
        text = content.decode()
        for value in given:
            text = text.replace(value, "")
        assert not any(mark in text for mark in ("[=", "=]", "[%", "%]", "[#", "#]")), path
        assert content.endswith(b"\n"), path
        assert b"\n\n\n\n" not in content, path


@pytest.mark.parametrize("answers", PAIRWISE)
def test_plain_jinja_renders_the_governed_files_as_copier_does(answers: dict[str, str]) -> None:
    project = render(**answers)
    expected = {path: content for path, content in files(project).items() if file_class(path) == "governed"}
    rendered = render_governed(load_project(project))
    assert {path: file.content for path, file in rendered.items()} == expected
    for path, file in rendered.items():
        assert bool((project / path).stat().st_mode & 0o100) == file.executable, path


def test_equal_answers_give_equal_bytes_on_another_day_elsewhere_and_for_another_user(tmp_path: Path) -> None:
    source = template_repository(tmp_path / "platform")
    renders = []
    # Between these two time zones lie 26 hours: wherever the clock stands, it is another day.
    for name, zone, mask, line_ends in [("one", "A12", 0o022, "input"), ("an ötHer", "B-14", 0o077, "true")]:
        home = tmp_path / f"home {name}"
        home.mkdir()
        (home / ".gitconfig").write_text(f"[core]\n  autocrlf = {line_ends}\n[user]\n  name = {name}\n")
        environment = {"PATH": os.environ["PATH"], "HOME": str(home), "USER": name, "TZ": zone, "PYTHONHASHSEED": "1"}
        target = tmp_path / f"to {name}"
        command = [COPIER, "copy", "--quiet", "--defaults", "--vcs-ref=HEAD", f"git+file://{source}", target]
        subprocess.run(command, env=environment, cwd=home, umask=mask, check=True)
        renders.append(target)
    one, other = renders
    assert files(one) == files(other)
    assert all(os.access(one / path, os.X_OK) == os.access(other / path, os.X_OK) for path in files(one))


def test_a_clone_without_tags_gives_a_project_that_takes_the_package_from_its_path(tmp_path: Path) -> None:
    source = template_repository(tmp_path / "plat form")
    relative = Path(os.path.relpath(source))
    copied = copy_template(tmp_path / "project", relative)
    project = load_project(copied)
    assert (project.governance_source, project.governance_location) == ("path", str(source))
    answers = yaml.safe_load((copied / ".copier-answers.yml").read_text(encoding="utf-8"))
    assert answers["_src_path"] == str(source), "an update finds it from any directory"


@pytest.mark.parametrize(
    ("source", "location"),
    [
        ("git+file://{}", "file://{}"),
        ("git+https://example.com/p.git", "https://example.com/p.git"),
        ("https://example.com/p.git", "https://example.com/p.git"),
        ("gh:acme/platform", "https://github.com/acme/platform"),
        ("git@example.com:acme/platform.git", "ssh://git@example.com/acme/platform.git"),
    ],
)
def test_a_template_from_a_url_gives_a_project_that_takes_the_package_from_there(
    source: str, location: str, tmp_path: Path
) -> None:
    repository = template_repository(tmp_path / "platform")
    config = tmp_path / "gitconfig"
    for base in ("https://example.com/p.git", "https://github.com/acme/platform.git", "git@example.com:acme/platform.git"):
        git(repository, "config", "--file", str(config), "--add", f"url.file://{repository}.insteadOf", base)
    environment = os.environ | {"GIT_CONFIG_GLOBAL": str(config), "COPIER_CACHE_DIR": str(tmp_path / "cache")}
    command = [COPIER, "copy", "--quiet", "--defaults", source.format(repository), tmp_path / "project"]
    subprocess.run(command, env=environment, check=True)
    project = load_project(tmp_path / "project")
    assert (project.governance_source, project.governance_location) == ("git", location.format(repository))


@pytest.mark.parametrize(
    ("source", "location", "pinned"),
    [
        ("path", "/a b/ü", {"path": "/a b/ü"}),
        ("git", "https://example.com/p.git", {"git": "https://example.com/p.git", "tag": f"v{version()}"}),
        ("index", "https://example.com/simple", {"index": "platform"}),
    ],
)
def test_the_pin_names_the_release_and_never_the_public_index(
    source: str, location: str, pinned: dict[str, str]
) -> None:
    project = render(governance_source=source, governance_location=location)
    pin = tomllib.loads((project / "governance/pyproject.toml").read_text(encoding="utf-8"))
    assert pin["project"]["dependencies"] == [f"governed-ml-core=={version()}"]
    assert pin["tool"]["uv"]["sources"] == {"governed-ml-core": pinned}
    indexes = [{"name": "platform", "url": location, "explicit": True}] if source == "index" else None
    assert pin["tool"]["uv"].get("index") == indexes
    team_s = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    assert "governed-ml-core[zenml]" in team_s["project"]["dependencies"], "no version: the pin alone holds it"
    assert team_s["tool"]["uv"]["workspace"]["members"] == ["governance"]


@pytest.mark.parametrize(
    ("problem", "tests"), [("classification", "tests/test_steps.py"), ("regression", "tests")]
)
def test_a_rendered_project_passes_its_own_tests(problem: str, tests: str, tmp_path: Path) -> None:
    """The first day's test runs those of the default answers in an environment of their own."""
    project = project_copy(tmp_path / "project", problem=problem)
    environment = os.environ | {"PYTHONPATH": str(project / "src")}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tests]
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_unknown_answer_is_refused() -> None:
    with pytest.raises(LookupError, match="the template asks no projct_name"):
        render(projct_name="A slip of the finger")


@pytest.mark.parametrize(
    ("question", "answers", "said"),
    [
        ("project_name", ["", " x", 'a "b"', "a\\b", "a\nb", "x" * 81], "no double quote, backslash or line break"),
        ("description", ["", "x ", 'a "b"', "a\\b", "a\tb", "x" * 201], "no double quote, backslash or line break"),
        ("owner_team", ["", 'a "b"', "x" * 81], "no double quote, backslash or line break"),
        ("positive_label", ["", 'a "b"', "x" * 51], "no double quote, backslash or line break"),
        ("project_slug", ["", "A", "a_b", "a--b", "-a", "1a", "a\n", "x" * 51], "The slug starts with a lower-case letter"),
        ("package_name", ["", "A", "a-b", "1a", "a.b", "a\n", "x" * 51], "The package name starts with a lower-case letter"),
        ("package_name", ["class", "lambda"], "is a Python keyword"),
        ("package_name", ["governance_core", "zenml", "tests"], "would hide another package"),
        ("model_name", ["", "A", "a b", "a/b", "x" * 51], "The model name starts with a lower-case letter"),
        ("owner_email", ["", "a", "a@b", "a b@c.de", "a@b.de\n"], "name@domain.tld"),
        ("risk_tier", ["none"], "risk_tier"),
    ],
)
def test_a_wrong_answer_is_refused_with_what_is_allowed(
    question: str, answers: list[str], said: str, copie: Copie
) -> None:
    for answer in answers:
        refused = copie.copy(extra_answers={question: answer}, template_dir=template())
        assert refused.exit_code != 0, answer
        assert said in str(refused.exception), answer


@pytest.mark.parametrize(
    ("source", "location", "said"),
    [
        ("path", "relative", "absolute path"),
        ("path", '/a"b', "absolute path"),
        ("git", "/a/path", "https://, ssh:// or file://"),
        ("git", "https://a b", "https://, ssh:// or file://"),
        ("index", "packages.example.com", "such as https://packages.example.com/simple"),
        ("index", None, "such as https://packages.example.com/simple"),
    ],
)
def test_a_location_must_suit_the_source(source: str, location: str | None, said: str, copie: Copie) -> None:
    given = {"governance_source": source} | ({"governance_location": location} if location else {})
    refused = copie.copy(extra_answers=given, template_dir=template())
    assert said in str(refused.exception)


@pytest.mark.parametrize(
    ("alerter", "channel", "said"),
    [
        ("slack", None, "such as C0123ABCD"),
        ("slack", "#alerts", "such as C0123ABCD"),
        ("slack", "C0123ABCD\n", "such as C0123ABCD"),
        ("discord", "C0123ABCD", "numeric ID, such as 112233445566778899"),
        ("teams", None, "alerter"),
    ],
)
def test_a_channel_must_suit_the_alerter(alerter: str, channel: str | None, said: str, copie: Copie) -> None:
    given = {"alerter": alerter} | ({"alert_channel": channel} if channel else {})
    refused = copie.copy(extra_answers=given, template_dir=template())
    assert said in str(refused.exception)


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"cloud": "gcp", "region": "europe-west1-b"}, "has the form europe-west1"),
        ({"cloud": "aws", "region": "europe-west1"}, "has the form eu-west-1"),
        ({"cloud": "azure", "region": "West Europe"}, "such as westeurope"),
        ({"cloud": "aws", "orchestrator": "vertex"}, "With cloud aws the orchestrator is sagemaker or kubernetes"),
    ],
)
def test_a_region_and_an_orchestrator_must_suit_the_cloud(answers: dict[str, str], said: str, copie: Copie) -> None:
    refused = copie.copy(extra_answers=answers, template_dir=template())
    assert said in str(refused.exception)


@pytest.mark.parametrize(
    ("answers", "extras"),
    [
        ({"cloud": "gcp"}, "zenml,gcp"),
        ({"cloud": "aws", "orchestrator": "kubernetes"}, "zenml,aws,kubernetes"),
        ({}, "zenml"),
        ({"alerter": "slack", "alert_channel": "C0123ABCD"}, "zenml,slack"),
        ({"alerter": "discord", "alert_channel": "112233445566778899"}, "zenml,discord"),
        ({"experiment_tracker": "mlflow"}, "zenml,mlflow"),
    ],
)
def test_a_project_installs_the_libraries_that_its_answers_ask_for_and_no_others(answers: dict[str, str], extras: str) -> None:
    dependencies = tomllib.loads((render(**answers) / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert dependencies["dependencies"][0] == f"governed-ml-core[{extras}]"


@pytest.mark.parametrize("name", ["Überleben & Größe", "肿瘤", "42", "O'Brien's 3rd model!", "class"])
def test_a_name_in_any_script_has_a_valid_slug_and_package(name: str) -> None:
    answers = {"package_name": "class_"} if name == "class" else {}
    project = load_project(render(project_name=name, **answers))
    assert project.project_name == name
    assert Project.model_validate(project.model_dump()).package_name.isidentifier()


def test_the_template_needs_no_git_at_all(tmp_path: Path) -> None:
    shutil.copytree(template(), tmp_path / "template")
    project = copy_template(tmp_path / "project", tmp_path / "template")
    assert files(project).keys() == files(render()).keys()
    assert not (ROOT / "template/.git").exists()
