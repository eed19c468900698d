"""`governance image build` with a builder that does as it is told: what is asked of it, and what is recorded."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from uuid import uuid4

import pytest
from support.command_line import Governance
from support.connectors import service_connectors
from support.scratch import Scratch
from support.trained import journal
from zenml.client import Client
from zenml.enums import StackComponentType as Kind
from zenml.service_connectors.service_connector_registry import service_connector_registry

from governance_core import images
from governance_core.core import GovernanceError, file_digest
from governance_core.lifecycle.history import summary

BASE, PUSHED = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
# Writes each call with its standard input to a file, and fails at the word that the file `fails` holds.
DOCKER = f"""#!/bin/sh
cd "$(dirname "$0")"
echo "$*" >> calls
case "$1" in
  login) cat >> passwords ;;
  pull) echo "Digest: {BASE}" ;;
  build)
    all="$*" tag=${{all#* --tag }}
    case "${{tag%% *}}" in *://*) echo "invalid reference format" >&2; exit 125 ;; esac
    [ ! -e edit ] || echo edited >> "$(cat edit)" ;;
  push) echo "latest: digest: {PUSHED} size: 1" ;;
esac
[ "$1" != "$(cat fails 2>/dev/null)" ] || {{ echo "denied" >&2; exit 1; }}
"""


class Docker:
    """A folder on the path with a `docker` of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def calls(self) -> list[str]:
        """What it was called with."""
        written = self.folder / "calls"
        return written.read_text().splitlines() if written.exists() else []

    def fails_at(self, word: str) -> None:
        """Let a command fail from now on."""
        (self.folder / "fails").write_text(word)


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Docker:
    """Return a builder that is found before any other."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in {"docker": DOCKER, "uv": "#!/bin/sh\n"}.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(folder), os.environ["PATH"]]))
    monkeypatch.setenv("HOME", str(tmp_path))
    return Docker(folder)


def stack_with(flavor: str, uri: str) -> str:
    """Make a stack that pushes to a container registry, and return its name, which the registry has too."""
    client, name = Client(), f"pushing-{uuid4().hex[:8]}"
    registry = client.create_stack_component(name, flavor, Kind.CONTAINER_REGISTRY, {"uri": uri})
    active = client.active_stack_model.components
    components = {kind: active[kind][0].id for kind in (Kind.ORCHESTRATOR, Kind.ARTIFACT_STORE)}
    client.create_stack(name, components | {Kind.CONTAINER_REGISTRY: registry.id})
    return name


@pytest.fixture
def project(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> Scratch:
    """Return a project with a lock, whose stack for staging and production has a container registry."""
    name = stack_with("default", "registry.test/team")
    for variable in ("ZENML_STAGING_STACK", "ZENML_PRODUCTION_STACK"):
        monkeypatch.setenv(variable, name)
    monkeypatch.setenv("ZENML_ACTIVE_STACK_ID", "")
    monkeypatch.chdir(scratch.root)
    for environment in ("local", "staging", "production"):
        scratch.write(f"configs/{environment}.yaml", "")
    scratch.write("uv.lock", "locked\n")
    scratch.git("remote", "add", "origin", "https://user:secret@git.test/team/project.git")
    scratch.add("pipelines", "")
    return scratch


def test_an_image_is_built_from_the_locked_files_pushed_and_recorded(
    project: Scratch, docker: Docker, governance: Governance
) -> None:
    code, out, err = governance("image", "build", "--environment", "production", "--json")
    assert code == 0, err
    event = journal(project)[-1]
    repository = f"registry.test/team/{project.project.project_slug}"
    base = "docker.io/library/python:3.11.14-slim-bookworm"
    assert json.loads(out)["image"] == event.body
    assert event.kind == "image"
    assert dict(event.body) == {
        "image": f"{repository}@{PUSHED}",
        "environment": "production",
        "base": f"{base}@{BASE}",
        "lock": file_digest(project.root / "uv.lock"),
        "dockerfile": file_digest(project.root / images.DOCKERFILE),
        "apt_packages": [],
        "commit": project.git("rev-parse", "HEAD"),
        "tree": project.git("rev-parse", "HEAD^{tree}"),
        "actor": event.body["actor"],
    }
    said = f"image {repository}@{PUSHED} for production by trainer@example.com (unverified)"
    assert summary(event).endswith(said)
    _, pull, build, push = docker.calls
    assert pull == f"pull --platform linux/amd64 {base}"
    assert " --platform linux/amd64 " in build, "whatever builds it"
    assert push.startswith(f"push {repository}:")
    assert f"--build-arg=PYTHON_DIGEST={BASE} " in build
    assert "--build-arg=SOURCE=https://git.test/team/project.git " in build, "without the password"


def test_the_image_holds_the_debian_packages_that_the_pipelines_ask_for(
    project: Scratch, docker: Docker, governance: Governance
) -> None:
    assert governance("image", "build", "--environment", "staging")[0] == 0
    del sys.modules[f"{project.package}.pipelines"]
    settings = "settings={'docker': get_docker_settings(apt_packages=['libgomp1', 'git'])}"
    code = f"@governed_pipeline({settings})\ndef reading():\n    load()\n"
    project.add("pipelines", f"from governance_core.docker import get_docker_settings\n\n{code}")
    assert governance("image", "build", "--environment", "staging", "--unless-built")[0] == 0
    assert journal(project)[-1].body["apt_packages"] == ["git", "libgomp1"]
    assert "--build-arg=APT_PACKAGES=git libgomp1 " in docker.calls[-2], "the first image lacks them"


def test_an_edit_while_the_image_is_built_is_not_pushed_as_the_commit(
    project: Scratch, docker: Docker, governance: Governance
) -> None:
    (docker.folder / "edit").write_text(str(project.root / "uv.lock"))
    code, _, err = governance("image", "build", "--environment", "staging")
    assert (code, journal(project)) == (3, [])
    assert "dirty-tree: files changed while the image was built, and nothing was pushed" in err
    assert "push" not in {call.split()[0] for call in docker.calls}


def test_a_package_that_is_none_of_debians_never_reaches_the_build(
    project: Scratch, docker: Docker, governance: Governance
) -> None:
    del sys.modules[f"{project.package}.pipelines"]
    settings = "settings={'docker': DockerSettings(apt_packages=['-oA=b'])}"
    reading = f"@governed_pipeline({settings})\ndef reading():\n    load()\n"
    project.add("pipelines", f"from zenml.config import DockerSettings\n\n{reading}")
    code, _, err = governance("image", "build", "--environment", "staging")
    assert (code, docker.calls) == (2, [])
    assert "apt_packages: '-oA=b' is no name of a Debian package" in err


def test_a_failed_push_records_nothing(project: Scratch, docker: Docker, governance: Governance) -> None:
    docker.fails_at("push")
    code, _, err = governance("image", "build", "--environment", "staging")
    assert (code, journal(project)) == (1, [])
    assert "`docker push` failed, and nothing was recorded: denied" in err


def test_an_image_is_built_again_unless_one_of_the_lock_may_run(
    project: Scratch, docker: Docker, governance: Governance
) -> None:
    arguments = ("image", "build", "--unless-built", "--environment")
    assert governance(*arguments, "staging")[0] == 0
    calls = docker.calls
    assert governance(*arguments, "staging")[1].endswith("holds this lock; nothing was done\n")
    assert docker.calls == calls
    assert governance(*arguments, "production")[0] == 0, "what was built for staging does not run in production"
    project.write(images.DOCKERFILE, (project.root / images.DOCKERFILE).read_text() + "RUN true\n")
    project.commit()
    assert governance(*arguments, "staging")[0] == 0, "the image was made of another Dockerfile"
    assert [event.body["environment"] for event in journal(project)] == ["staging", "production", "staging"]


def test_what_no_commit_holds_or_the_lock_does_not_fit_is_not_built(
    project: Scratch, docker: Docker, governance: Governance
) -> None:
    project.write("notes.txt", "new")
    (docker.folder / "uv").write_text("#!/bin/sh\necho 'The lockfile needs to be updated' >&2\nexit 1\n")
    code, _, err = governance("image", "build", "--environment", "staging")
    assert (code, docker.calls, journal(project)) == (3, [], [])
    assert "dirty-tree: the working tree has changes that no commit holds" in err
    assert "lock-outdated: `uv lock --check` says: The lockfile needs to be updated; run `uv lock`" in err


@pytest.mark.usefixtures("docker")
def test_what_is_missing_is_named(project: Scratch, governance: Governance, monkeypatch: pytest.MonkeyPatch) -> None:
    code, _, err = governance("image", "build", "--environment", "local")
    assert (code, "stack default, which local runs on, has no container registry" in err) == (2, True)
    (project.root / "uv.lock").unlink()
    code, _, err = governance("image", "build", "--environment", "staging")
    assert (code, f"{project.root / 'uv.lock'} does not exist; run `make setup`" in err) == (2, True)
    del monkeypatch


def test_a_registry_whose_library_is_not_installed_is_named_with_the_extra_that_has_it(
    project: Scratch, docker: Docker, governance: Governance, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = stack_with("aws", "123456789012.dkr.ecr.eu-west-1.amazonaws.com")
    monkeypatch.setenv("ZENML_STAGING_STACK", name)
    for module in [*sys.modules]:
        if module.startswith("zenml.integrations.aws.container_registries"):
            monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "boto3", None)  # importing it fails
    code, _, err = governance("image", "build", "--environment", "staging")
    assert (code, journal(project), docker.calls) == (2, [], ["info"])
    assert err == (
        f"error: stack {name}, which staging runs on, has the container registry {name}, whose library is not "
        "installed here; an environment with the extra aws of the platform's package has it\n"
    )


def test_a_registry_whose_connector_is_not_known_here_is_named_with_the_extra_that_has_it(
    project: Scratch, docker: Docker, governance: Governance, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = stack_with("gcp", "europe-west1-docker.pkg.dev/acme/images")
    monkeypatch.setenv("ZENML_STAGING_STACK", name)
    with service_connectors():
        keyless = {"auth_method": "implicit", "configuration": {"project_id": "acme"}, "verify": False}
        connector, _ = Client().create_service_connector(name, connector_type="gcp", **keyless)
        Client().update_stack_component(name, Kind.CONTAINER_REGISTRY, connector_id=connector.id)
    monkeypatch.delitem(service_connector_registry.service_connector_types, "gcp", raising=False)
    code, _, err = governance("image", "build", "--environment", "staging")
    assert (code, journal(project), docker.calls) == (2, [], ["info"])
    assert err.endswith("here; an environment with the extra gcp of the platform's package has it\n")


def test_a_registry_with_a_scheme_names_no_image(
    project: Scratch, docker: Docker, governance: Governance, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = stack_with("default", "https://registry.test/team")
    monkeypatch.setenv("ZENML_STAGING_STACK", name)
    code, _, err = governance("image", "build", "--environment", "staging")
    assert (code, journal(project), docker.calls) == (2, [], ["info"])
    assert f"`zenml container-registry update {name} --uri=registry.example.com/team`" in err


def test_what_the_folder_lacks_is_said_before_what_the_stack_lacks(
    project: Scratch, docker: Docker, governance: Governance
) -> None:
    project.write("notes.txt", "new")
    code, _, err = governance("image", "build", "--environment", "local")  # whose stack has no registry
    assert (code, docker.calls) == (3, [])
    assert "dirty-tree: " in err


def test_credentials_of_the_registry_are_no_argument(
    project: Scratch, docker: Docker, governance: Governance, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zenml.container_registries import DefaultContainerRegistryFlavor

    registry = DefaultContainerRegistryFlavor().implementation_class
    monkeypatch.setattr(registry, "credentials", property(lambda _: ("robot", "pass-word")))
    assert governance("image", "build", "--environment", "staging")[0] == 0
    assert "login --username robot --password-stdin registry.test" in docker.calls
    assert (docker.folder / "passwords").read_text() == "pass-word"
    assert "pass-word" not in "".join(docker.calls)
    del project


def test_the_login_of_the_registry_itself_comes_first(
    project: Scratch, docker: Docker, governance: Governance, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zenml.container_registries import DefaultContainerRegistryFlavor

    registry = DefaultContainerRegistryFlavor().implementation_class
    monkeypatch.setattr(registry, "credentials", property(lambda _: ("robot", "pass-word")))
    monkeypatch.setattr(images, "ambient_credentials", lambda _: ("somebody", "else"))
    assert governance("image", "build", "--environment", "staging")[0] == 0
    assert (docker.folder / "passwords").read_text() == "pass-word"
    del project


def test_without_credentials_of_the_registry_those_of_where_it_runs_log_in_before_the_build(
    project: Scratch, docker: Docker, governance: Governance, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(images, "ambient_credentials", lambda host: asked.append(host) or ("robot", "of-the-job"))
    assert governance("image", "build", "--environment", "staging")[0] == 0
    assert asked == ["registry.test"]
    words = [call.split()[0] for call in docker.calls]
    assert words == ["info", "login", "pull", "build", "push", "logout"]
    assert (docker.folder / "passwords").read_text() == "of-the-job"
    assert "of-the-job" not in "".join(docker.calls)
    del project


def test_without_any_credentials_the_builders_own_serve(
    project: Scratch, docker: Docker, governance: Governance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(host: str) -> None:
        raise GovernanceError(f"nobody is known to {host}")

    monkeypatch.setattr(images, "ambient_credentials", nobody)
    code, _, err = governance("image", "build", "--environment", "staging")
    assert (code, len(journal(project))) == (0, 1), err
    assert "nobody is known to registry.test; it is pushed as docker itself is logged in" in err
    assert "login" not in " ".join(docker.calls)


def test_a_builder_that_keeps_no_login_still_has_its_own_but_one_of_the_registry_is_needed(
    project: Scratch, docker: Docker, governance: Governance, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zenml.container_registries import DefaultContainerRegistryFlavor

    docker.fails_at("login")  # as some credential helpers do
    monkeypatch.setattr(images, "ambient_credentials", lambda _: ("robot", "of-the-job"))
    code, _, err = governance("image", "build", "--environment", "staging")
    assert (code, len(journal(project))) == (0, 1), err
    assert "`docker login` failed" in err
    registry = DefaultContainerRegistryFlavor().implementation_class
    monkeypatch.setattr(registry, "credentials", property(lambda _: ("robot", "pass-word")))
    assert governance("image", "build", "--environment", "staging")[0] == 1
    assert len(journal(project)) == 1
