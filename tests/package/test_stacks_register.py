"""`governance stack register` on a real store: everything or nothing, and nothing twice."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml
from support.alerters import talk_to
from support.command_line import Governance
from support.connectors import service_connectors
from support.scratch import Scratch, scratch_project
from support.servers import Answering
from zenml.client import Client
from zenml.enums import StackComponentType

from governance_core.stacks.entries import entries
from governance_core.stacks.wanted import Wanted, WantedComponent

# Of ZenML's store on SQLite, about what it deletes with a stack.
pytestmark = pytest.mark.filterwarnings("ignore:DELETE statement on table 'stack_composition'")
CHATTY = {"alerter": "slack", "alert_channel": "C0123ABCD", "experiment_tracker": "mlflow"}
TAKEN = json.dumps({"ok": True})
TENANT, SUBSCRIPTION = str(uuid4()), str(uuid4())
CLOUDS: dict[str, dict[str, Any]] = {
    "gcp": {
        "connector": {"project_id": "acme"},
        "artifact_store": {"path": "gs://acme-staging"},
        "container_registry": {"uri": "europe-west1-docker.pkg.dev/acme/staging"},
    },
    "aws": {
        "connector": {"region": "eu-west-1"},
        "artifact_store": {"path": "s3://acme-staging"},
        "container_registry": {"uri": "123456789012.dkr.ecr.eu-west-1.amazonaws.com"},
    },
    "azure": {
        "connector": {"subscription_id": SUBSCRIPTION, "tenant_id": TENANT, "storage_account": "acmestaging"},
        "artifact_store": {"path": "az://staging"},
        "container_registry": {"uri": "acme.azurecr.io"},
    },
}
ORCHESTRATORS: dict[str, dict[str, Any]] = {
    "vertex": {
        "project": "acme",
        "location": "europe-west1",
        "workload_service_account": "steps@acme.iam.gserviceaccount.com",
    },
    "sagemaker": {"execution_role": "arn:aws:iam::123456789012:role/steps"},
    "azureml": {
        "subscription_id": SUBSCRIPTION,
        "resource_group": "ml",
        "workspace": "staging",
        "compute_name": "steps",
    },
    "kubernetes": {"kubernetes_namespace": "ml", "service_account_name": "steps"},
}
TRACKER = {"experiment_tracker": {"tracking_uri": "https://mlflow.example.com"}}
STACKS = [
    ("gcp", "vertex"),
    ("aws", "sagemaker"),
    ("azure", "azureml"),
    *((cloud, "kubernetes") for cloud in CLOUDS),
]


def values(cloud: str, orchestrator: str) -> dict[str, Any]:
    """Return what configs/stacks holds for a cloud and an orchestrator, filled."""
    held = {**CLOUDS[cloud], "orchestrator": ORCHESTRATORS[orchestrator], **TRACKER}
    if (cloud, orchestrator) == ("azure", "kubernetes"):
        held["orchestrator"] = held["orchestrator"] | {"kubernetes_context": "platform"}
    elif orchestrator == "kubernetes":
        held["connector"] = held["connector"] | {"cluster": "platform"}
    return held


class Project:
    """A project in a cloud, and the stack of its own name that staging's runs take."""

    def __init__(self, scratch: Scratch, governance: Governance, stack: str) -> None:
        self.scratch, self.stack, self._governance = scratch, stack, governance

    def fill(self, held: Any) -> None:
        """Write the values of staging's stack."""
        self.scratch.write("configs/stacks/staging.yaml", yaml.safe_dump(held))

    def register(self, *options: str) -> tuple[int, str, str]:
        """Register staging's stack."""
        return self._governance("stack", "register", "--environment", "staging", *options)

    def outcomes(self, *options: str) -> dict[str, str]:
        """Register, and return what became of each thing by its type."""
        code, out, err = self.register("--json", *options)
        assert code == 0, err
        return {one["type"]: " ".join([one["outcome"], *one["keys"]]) for one in json.loads(out)["registered"]}

    def state(self) -> dict[str, Any]:
        """Return everything of the stack's name that the store holds."""
        client = Client()
        found: dict[str, Any] = {
            str(one.type): (one.flavor_name, one.configuration, one.connector and one.connector.id, one.labels)
            for one in client.list_stack_components(name=self.stack, hydrate=True)
        }
        for connector in client.list_service_connectors(name=self.stack, hydrate=True):
            found["service_connector"] = (connector.auth_method, dict(connector.configuration), connector.labels)
        for stack in client.list_stacks(name=self.stack, hydrate=True):
            found["stack"] = {str(kind): [one.id for one in parts] for kind, parts in stack.components.items()}
        return found


