"""The rendered Dockerfile, really built by `governance image build`, pushed to a real registry, and run.

Its base is a stand-in: Debian's packages under the name of the image that the Dockerfile names, in a registry of this
machine. It has git, which a submission asks and a step does not, and trusts the certificates that this machine trusts.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.request import Request, urlopen

import pytest
from filelock import FileLock
from support.ci_project import job_environment, run
from support.command_line import Governance
from support.rendering import ROOT, commit_all, copy_template, platform_repository, start_repository
from support.servers import free_port, program, running
from zenml.client import Client
from zenml.enums import StackComponentType as Kind

from governance_core.project import load_project
from governance_core.registry.chains import journal

BASE = "docker.io/library/python:3.11.14-slim-bookworm"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
PASSWORD = "only-for-the-build"
USER = 10001


@pytest.fixture
def base() -> Path:
    """Return the files of the base, which are made once, from the mirror that this machine's apt uses."""
    bootstrap = program("mmdebstrap")
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME) $(COMPONENT)", "Identifier: Packages"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    mirror, suite, _ = next(line.split() for line in listed if line.endswith(" main"))
    files = ROOT / f"build/base-{suite}.tar"
    packages = "--include=ca-certificates,git,python-is-python3,python3,python3-pip,python3-venv"
    with FileLock(files.with_suffix(".lock")):
        if not files.is_file():
            made = files.with_suffix(".part.tar")
            subprocess.run([bootstrap, "--quiet", "--variant=minbase", packages, suite, made, mirror], check=True)
            made.rename(files)
    return files


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    """Return the address of an empty container registry."""
    address = f"127.0.0.1:{free_port()}"
    configuration = {
        "version": 0.1,
        "log": {"level": "error"},
        "storage": {"filesystem": {"rootdirectory": str(tmp_path / "registry")}},
        "http": {"addr": address},
    }
    (tmp_path / "registry.json").write_text(json.dumps(configuration))
    with running(program("docker-registry"), "serve", tmp_path / "registry.json", ready=f"http://{address}/v2/"):
        yield address


