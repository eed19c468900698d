"""`governance promote`, `rollback` and `approve`: a version's way through the stages."""

from __future__ import annotations

from typing import Annotated

import typer

from governance_core.cli.app import app
from governance_core.cli.options import AsJson, DryRun, ModelName, Reason
from governance_core.cli.output import emit


@app.command(epilog='Example: governance promote --from-stage staging --to-stage production --reason "release 12"')
def promote(
    *,
    to_stage: Annotated[str, typer.Option(help="staging, production or archived.")],
    model: ModelName = None,
    version: Annotated[int | None, typer.Option(help="A version's number; the newest eligible by default.")] = None,
    from_stage: Annotated[str | None, typer.Option(help="Take the version that is in this stage.")] = None,
    this_tree: Annotated[
        bool, typer.Option("--this-tree", help="Only what was trained from the git tree that is checked out.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace who holds the stage. Skips no check.")] = False,
    reason: Reason = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Move a model version to a stage after checking everything that its policy asks."""
    from governance_core.lifecycle.promotion import promote as promote_version
    from governance_core.project import find_root

    decision = promote_version(
        find_root(),
        to_stage,
        model=model,
        version=version,
        from_stage=from_stage,
        this_tree=this_tree,
        force=force,
        reason=reason,
        dry_run=dry_run,
    )
    emit(decision.as_dict(), str(decision), as_json)


@app.command(epilog='Example: governance rollback --reason "wrong scores since noon"')
def rollback(
    model: ModelName = None,
    to_version: Annotated[int | None, typer.Option(help="A version that was in production before.")] = None,
    reason: Reason = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Put the version back into production that was there before."""
    from governance_core.lifecycle.rollback import rollback as roll_back
    from governance_core.project import find_root

    decision = roll_back(find_root(), model=model, to_version=to_version, reason=reason, dry_run=dry_run)
    emit(decision.as_dict(), str(decision), as_json)


@app.command(epilog='Example: governance approve --version 3 --to-stage production --reason "reviewed the report"')
def approve(
    *,
    version: Annotated[int | None, typer.Option(help="The version's number.")] = None,
    from_stage: Annotated[str | None, typer.Option(help="Or the stage that it is in.")] = None,
    to_stage: Annotated[str, typer.Option(help="production.")],
    from_ci: Annotated[
        bool, typer.Option("--from-ci", help="In the name of those who approved this CI run, as the CI system says.")
    ] = False,
    model: ModelName = None,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Approve a model version in your name, or in CI in that of its reviewers; nobody approves what they trained."""
    from governance_core.lifecycle.approval import approve as approve_version
    from governance_core.project import find_root

    approved = approve_version(
        find_root(), version, to_stage, from_stage=from_stage, from_ci=from_ci, model=model, reason=reason
    )
    emit(approved.as_dict(), str(approved), as_json)