@pytest.fixture(scope="module", autouse=True)
def connectors(store: Path) -> Iterator[None]:  # noqa: ARG001
    """Let the store know ZenML's own service connectors."""
    with service_connectors():
        yield


@pytest.fixture
def slack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answering]:
    """Return the server that Slack's SDK talks to, with what it and MLflow need in ZenML's secrets."""
    for name in ("slack", "mlflow"):
        Client().create_secret(name, {"token": f"{name}-1"})
    with Answering(body=TAKEN) as server:
        talk_to(server.url, monkeypatch)
        yield server
    for secret in Client().list_secrets():
        if secret.name in ("slack", "mlflow"):
            Client().delete_secret(secret.name)


@pytest.fixture
def project_in(
    slack: Answering, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, governance: Governance
) -> Iterator[Callable[..., Project]]:
    """Return what makes a project in a cloud, with filled values; it is the working directory."""
    del slack
    with ExitStack() as made:

        def make(cloud: str = "gcp", orchestrator: str | None = "vertex", **answers: Any) -> Project:
            stack = f"{cloud}-{uuid4().hex[:8]}"
            region = {"gcp": "europe-west1", "aws": "eu-west-1", "azure": "westeurope"}.get(cloud)
            given = {"cloud": cloud, "region": region, "orchestrator": orchestrator, **CHATTY, **answers}
            scratch = made.enter_context(scratch_project(tmp_path / stack, **given))
            scratch.write("configs/staging.yaml", "")
            monkeypatch.setenv("ZENML_STAGING_STACK", stack)
            monkeypatch.chdir(scratch.root)
            project = Project(scratch, governance, stack)
            if orchestrator:
                project.fill(values(cloud, orchestrator))
            return project

        yield make


@pytest.mark.parametrize(("cloud", "orchestrator"), STACKS)
def test_a_cloud_is_registered_once_and_kept_the_second_time(
    project_in: Callable[..., Project], governance: Governance, cloud: str, orchestrator: str
) -> None:
    project = project_in(cloud, orchestrator)
    code, out, err = project.register()
    assert code == 0, err
    assert f"orchestrator {project.stack} ({orchestrator}): created\n" in out
    assert out.endswith(f"\nstack {project.stack}: created\n")
    assert len(out.splitlines()) == 8
    held = project.state()
    assert held["alerter"][:2] == ("slack", {"slack_token": "{{slack.token}}", "slack_channel_id": "C0123ABCD"})
    tracking = {"tracking_uri": "https://mlflow.example.com", "tracking_token": "{{mlflow.token}}"}
    assert held["experiment_tracker"][:2] == ("mlflow", tracking)
    (connector,) = Client().list_service_connectors(name=project.stack)
    through = {kind for kind, one in held.items() if kind != "stack" and one[2] == connector.id}
    assert through == {"artifact_store", "container_registry"} | ({"orchestrator"} if cloud != "azure" else set())
    assert held["stack"].keys() == held.keys() - {"stack", "service_connector"}

    assert set(project.outcomes().values()) == {"kept"}
    assert project.state() == held
    assert governance("stack", "check", "--environment", "staging")[0] == 0


def test_a_local_stack_needs_no_values_and_no_connector(
    project_in: Callable[..., Project], governance: Governance
) -> None:
    project = project_in("local", None)
    assert set(project.outcomes().values()) == {"created"}
    held = project.state()
    assert held["stack"].keys() == {"orchestrator", "artifact_store", "alerter", "experiment_tracker"}
    assert {one[0] for kind, one in held.items() if kind != "stack"} == {"local", "slack", "mlflow"}
    assert set(project.outcomes().values()) == {"kept"}
    assert governance("stack", "check", "--environment", "staging")[0] == 0


