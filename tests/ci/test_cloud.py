"""Who a job is in a cloud: each system's jobs run up to their verb, in whose place the clouds' libraries are asked.

`make`, the verb, ZenML's server and what signs the tokens are stand-ins. Google's own library reads its file.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ci import acting, jenkins_jobs
from ci.github_runner import JobRun, Runner, Settings
from ci.github_syntax import Event, Expressions
from ci.gitlab_jobs import EVENTS, real_jobs, schedule
from ci.test_gitlab import GitLab, Ran
from support.ci_project import CIProject
from support.forge import Forge
from support.jenkins import Build, Jenkins, Model, read, shell
from support.jenkins import Event as JenkinsEvent
from support.rendering import commit_all, git, project_copy, render
from support.servers import Answering, eventually

CLOUDS = ("gcp", "aws", "azure")
TOKEN = "the-word-of-the-ci-system"
# GitHub's word, for whoever asks as a job does; and time that passes once.
CURL = f"""#!/bin/sh
case "$*" in
*"Authorization: Bearer bearer https://id.example.com&audience=api://AzureADTokenExchange") ;;
*) exit 22 ;;
esac
echo '{{"value": "{TOKEN}"}}'
"""
SLEEP = '#!/bin/sh\nmkdir "$0.done"\n'
# No word the second time; and time that passes twice, telling each time which word the job holds.
CURL_THAT_FAILS_ONCE = """#!/bin/sh
echo asked >> "$0.log"
asked=$(wc -l < "$0.log")
[ "$asked" -ne 2 ] || exit 22
printf '{"value": "word %d"}' "$asked"
"""
SLEEP_THAT_TELLS = """#!/bin/sh
echo "$(cat "$GITHUB_WORKSPACE/build/id-token")" >> "$0.log"
[ "$(wc -l < "$0.log")" -lt 3 ]
"""
POOL = "projects/4711/locations/global/workloadIdentityPools/ci/providers"


@cache
def ci_variables(cloud: str) -> list[str]:
    """Return the names in Terraform's output `ci_variables` with Kubernetes, where all are that other stacks have."""
    code = render(cloud=cloud, orchestrator="kubernetes") / "governance/stacks/terraform/modules/environment/outputs.tf"
    output = re.split(r"^output ", code.read_text(encoding="utf-8"), flags=re.MULTILINE)
    (block,) = [block for block in output if block.startswith('"ci_variables"')]
    local = re.findall(r"^    ([A-Z_]+) +=", output[0], re.MULTILINE)
    return local + re.findall(r"^    ([A-Z_]+) +=", block, re.MULTILINE)


def identity(cloud: str, environment: str) -> dict[str, str]:
    """Return the variables of a CI environment, as Terraform's output `ci_variables` gives them."""
    of_production = environment != "staging"
    forms = {
        "GCP_WORKLOAD_IDENTITY_PROVIDER": f"{POOL}/{environment}",
        "GCP_SERVICE_ACCOUNT": f"ci@tumours-{environment}.iam.gserviceaccount.com",
        "AWS_ROLE_ARN": f"arn:aws:iam::{1 + of_production:012}:role/ci",
        "KUBERNETES_CA": "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCg==",
        "KUBERNETES_CONTEXT": f"cluster/{environment}",
        "KUBERNETES_SERVER": f"https://{environment}.example.com",
    }
    return {name: forms.get(name, f"{name.lower()}-of-{environment}") for name in ci_variables(cloud)}


def acts_as(cloud: str, environment: str, token: str | None = TOKEN) -> dict[str, str | None]:
    """Return what the cloud's libraries must find in a job of an environment."""
    given = identity(cloud, environment)
    cluster = {"cluster": f"{given['KUBERNETES_CONTEXT']} at {given['KUBERNETES_SERVER']}"}
    match cloud:
        case "gcp":
            audience = f"//iam.googleapis.com/{given['GCP_WORKLOAD_IDENTITY_PROVIDER']}"
            return {"audience": audience, "account": given["GCP_SERVICE_ACCOUNT"], "token": token} | cluster
        case "aws":
            role = given["AWS_ROLE_ARN"]
            by = (role, None) if token else (None, f"session of {role}")
            names = ("AWS_ROLE_ARN", "AWS_SESSION_TOKEN")
            return dict(zip(names, by, strict=True)) | {"AWS_DEFAULT_REGION": "eu-west-1", "token": token} | cluster
        case _:
            told = [name for name in given if name != "AZURE_SUBSCRIPTION_ID" and not name.startswith("KUBERNETES_")]
            return {name: given[name] for name in told} | {"token": token} | cluster


@dataclass
class Place:
    """A project of one system in one cloud, and a machine on which make does nothing and the verb tells who it is."""

    project: CIProject
    machine: Mapping[str, str]
    zenml: str


