"""Snapshots that ZenML's server runs, which only ZenML Pro's does."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID, uuid4

from zenml.client import Client
from zenml.enums import StoreType
from zenml.models import PipelineRunResponse, PipelineSnapshotResponse, PipelineSnapshotRunRequest
from zenml.pipelines.run_utils import validate_stack_is_runnable_from_server
from zenml.utils.pagination_utils import depaginate

from governance_core.core import UsageError
from governance_core.lifecycle.running import require_model
from governance_core.pipelines import GovernedPipeline
from governance_core.registry.releases import releasing


def require_server() -> None:
    """Raise a UsageError where snapshots cannot be run: on a local store, and by a server without ZenML Pro."""
    need = "snapshot_mode is pro, and snapshots are run by a server of ZenML Pro"
    if Client().zen_store.type != StoreType.REST:
        raise UsageError(
            f"{need}; this is a local store: set ZENML_STORE_URL and ZENML_STORE_API_KEY, or set the answer to oss"
        )
    try:
        # A server that runs snapshots knows none of this id; another does not know the question.
        Client().zen_store.run_snapshot(uuid4(), PipelineSnapshotRunRequest())
    except KeyError:
        return
    except RuntimeError as error:
        raise UsageError(f"{need}, which {Client().zen_store.url} is not ({error})") from error


def require_stack() -> None:
    """Raise a UsageError where the active stack is none that a server can run snapshots on."""
    stack = Client().active_stack_model
    try:
        validate_stack_is_runnable_from_server(Client().zen_store, stack)
    except ValueError as error:
        raise UsageError(f"stack {stack.name}: {error}") from error


def snapshot_name(environment: str, commit: str) -> str:
    """Return the name of a commit's snapshots in an environment; it is unique for each pipeline."""
    return f"{environment}-{commit[:12]}"


def make_snapshot(
    pipeline: GovernedPipeline, environment: str, commit: str, say: Callable[[str], None]
) -> PipelineSnapshotResponse:
    """Make the snapshot of a pipeline under a name that nobody has, until it is `put_in_place`.

    Args:
        pipeline: as it is configured.
        environment: that it runs in.
        commit: that is checked out.
        say: is told what was made.

    Raises:
        UsageError: if the server could not run the snapshot; none is left behind.
    """
    name = f"{snapshot_name(environment, commit)}-{uuid4().hex[:8]}"
    with releasing():
        made = pipeline.create_snapshot(
            name=name, description=f"Commit {commit}, released to {environment}", tags=[commit]
        )
    _require_runnable(made)
    say(f"{pipeline.name} is snapshot {snapshot_name(environment, commit)} ({made.id})")
    return made


def put_in_place(
    made: PipelineSnapshotResponse, environment: str, commit: str, former: str | None, say: Callable[[str], None]
) -> None:
    """Give a snapshot that was released its name, and the triggers of those that it follows.

    The triggers are attached with no configuration of their own, and before it takes the name: ZenML detaches those of
    a snapshot that loses its name without a word.

    Args:
        made: the snapshot.
        environment: that it runs in.
        commit: that it was made from.
        former: id of the snapshot whose triggers follow; None where only those of one of the same commit do.
        say: is told which triggers moved.
    """
    name = snapshot_name(environment, commit)
    same = Client().list_snapshots(name=f"equals:{name}", pipeline=made.pipeline.id, size=1, hydrate=False).items
    before = {UUID(former)} if former else set[UUID]()
    before |= {snapshot.id for snapshot in same}
    attached = [(trigger, snapshot) for snapshot in before for trigger in _triggers(snapshot)]
    for trigger in {trigger for trigger, _ in attached}:
        Client().attach_trigger_to_snapshot(trigger, made.id)
        say(f"trigger {Client().zen_store.get_trigger(trigger).name} runs it from now on")
    for trigger, snapshot in attached:
        Client().detach_trigger_from_snapshot(trigger, snapshot)
    Client().update_snapshot(made.id, name=name, replace=True)


def start(snapshot_id: str) -> PipelineRunResponse:
    """Let the server run a snapshot, and return the run that begins.

    Raises:
        UsageError: if there is no such snapshot any more, or a model version that it reads.
    """
    try:
        snapshot = Client().get_snapshot(UUID(snapshot_id))
    except KeyError as error:
        raise UsageError(f"snapshot {snapshot_id} was deleted; release again: governance snapshot create") from error
    configuration = snapshot.pipeline_configuration
    require_model(configuration.name, configuration.model)
    return Client().trigger_pipeline(snapshot.id)


def _triggers(snapshot: UUID) -> set[UUID]:
    found = Client().list_snapshot_triggers
    return {trigger.id for trigger in depaginate(found, snapshot_id=snapshot)}


def _require_runnable(snapshot: PipelineSnapshotResponse) -> None:
    if snapshot.runnable:
        return
    Client().delete_snapshot(snapshot.id)
    raise UsageError(
        f"snapshot {snapshot.name} could not be run by the server, and was deleted again: its images are on this "
        "machine only; add a container registry to the stack"
    )