def test_zenmls_own_stack_is_what_a_project_without_a_cloud_calls_for(
    project_in: Callable[..., Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = project_in("local", None, alerter="none", alert_channel=None, experiment_tracker="none")
    monkeypatch.setenv("ZENML_STAGING_STACK", "default")
    assert set(project.outcomes().values()) == {"kept"}


def test_what_terraform_puts_out_can_be_pasted(project_in: Callable[..., Project]) -> None:
    project = project_in("aws", "sagemaker")
    policy = json.dumps({"Statement": [{"Action": "s3:*", "Effect": "Allow", "Resource": "*"}]})
    connector = {"region": "eu-west-1", "role_arn": "arn:aws:iam::123456789012:role/zenml", "policy": policy}
    held = values("aws", "sagemaker") | {"connector": connector}
    project.scratch.write("configs/stacks/staging.yaml", json.dumps(held, indent=2))
    assert set(project.outcomes().values()) == {"created"}
    assert set(project.outcomes().values()) == {"kept"}


def test_the_environment_local_of_a_project_in_a_cloud_is_local(
    project_in: Callable[..., Project], governance: Governance, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = project_in()
    project.scratch.write("configs/local.yaml", f"stack: {project.stack}")
    monkeypatch.delenv("ZENML_LOCAL_STACK", raising=False)
    assert governance("stack", "register", "--environment", "local")[0] == 0
    assert project.state()["orchestrator"][0] == "local"


def test_kubernetes_is_told_which_of_the_connectors_clusters_it_runs_in(project_in: Callable[..., Project]) -> None:
    project = project_in("gcp", "kubernetes")
    project.outcomes()
    (orchestrator,) = Client().list_stack_components(
        name=project.stack, type=StackComponentType.ORCHESTRATOR, hydrate=True
    )
    assert orchestrator.connector_resource_id == "platform"
    project.fill(values("gcp", "kubernetes") | {"connector": {"project_id": "acme", "cluster": "another"}})
    assert project.outcomes()["orchestrator"] == "changed connector"


def test_only_what_differs_is_changed_and_its_keys_are_named(project_in: Callable[..., Project]) -> None:
    project = project_in()
    held = values("gcp", "vertex")
    held["orchestrator"] = held["orchestrator"] | {"pipeline_root": "gs://acme-staging/runs"}
    project.fill(held)
    project.outcomes()
    held["orchestrator"] = ORCHESTRATORS["vertex"] | {"location": "europe-west4"}
    held["connector"] = {"project_id": "acme-2"}
    project.fill(held)
    outcomes = project.outcomes()
    assert outcomes.pop("orchestrator") == "changed location pipeline_root"
    assert outcomes.pop("service_connector") == "changed project_id"
    assert set(outcomes.values()) == {"kept"}
    state = project.state()
    assert state["orchestrator"][1] == held["orchestrator"]
    assert state["service_connector"][1] == {"project_id": "acme-2"}


def test_a_connector_that_is_taken_out_is_taken_from_the_components(project_in: Callable[..., Project]) -> None:
    project = project_in()
    project.outcomes()
    project.fill({kind: held for kind, held in values("gcp", "vertex").items() if kind != "connector"})
    changed = {kind for kind, outcome in project.outcomes().items() if outcome == "changed connector"}
    assert changed == {"orchestrator", "artifact_store", "container_registry"}
    assert {one[2] for one in project.state().values() if isinstance(one, tuple) and len(one) == 4} == {None}


def test_what_a_team_added_to_the_stack_stays(project_in: Callable[..., Project]) -> None:
    project = project_in()
    project.outcomes()
    own = Client().create_stack_component(project.stack, "mlflow", StackComponentType.MODEL_REGISTRY, {})
    Client().update_stack(project.stack, component_updates={own.type: own.id, "image_builder": []})
    assert project.outcomes()["stack"] == "changed image_builder"
    assert project.state()["stack"].keys() >= {"model_registry", "image_builder"}
    assert project.outcomes()["stack"] == "kept"


CALLS = (
    "create_service_connector",
    "create_stack",
    "create_stack_component",
    "update_service_connector",
    "update_stack",
    "update_stack_component",
)


class Failing:
    """Lets the nth call that changes the store fail, before or after it was done."""

    def __init__(self, patch: pytest.MonkeyPatch, nth: int, after: bool, error: type[BaseException]) -> None:
        self.calls, self._nth, self._after, self._error = 0, nth, after, error
        for name in CALLS:
            patch.setattr(Client, name, self._wrapped(getattr(Client, name)))

    def _wrapped(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **kwargs: Any) -> Any:
            self.calls += 1
            if self.calls == self._nth and not self._after:
                raise self._error("no space left")
            made = call(*args, **kwargs)
            if self.calls == self._nth:
                raise self._error("no space left")
            return made

        return counted


@pytest.mark.parametrize(
    ("error", "after"),
    [(OSError, False), (OSError, True), (KeyboardInterrupt, False)],
    ids=["before", "after", "interrupted"],
)
def test_nothing_is_left_of_a_registration_that_fails_on_the_way(
    project_in: Callable[..., Project], monkeypatch: pytest.MonkeyPatch, after: bool, error: type[BaseException]
) -> None:
    project = project_in()
    nth = 0
    while True:
        nth += 1
        with monkeypatch.context() as patch:
            failing = Failing(patch, nth, after, error)
            code, out, err = project.register()
        if failing.calls < nth:
            break
        assert (code, out) == (1, ""), nth
        reason = "interrupted" if error is KeyboardInterrupt else "OSError: no space left"
        assert f"error: stack '{project.stack}' was not registered, " in err
        assert f": {reason}\n" in err
        undone = nth > 1 or after
        assert ("\nundone: " in err, "\nnothing had been changed" in err) == (undone, not undone)
        assert project.state() == {}, nth
    assert nth == 11 + 1, "a connector, six components of which three are then connected, and the stack"
    assert code == 0


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_what_was_changed_is_put_back_where_a_registration_fails_on_the_way(
    project_in: Callable[..., Project], monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    project = project_in()
    project.outcomes()
    Client().update_stack(project.stack, component_updates={"alerter": []})
    before = project.state()
    changed = values("gcp", "vertex")
    changed["connector"] = {"project_id": "acme-2"}
    changed["orchestrator"] = changed["orchestrator"] | {"location": "europe-west4", "network": "vpc"}
    changed["artifact_store"] = {"path": "gs://acme-2"}
    project.fill(changed)
    for nth in range(1, 5):
        with monkeypatch.context() as patch:
            Failing(patch, nth, after, OSError)
            code, _, err = project.register()
        assert code == 1
        assert "put back" in err
        assert project.state() == before, nth
    assert {one for one in project.outcomes().values() if one != "kept"} == {
        "changed project_id",
        "changed location network",
        "changed path",
        "changed alerter",
    }


def test_what_cannot_be_undone_is_said(project_in: Callable[..., Project], monkeypatch: pytest.MonkeyPatch) -> None:
    project = project_in()
    delete = Client.delete_stack_component

    def refuse(client: Client, name: Any, kind: StackComponentType) -> None:
        if kind == StackComponentType.ALERTER:
            raise OSError("server gone")
        delete(client, name, kind)

    with monkeypatch.context() as patch:
        Failing(patch, 10, True, OSError)
        patch.setattr(Client, "delete_stack_component", refuse)
        code, _, err = project.register()
    assert code == 1
    assert f"\nundone: experiment_tracker {project.stack} removed, image_builder {project.stack} removed, " in err
    assert err.endswith(f"\nNOT undone, correct it by hand: alerter {project.stack} (OSError: server gone)\n")
    assert project.state().keys() == {"alerter"}


def test_a_second_interruption_waits_until_all_is_undone(
    project_in: Callable[..., Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = project_in()
    delete = Client.delete_stack_component

    def interrupted(*arguments: Any) -> None:
        signal.raise_signal(signal.SIGINT)
        delete(*arguments)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a process in the background has none
    try:
        with monkeypatch.context() as patch:
            Failing(patch, 4, True, KeyboardInterrupt)
            patch.setattr(Client, "delete_stack_component", interrupted)
            code, _, err = project.register()
        assert (code, project.state()) == (1, {}), err
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_what_somebody_else_registers_meanwhile_is_left_alone(
    project_in: Callable[..., Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = project_in()
    create = Client.create_stack_component

    def overtaken(client: Client, name: str, flavor: str, kind: Any, *args: Any, **kwargs: Any) -> Any:
        if flavor == "local":
            create(client, name, "kaniko", kind, {"kubernetes_context": "theirs"})
        return create(client, name, flavor, kind, *args, **kwargs)

    monkeypatch.setattr(Client, "create_stack_component", overtaken)
    code, _, err = project.register()
    assert code == 4
    assert "was not registered, image_builder: EntityExistsError: " in err
    assert [(kind, one[0]) for kind, one in project.state().items()] == [("image_builder", "kaniko")]


def test_a_name_that_belongs_to_something_else_is_refused(project_in: Callable[..., Project]) -> None:
    project = project_in()
    kaniko = {"kubernetes_context": "theirs"}
    Client().create_stack_component(project.stack, "kaniko", StackComponentType.IMAGE_BUILDER, kaniko)
    Client().create_stack_component(project.stack, "gcp", StackComponentType.ARTIFACT_STORE, {"path": "gs://theirs"})
    Client().create_service_connector(
        project.stack, "aws", auth_method="implicit", configuration={"region": "eu-west-1"}, verify=False
    )
    before = project.state()
    code, out, err = project.register()
    assert (code, out, project.state()) == (3, "", before)
    assert f"image_builder '{project.stack}' has the flavour kaniko, and local is called for" in err
    assert f"artifact_store '{project.stack}' differs in path, connector and was not registered for this pro" in err
    assert f"service_connector '{project.stack}' has the flavour aws, and gcp is called for" in err


def test_what_somebody_else_registered_just_so_is_shared(project_in: Callable[..., Project]) -> None:
    project = project_in()
    held = {kind: one for kind, one in values("gcp", "vertex").items() if kind != "connector"}
    project.fill(held)
    Client().create_stack_component(
        project.stack, "vertex", StackComponentType.ORCHESTRATOR, ORCHESTRATORS["vertex"], labels={"team": "platform"}
    )
    assert project.outcomes()["orchestrator"] == "kept"
    project.fill(held | {"orchestrator": ORCHESTRATORS["vertex"] | {"location": "europe-west4"}})
    assert project.register()[0] == 3


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (None, "configs/stacks/staging.yaml (there is no such file) cannot be registered:"),
        ({"orchestrator": {"location": None}}, "  - orchestrator.project is missing\n  - orchestrator.location is m"),
        ({"orchestrator": None}, "  - orchestrator.workload_service_account is missing"),
        ({"artifact_store": {"path": ""}}, "  - artifact_store.path is missing"),
        ({"connector": None}, "  - connector.project_id is missing"),
        ({"experiment_tracker": {"tracking_uri": "https://m", "tracking_token": None}}, "tracking_token is missing"),
        ({"feature_store": {}}, "  - feature_store: the answers call for no such section; known here: orchestrator, "),
        ({"orchestrator": []}, "  - orchestrator: must be a mapping"),
        (
            {"orchestrator": ORCHESTRATORS["vertex"] | {"loc": "x"}},
            "  - orchestrator.loc: flavour vertex has no such key",
        ),
        (
            {"orchestrator": ORCHESTRATORS["vertex"] | {"gpu_limit": "many"}},
            "  - orchestrator.gpu_limit: Input should be a valid integer",
        ),
        ({"artifact_store": {"path": "hunter2"}}, "  - artifact_store.path: must begin with gs://\n"),
        (
            {"container_registry": {"uri": "https://user:hunter2@registry.example.com"}},
            "  - container_registry.uri: names a user or a password in an address; take it out\n",
        ),
        ({"container_registry": {"uri": "user:hunter2@registry.example.com"}}, "registry.uri: names a user or a pass"),
        ({"container_registry": {"uri": "https://registry.example.com"}}, "  - container_registry.uri: begins the nam"),
        ({"experiment_tracker": {"tracking_uri": "https://hunter2@m"}}, "  - experiment_tracker.tracking_uri: names"),
        ({"connector": {"project_id": "https://hunter2@m"}}, "  - connector.project_id: names a user or a password"),
        (
            {"experiment_tracker": {"tracking_uri": "https://m", "databricks_host": "hunter2"}},
            "  - experiment_tracker: flavour mlflow does not take what is given (tracking_token, databricks_host, trac",
        ),
        ({"connector": {"project_id": "a", "region": "b"}}, "  - connector.region: no key of the connector; known: p"),
        (
            {"experiment_tracker": {"tracking_uri": "https://m", "tracking_token": "hunter2"}},
            "  - experiment_tracker.tracking_token: is a secret; keep it in ZenML's secret NAME under the key KEY",
        ),
        (
            {"experiment_tracker": {"tracking_uri": "https://m", "tracking_token": "{{mlflow.other}}"}},
            "  - experiment_tracker.tracking_token: ZenML has no secret mlflow with the key other that everybody ",
        ),
    ],
)
def test_values_that_are_missing_or_wrong_are_wrong_usage(
    project_in: Callable[..., Project], changes: dict[str, Any] | None, said: str
) -> None:
    project = project_in()
    if changes is None:
        (project.scratch.root / "configs/stacks/staging.yaml").unlink()
    else:
        project.fill(values("gcp", "vertex") | changes)
    code, out, err = project.register()
    assert (code, out) == (2, ""), err
    assert said in err
    assert "hunter2" not in err
    assert project.state() == {}


def test_kubernetes_is_named_by_the_connector_or_else_by_a_context(project_in: Callable[..., Project]) -> None:
    project = project_in("aws", "kubernetes")
    held = values("aws", "kubernetes")
    project.fill(held | {"connector": CLOUDS["aws"]["connector"]})
    assert "connector.cluster is missing" in project.register()[2]
    del held["connector"]
    project.fill(held)
    assert "orchestrator.kubernetes_context is missing" in project.register()[2]
    project.fill(held | {"orchestrator": ORCHESTRATORS["kubernetes"] | {"incluster": True}})
    assert project.register()[0] == 0


def test_on_azure_the_connector_knows_no_cluster(project_in: Callable[..., Project]) -> None:
    project = project_in("azure", "kubernetes")
    held = values("azure", "kubernetes")
    project.fill(held | {"connector": held["connector"] | {"cluster": "platform"}})
    assert "connector.cluster: no key of the connector" in project.register()[2]
    project.fill(held | {"orchestrator": ORCHESTRATORS["kubernetes"]})
    assert "orchestrator.kubernetes_context is missing" in project.register()[2]


def test_a_token_that_is_not_in_zenml_yet_is_named(project_in: Callable[..., Project]) -> None:
    project = project_in()
    Client().delete_secret("slack")
    code, _, err = project.register()
    assert code == 2
    assert "alerter.slack_token: ZenML has no secret slack with the key token that everybody sees; " in err
    assert "`governance secrets apply` makes what is declared" in err
    Client().create_secret("slack", {"token": "mine"}, private=True)
    assert project.register()[0] == 2, "a run of somebody else does not see it"


def test_a_token_that_slack_does_not_take_leaves_nothing(project_in: Callable[..., Project], slack: Answering) -> None:
    project = project_in()
    slack.body = json.dumps({"ok": False, "error": "invalid_auth"})
    code, _, err = project.register()
    assert code == 2, err
    assert f"error: stack '{project.stack}' was not registered, alerter: Slack says invalid_auth\n" in err
    assert project.state() == {}


def test_a_connector_that_zenml_does_not_know_here_is_named(
    project_in: Callable[..., Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    from zenml.service_connectors.service_connector_registry import service_connector_registry

    project = project_in()
    monkeypatch.delitem(service_connector_registry.service_connector_types, "gcp")
    code, _, err = project.register()
    assert code == 2
    assert "connector: ZenML knows no service connector of type gcp here" in err


def test_a_dry_run_says_what_would_become_of_each_and_changes_nothing(project_in: Callable[..., Project]) -> None:
    project = project_in()
    code, out, _ = project.register("--dry-run")
    assert code == 0
    assert out.startswith(f"nothing was changed: --dry-run\nservice_connector {project.stack} (gcp): created\n")
    assert project.state() == {}


def test_a_stack_that_no_run_takes_yet_is_named_after_its_environment(
    project_in: Callable[..., Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = project_in()
    monkeypatch.delenv("ZENML_STAGING_STACK")
    code, out, _ = project.register("--dry-run")
    assert code == 0
    hint = "no run takes it yet: set ZENML_STAGING_STACK=staging, or `stack: staging` in configs/staging.yaml\n"
    assert out.endswith(f"\nstack staging: created\n{hint}")


def test_an_empty_name_is_none(project_in: Callable[..., Project], monkeypatch: pytest.MonkeyPatch) -> None:
    project = project_in()
    monkeypatch.delenv("ZENML_STAGING_STACK")
    project.scratch.write("configs/staging.yaml", "stack: ''")
    code, out, _ = project.register("--dry-run")
    assert (code, "no run takes it yet: set ZENML_STAGING_STACK=staging" in out) == (0, True)


def test_what_is_no_name_is_refused_where_a_stack_is_registered_and_where_it_is_taken(
    project_in: Callable[..., Project], governance: Governance, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = project_in("local", None)
    monkeypatch.delenv("ZENML_STAGING_STACK")
    project.scratch.write("configs/staging.yaml", "stack: 12")
    for verb in ("register", "check"):
        code, out, err = governance("stack", verb, "--environment", "staging")
        assert (code, out) == (2, "")
        assert err.startswith("error: `stack` in configs/staging.yaml names no stack: it is no text; write a name")


def test_a_variable_that_names_no_stack_is_named(
    project_in: Callable[..., Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = project_in("local", None)
    for given, said in {"startswith:a": " names no stack: ", str(uuid4()): " is an id, by which no run finds"}.items():
        monkeypatch.setenv("ZENML_STAGING_STACK", given)
        code, _, err = project.register()
        assert (code, err.startswith(f"error: ZENML_STAGING_STACK{said}")) == (2, True), err


def test_a_name_of_255_characters_with_a_colon_is_registered(
    project_in: Callable[..., Project], monkeypatch: pytest.MonkeyPatch, governance: Governance
) -> None:
    project = project_in("local", None)
    project.stack = f"team:{project.stack} (eu):contains:".ljust(255, "a")
    monkeypatch.setenv("ZENML_STAGING_STACK", project.stack)
    assert set(project.outcomes().values()) == {"created"}
    assert set(project.outcomes().values()) == {"kept"}
    assert governance("stack", "check", "--environment", "staging")[0] == 0


def test_only_what_has_just_this_name_is_looked_at(project_in: Callable[..., Project]) -> None:
    project = project_in()
    project.outcomes()
    component = WantedComponent("orchestrator", "vertex", {}, connected=True)
    for pattern in (f"contains:{project.stack}", f'oneof:["{project.stack}"]'):
        wanted = Wanted("staging", pattern, "another", "", (component,), "gcp", {})
        assert [(entry.type, entry.before) for entry in entries(wanted, [{}])] == [
            ("service_connector", None),
            ("orchestrator", None),
            ("stack", None),
        ]


def test_an_environment_that_does_not_exist_is_wrong_usage(
    project_in: Callable[..., Project], governance: Governance
) -> None:
    project_in()
    assert governance("stack", "register", "--environment", "nowhere")[0] == 2