@pytest.fixture(scope="module")
def zenml() -> Iterator[str]:
    """Return the URL of what answers preflight as a ZenML server would."""
    answers = {"version": "0", "access_token": "t", "items": [{"name": name} for name in ("staging", "production")]}
    with Answering(200, json.dumps(answers)) as server:
        yield server.url


@pytest.fixture
def place(tmp_path: Path, zenml: str) -> Callable[[str, str], Place]:
    """Return what makes such a project."""

    def make(system: str, cloud: str) -> Place:
        root, remote = tmp_path / system, tmp_path / f"{system}.git"
        project_copy(root, ci=system, cloud=cloud, orchestrator="kubernetes")
        git(root, "clone", "--quiet", "--bare", str(root), str(remote))
        git(root, "remote", "add", "origin", str(remote))
        git(root, "fetch", "--quiet", "origin")
        git(root, "remote", "add", "gcl-origin", "https://gitlab.example.com/acme/tumours.git")
        programs = {
            root / ".venv/bin/governance": f'#!/bin/sh\nexec {sys.executable} {acting.__file__} "$@"\n',
            **dict.fromkeys((tmp_path / "bin" / name for name in ("make", "apt-get")), "#!/bin/sh\n"),
            tmp_path / "bin/curl": CURL,
            tmp_path / "bin/sleep": SLEEP,
        }
        for path, text in programs.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            path.chmod(0o755)
        search = os.pathsep.join([str(tmp_path / "bin"), os.environ["PATH"]])
        return Place(CIProject(root, remote), {"PATH": search, "HOME": str(tmp_path)}, zenml)

    return make


def told(log: str) -> Any:
    """Return who the verbs of a job were: all of them the same."""
    (who,) = {line.partition("acts as")[2] for line in log.splitlines() if "acts as" in line}
    return json.loads(who)


def on_github(place: Place, workflow: str, event: str, identities: Mapping[str, Mapping[str, str]]) -> list[JobRun]:
    """Run the jobs of a workflow of GitHub's that are no checks and no alert, and return those that ran."""
    stacks = {f"ZENML_{name.upper()}_STACK": name for name in ("staging", "production")}
    settings: dict[str | None, Settings] = {None: Settings({"ZENML_STORE_URL": place.zenml, **stacks})}
    settings |= {name: Settings(given, {"ZENML_STORE_API_KEY": "a-key"}) for name, given in identities.items()}
    sha = git(place.project.remote, "rev-parse", "main")
    with (
        Forge() as forge,
        Expressions() as expressions,
        Runner(place.project, forge, expressions, settings, place.machine) as runner,
    ):
        runs = runner.run(workflow, Event(event, "refs/heads/main", sha), {"test", "check", "alert"})
        assert git(place.project.root, "status", "--porcelain") == "", "what is not in git is not released"
    return [run for run in runs.values() if run.ran]


@pytest.mark.parametrize("cloud", CLOUDS)
def test_githubs_jobs_log_in_by_the_clouds_own_action_and_leave_the_tree_clean(
    cloud: str, place: Callable[[str, str], Place]
) -> None:
    here = place("github", cloud)
    identities = {name: identity(cloud, name) for name in ("staging", "operations")}
    for workflow, event, environment in (
        ("settle.yml", "schedule", "operations"),
        ("train-staging.yml", "push", "staging"),
        ("build-image.yml", "push", "operations"),
    ):
        for run in on_github(here, workflow, event, identities):
            assert run.result == "success", run.log
            assert told(run.log) == acts_as(cloud, environment, token=TOKEN if cloud == "azure" else None)


def test_azures_libraries_find_githubs_word_anew_while_a_job_of_github_lasts_also_after_a_failure(
    place: Callable[[str, str], Place], tmp_path: Path
) -> None:
    here, held = place("github", "azure"), tmp_path / "bin/sleep.log"
    for name, text in (("curl", CURL_THAT_FAILS_ONCE), ("sleep", SLEEP_THAT_TELLS)):
        (tmp_path / "bin" / name).write_text(text)
    held.touch()  # what it is written from starts when it likes
    (run,) = on_github(here, "settle.yml", "schedule", {"operations": identity("azure", "operations")})
    assert run.result == "success", run.log
    assert eventually(lambda: held.read_text().splitlines() == ["word 1", "word 1", "word 3"])


def on_gitlab(place: Place, home: Path, job: str, event: dict[str, str], given: Mapping[str, str]) -> Ran:
    """Run a job of GitLab's, which is given a token and these variables."""
    stacks = {f"ZENML_{name.upper()}_STACK": name for name in ("staging", "production")}
    variables = {"ZENML_STORE_URL": place.zenml, "ZENML_STORE_API_KEY": "a-key", "ID_TOKEN": TOKEN, **stacks, **given}
    return GitLab(place.project.root, home, {}, dict(place.machine)).run(job, event=event, **variables)[job]