@pytest.fixture
def buildah(registry: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """Return what runs Buildah, with storage of its own and the registry as mirror of Docker Hub; no Docker runs."""
    command, storage = program("buildah"), tmp_path / "storage"
    if os.geteuid():
        pytest.skip("the image is built and its files are given away by root alone")
    insecure = f'location = "{registry}"\ninsecure = true\n'
    (tmp_path / "registries.conf").write_text(
        f'[[registry]]\nlocation = "docker.io"\n[[registry.mirror]]\n{insecure}[[registry]]\n{insecure}'
    )
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/docker").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "bin/docker").chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path / "bin"), job_environment()["PATH"]]))
    monkeypatch.setenv("CONTAINERS_STORAGE_CONF", str(tmp_path / "storage.conf"))
    monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF", str(tmp_path / "registries.conf"))
    monkeypatch.setenv("BUILDAH_ISOLATION", "chroot")

    for driver in ("overlay", "vfs"):  # the second copies every layer, and works everywhere
        (tmp_path / "storage.conf").write_text(
            f'[storage]\ndriver = "{driver}"\ngraphroot = "{storage}/graph"\nrunroot = "{storage}/run"\n'
        )
        if not subprocess.run([command, "from", "scratch"], capture_output=True, check=False).returncode:
            break

    def call(*arguments: str | Path) -> str:
        done = subprocess.run([command, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    yield call
    call("rm", "--all")
    shutil.rmtree(storage)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[str]:
    """Return a private package index that holds the platform's wheel and asks for a password, which a netrc knows."""
    folder = tmp_path / "index" / "governed-ml-core"
    platform = platform_repository(tmp_path / "platform")
    run(platform, "uv", "build", "--quiet", "--wheel", "--out-dir", str(folder))
    (wheel,) = folder.glob("*.whl")
    (folder / "index.html").write_text(f'<a href="{wheel.name}">{wheel.name}</a>')

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            if "Authorization" in self.headers:
                super().do_GET()
            else:
                self.send_response(401)
                self.send_header("WWW-Authenticate", "Basic")
                self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(tmp_path / "index")))
    Thread(target=server.serve_forever, daemon=True).start()
    (tmp_path / ".netrc").write_text(f"machine 127.0.0.1 login robot password {PASSWORD}\n")
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.fixture
def project(index: str, registry: str, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:  # noqa: ARG001
    """Return a locked project that takes the platform from the private index; the stack has the registry."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GOVERNANCE_ACTOR", "builder@example.com")
    monkeypatch.setenv("ZENML_ACTIVE_STACK_ID", "")
    root = copy_template(tmp_path / "project", governance_source="index", governance_location=index)
    start_repository(root)
    run(root, "uv", "lock", "--quiet")
    commit_all(root, "Lock the dependencies")
    client = Client()
    component = client.create_stack_component("images", "default", Kind.CONTAINER_REGISTRY, {"uri": f"{registry}/team"})
    active = client.active_stack_model.components
    parts = {kind: active[kind][0].id for kind in (Kind.ORCHESTRATOR, Kind.ARTIFACT_STORE)}
    client.create_stack("images", parts | {Kind.CONTAINER_REGISTRY: component.id})
    monkeypatch.setenv("ZENML_STAGING_STACK", "images")
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def stand_in(base: Path, buildah: Callable[..., str], registry: str) -> None:
    """Push the base under the name that the Dockerfile names."""
    container = buildah("from", "scratch")
    buildah("add", container, base, "/")
    buildah("add", container, CERTIFICATES, str(CERTIFICATES))
    # Debian's pip refuses to install beside Debian's packages; that of the real base has none.
    buildah("config", "--env", f"SSL_CERT_FILE={CERTIFICATES}", "--env", "PIP_BREAK_SYSTEM_PACKAGES=1", container)
    named = f"docker://{registry}/{BASE.removeprefix('docker.io/')}"
    buildah("commit", "--quiet", "--rm", "--tls-verify=false", container, named)


@pytest.mark.usefixtures("stand_in")
def test_the_image_is_built_pushed_and_trains_the_project_as_a_plain_user(
    buildah: Callable[..., str], project: Path, prepared_database: Path, governance: Governance, tmp_path: Path
) -> None:
    code, out, err = governance("image", "build", "--environment", "staging", "--json")
    assert code == 0, err
    recorded = json.loads(out)["image"]
    assert dict(next(journal(load_project(project).project_slug).newest()).body) == recorded
    repository, _, digest = recorded["image"].partition("@")
    registry, _, path = repository.partition("/")
    manifest = Request(
        f"http://{registry}/v2/{path}/manifests/{digest}",
        headers={"Accept": "application/vnd.oci.image.manifest.v1+json"},
    )
    with urlopen(manifest) as answer:
        assert answer.headers["Docker-Content-Digest"] == digest, "the registry has what was recorded"

    image = buildah("images", "--quiet", "--filter", f"reference={repository}")
    described = json.loads(buildah("inspect", "--type", "image", image))["OCIv1"]
    labels = {name.rpartition(".")[2]: value for name, value in described["config"]["Labels"].items()}
    assert labels["lock"] == recorded["lock"]
    assert labels["revision"] == recorded["commit"]
    assert f"{BASE}@{labels['digest']}" == recorded["base"]
    assert PASSWORD not in json.dumps(described)

    home = tmp_path / "zenconfig"
    (home / "local_stores/default_zen_store").mkdir(parents=True)
    database = home / "local_stores/default_zen_store/zenml.db"
    shutil.copy(prepared_database, database)
    for path in (project, *project.rglob("*"), home, *home.rglob("*")):
        os.chown(path, USER, USER, follow_symlinks=False)
    container = buildah("from", "--pull-never", image)
    mounts = ("--volume", f"{project}:/app/project", "--volume", f"{home}:/app/.zenconfig")
    variables = (
        "env",
        "GOVERNANCE_ACTOR=trainer@example.com",
        "PYTHONPATH=/app/project/src",
        "ZENML_ANALYTICS_OPT_IN=false",
    )
    training = (*variables, "python", "project/run.py", "--pipeline", "training")
    buildah("run", *mounts, container, "--", *training)
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT status FROM pipeline_run").fetchall() == [("completed",)]
    artifacts = [path for path in home.rglob("*") if path.is_file() and path != database]
    assert artifacts
    assert {path.stat().st_uid for path in artifacts} == {USER}, "what the run wrote belongs to the plain user"

    pushed = [path for path in (tmp_path / "registry").rglob("data") if path.is_file()]
    assert pushed
    for blob in pushed:  # each layer, also what a later one deletes
        found = subprocess.run(["zgrep", "-qF", PASSWORD, blob], capture_output=True, check=False)
        assert found.returncode == 1, "the password stays in no layer"
