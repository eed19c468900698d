"""The one table of what a project's answers call for in ZenML: flavours, and the keys that somebody must fill.

Pure: ZenML's own flavour classes are asked where a component is registered, and by the tests for all of the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from governance_core.project import Project


@dataclass(frozen=True)
class Flavor:
    """A stack component's type and flavour, by ZenML's names, and the answer that calls for it.

    ``keys`` are those of its configuration that configs/stacks fills, ``given`` are values that need nobody;
    ``connected`` says that it reaches the cloud through the service connector, where there is one.
    """

    type: str
    name: str
    answer: str
    keys: tuple[str, ...] = ()
    given: Mapping[str, str] = field(default_factory=dict)
    connected: bool = False


# By cloud: what stores artifacts and images there.
STORES: dict[str, tuple[Flavor, ...]] = {
    "gcp": (
        Flavor("artifact_store", "gcp", "cloud", ("path",), connected=True),
        Flavor("container_registry", "gcp", "cloud", ("uri",), connected=True),
    ),
    "aws": (
        Flavor("artifact_store", "s3", "cloud", ("path",), connected=True),
        Flavor("container_registry", "aws", "cloud", ("uri",), connected=True),
    ),
    "azure": (
        Flavor("artifact_store", "azure", "cloud", ("path",), connected=True),
        Flavor("container_registry", "azure", "cloud", ("uri",), connected=True),
    ),
}
CONTEXT = "kubernetes_context"  # what names a cluster where the connector does not
_VERTEX = ("project", "location", "workload_service_account")
_AZUREML = ("subscription_id", "resource_group", "workspace", "compute_name")
_KUBERNETES = ("kubernetes_namespace", "service_account_name")
# By cloud and orchestrator; the identity that the steps run as is asked for, because a default one may do anything.
# On Azure the connector would fetch the credentials of a cluster's administrator, and to AzureML it adds nothing:
# whoever submits does it as themselves. There only a compute cluster can be given an identity.
SERVICES: dict[str, dict[str, Flavor]] = {
    "gcp": {
        "vertex": Flavor("orchestrator", "vertex", "orchestrator", _VERTEX, connected=True),
        "kubernetes": Flavor("orchestrator", "kubernetes", "orchestrator", _KUBERNETES, connected=True),
    },
    "aws": {
        "sagemaker": Flavor("orchestrator", "sagemaker", "orchestrator", ("execution_role",), connected=True),
        "kubernetes": Flavor("orchestrator", "kubernetes", "orchestrator", _KUBERNETES, connected=True),
    },
    "azure": {
        "azureml": Flavor("orchestrator", "azureml", "orchestrator", _AZUREML, {"mode": "compute-cluster"}),
        "kubernetes": Flavor("orchestrator", "kubernetes", "orchestrator", (*_KUBERNETES, CONTEXT)),
    },
}
# By cloud: what the service connector's configuration needs; it authenticates as the ZenML server does.
# Without an account's name ZenML looks through all of a subscription, and takes the first container of a path's name.
CONNECTORS: dict[str, tuple[str, ...]] = {
    "gcp": ("project_id",),
    "aws": ("region",),
    "azure": ("subscription_id", "tenant_id", "storage_account"),
}
AUTH_METHOD = "implicit"
CLUSTER = "cluster"  # of the connector's section: which of its clusters the orchestrator kubernetes runs in

_LOCAL = (Flavor("orchestrator", "local", "cloud"), Flavor("artifact_store", "local", "cloud"))
_IMAGES = Flavor("image_builder", "local", "cloud")


def in_cloud(project: Project, environment: str) -> bool:
    """Tell whether an environment's runs belong into the cloud; ``local`` is the machine that submits."""
    return project.cloud != "local" and environment != "local"


def flavors(project: Project, environment: str) -> list[Flavor]:
    """Return the components that the answers call for in an environment."""
    remote = in_cloud(project, environment)
    if remote and project.orchestrator:
        chosen = [SERVICES[project.cloud][project.orchestrator], *STORES[project.cloud], _IMAGES]
    else:
        chosen = [*_LOCAL]
    return chosen + _alerters(project) + _trackers(project, remote)


def _alerters(project: Project) -> list[Flavor]:
    channel = {"slack": "slack_channel_id", "discord": "default_discord_channel_id"}.get(project.alerter)
    if channel is None or project.alert_channel is None:
        return []
    name = project.alerter
    given = {f"{name}_token": f"{{{{{name}.token}}}}", channel: project.alert_channel}
    return [Flavor("alerter", name, "alerter", given=given)]


def _trackers(project: Project, remote: bool) -> list[Flavor]:
    if project.experiment_tracker == "none":
        return []
    if not remote:  # into a file of the local artifact store
        return [Flavor("experiment_tracker", "mlflow", "experiment_tracker")]
    given = {"tracking_token": "{{mlflow.token}}"}
    return [Flavor("experiment_tracker", "mlflow", "experiment_tracker", ("tracking_uri",), given)]