@pytest.mark.parametrize("cloud", CLOUDS)
def test_gitlabs_jobs_put_the_token_where_the_clouds_libraries_read_it(
    cloud: str, place: Callable[[str, str], Place], tmp_path: Path
) -> None:
    here = place("gitlab", cloud)
    for job, event, environment in (
        ("settle", schedule("settle"), "operations"),
        ("build-image-staging", EVENTS["change-request"], "staging"),
        ("train-merged", EVENTS["merge"], "staging"),
        ("promote-production", EVENTS["release"], "production"),
        ("build-image", schedule("build-image"), "operations"),
    ):
        ran = on_gitlab(here, tmp_path, job, event, identity(cloud, environment))
        assert ran.code == 0, ran.log
        assert told(ran.log) == acts_as(cloud, environment)
    assert git(here.project.root, "status", "--porcelain") == ""
    assert (here.project.root / "build/id-token").stat().st_mode & 0o077 == 0


CHANGES = {"README.md": False, "uv.lock": True, "governance/docker/Dockerfile": True}


@pytest.mark.parametrize(("path", "builds"), CHANGES.items())
def test_gitlab_builds_the_image_after_a_merge_that_changed_what_is_in_it(
    path: str, builds: bool, place: Callable[[str, str], Place], tmp_path: Path
) -> None:
    here = place("gitlab", "gcp")
    (here.project.root / path).write_text("changed\n", encoding="utf-8")
    commit_all(here.project.root, "Change something")
    listed = GitLab(here.project.root, tmp_path, {}, dict(here.machine)).listed(EVENTS["merge"])
    assert ("build-image" in listed) is builds
    assert "train-merged" in listed


def test_gitlab_builds_the_image_on_its_schedule(place: Callable[[str, str], Place], tmp_path: Path) -> None:
    here = place("gitlab", "gcp")
    listed = GitLab(here.project.root, tmp_path, {}, dict(here.machine)).listed(schedule("build-image"))
    assert listed == ["build-image", "alert"]


def test_jenkins_builds_the_image_after_a_merge_that_changed_what_is_in_it() -> None:
    file = render(ci="jenkins", cloud="gcp") / "Jenkinsfile"
    events = [
        JenkinsEvent({"BRANCH_NAME": branch}, changed=(path,)) for path in CHANGES for branch in ("main", "staging")
    ]
    models = read((file, event) for event in events)
    holds = [next(stage["when"]["holds"] for stage in model["stages"] if stage["name"] == "image") for model in models]
    assert holds == [built and branch == "main" for built in CHANGES.values() for branch in ("main", "staging")]


def test_gitlab_gives_the_token_to_the_jobs_that_log_in_and_to_no_others() -> None:
    for cloud in CLOUDS:
        for name, job in real_jobs(render(ci="gitlab", cloud=cloud, risk_tier="high")).items():
            logs_in = any("--needs ID_TOKEN" in command for command in job["before_script"])
            assert logs_in is ("id_tokens" in job), name


def test_gitlab_signs_for_a_job_in_which_of_two_tiers_it_acts() -> None:
    jobs = real_jobs(render(ci="gitlab", cloud="azure", risk_tier="high")).values()
    environments = [job["environment"] for job in jobs if "id_tokens" in job]
    tiers = {each["name"]: each.get("deployment_tier", each["name"]) for each in environments}
    assert tiers == {"staging": "staging", "production": "production", "operations": "production"}


@cache
def model(cloud: str) -> dict[str, Model]:
    """Return what Jenkins makes of the file of a project in this cloud, by event."""
    file = render(ci="jenkins", cloud=cloud, orchestrator="kubernetes") / "Jenkinsfile"
    return jenkins_jobs.models(file)[file]


def on_jenkins(
    place: Place, cloud: str, event: str, properties: Mapping[str, str], tokens: Mapping[str, str]
) -> tuple[Build, dict[str, str]]:
    """Build an event on Jenkins; return the build, and what each script printed."""
    root, said = place.project.root, dict[str, str]()

    def run(script: str, env: Mapping[str, str]) -> tuple[int, str]:
        code, said[script] = shell(root, script, env)
        return code, said[script]

    machine = {**place.machine, "PATH": f"{root / '.venv/bin'}{os.pathsep}{place.machine['PATH']}"}
    secrets = {f"zenml-{name}": "a-key" for name in ("staging", "production", "operations")}
    secrets |= {f"forge-{name}": "a-token" for name in ("staging", "operations")}
    stacks = {f"ZENML_{name.upper()}_STACK": name for name in ("staging", "production")}
    jenkins = Jenkins(
        lambda: root, machine, {"ZENML_STORE_URL": place.zenml, **stacks, **properties}, secrets, run, id_tokens=tokens
    )
    events = jenkins_jobs.EVENTS | jenkins_jobs.IN_THE_CLOUD
    return jenkins.build(model(cloud)[event], events[event], ["grace"]), said


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_build_on_jenkins_acts_by_the_token_of_its_credential(cloud: str, place: Callable[[str, str], Place]) -> None:
    here = place("jenkins", cloud)
    properties = {f"STAGING_{name}": value for name, value in identity(cloud, "staging").items()}
    tokens = {f"cloud-{name}": f"{TOKEN}-of-{name}" for name in ("staging", "production")}
    for event, verbs in (
        ("settle", {"runs settle": "production"}),
        ("build-image", {"image build --environment production": "production"}),
        ("change-request", {"image build --environment staging": "staging", "snapshot create": "staging"}),
        (
            "merge",
            {
                "image build --environment staging": "staging",
                "snapshot create": "staging",
                "promote --to-stage": "staging",
                "image build --environment production": "production",
            },
        ),
        ("release", {"image build --environment production": "production", "promote --from-stage": "production"}),
    ):
        build, said = on_jenkins(here, cloud, event, properties | identity(cloud, "production"), tokens)
        assert build.result == "SUCCESS", build.log
        for verb, environment in verbs.items():
            (log,) = [text for script, text in said.items() if verb in script]
            assert told(log) == acts_as(cloud, environment, f"{TOKEN}-of-{environment}")
        assert TOKEN not in build.log, "Jenkins masks it"


def test_jenkins_builds_images_where_a_builder_is() -> None:
    on_docker = {
        stage["name"] for stage in jenkins_jobs.stages(model("gcp")["merge"]) if stage["agent"] == "label docker"
    }
    assert on_docker == {"build-image-staging", "promote-production", "image"}


def test_the_document_names_the_credentials_and_properties_that_jenkins_binds() -> None:
    for cloud in CLOUDS:
        project = render(ci="jenkins", cloud=cloud, orchestrator="kubernetes")
        page, file = ((project / path).read_text(encoding="utf-8") for path in ("docs/ci.md", "Jenkinsfile"))
        bound = set(re.findall(r"credentials\('(cloud-\w+)'\)", file))
        assert (
            set(re.findall(r"^\| `(cloud-\w+)`", page, re.MULTILINE)) == bound == {"cloud-staging", "cloud-production"}
        )
        names = identity(cloud, "staging")
        assert {f"{of}{name}" for name in names for of in ("", "STAGING_")} <= set(
            re.findall(r"^\| `(\w+)`", page, re.M)
        )


@pytest.mark.parametrize("server", ["https://jenkins.example.com/", "https://ci.example.com/tools/jenkins/"])
def test_the_document_lets_jenkins_name_the_folder_of_a_job_as_its_subject(server: str) -> None:
    page = (render(ci="jenkins", cloud="aws") / "docs/ci.md").read_text(encoding="utf-8")
    (pattern,) = re.findall(r"^ +pattern: (.+)$", page, re.MULTILINE)
    subjects = set(re.findall(r"`https://jenkins\.example\.com/(job/\S+/)`", page))
    assert len(subjects) == 2
    for subject in subjects:
        for job in ("job/main/", "job/PR-12/", "job/v1.2.0/"):
            assert re.sub(pattern, r"\1", f"{server}{subject}{job}") == f"{server}{subject}"


def test_an_image_that_jenkins_does_not_build_alerts_by_its_own_name(place: Callable[[str, str], Place]) -> None:
    forge = {"FORGE_API_URL": "https://forge.example.com"}
    build, _ = on_jenkins(place("jenkins", "gcp"), "gcp", "build-image", forge, {"cloud-production": TOKEN})
    (alert,) = [env for script, env in build.shells if script == 'governance ci alert --job "$JOB"']
    assert (build.result, alert["JOB"]) == ("FAILURE", "build-image")


@pytest.mark.parametrize("system", ["github", "gitlab", "jenkins"])
@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_variable_that_is_not_set_is_named_before_anything_is_set_up(
    system: str, cloud: str, place: Callable[[str, str], Place], tmp_path: Path
) -> None:
    given = identity(cloud, "operations")
    last, _ = given.popitem()
    here = place(system, cloud)
    match system:
        case "github":
            log = on_github(here, "settle.yml", "schedule", {"operations": given})[0].log
        case "gitlab":
            log = on_gitlab(here, tmp_path, "settle", schedule("settle"), given).log
        case _:
            log = on_jenkins(here, cloud, "settle", given, {"cloud-production": TOKEN})[0].log
    assert f"not set: {last};" in log
    assert "acts as" not in log
    assert "make setup" not in log.partition("not set")[0]
