"""`governance drift`: the drift gate on files, outside a pipeline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from governance_core.cli.app import app
from governance_core.cli.options import AsJson
from governance_core.cli.output import emit
from governance_core.cli.policy import policy_here
from governance_core.core import Bound, Refused, UsageError


@app.command(epilog="Example: governance drift --reference data/train.parquet --current data/today.parquet")
def drift(
    *,
    reference: Annotated[str, typer.Option(help="A Parquet or CSV file, a pattern, or a saved profile (.json).")],
    current: Annotated[str | None, typer.Option(help="A Parquet or CSV file, or a pattern of Parquet files.")] = None,
    environment: Annotated[str, typer.Option(help="Whose policy holds: local, staging or production.")] = "local",
    threshold: Annotated[float | None, typer.Option(help="The largest share of drifted columns.")] = None,
    ignore: Annotated[list[str] | None, typer.Option(help="A column not to compare; may be repeated.")] = None,
    save_profile: Annotated[Path | None, typer.Option(help="Save the reference's profile (.json), for later.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write Evidently's report, a page for people (.html).")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare data with a reference by the rules of detect_drift and of this project's governance.yaml.

    The option can only tighten the policy; outside a project the baseline holds. A share of drifted columns above the
    limit is exit code 3, whatever on_drift says; data that cannot be compared are exit code 2.
    """
    from governance_core.gates.drift import judge_drift, reference_profile

    held = policy_here(environment)
    if current is None and (report or not save_profile):
        raise UsageError("nothing to compare: name the data with --current, or only a file with --save-profile")
    profile = reference_profile(reference)
    if save_profile:
        _save(json.dumps(profile.as_dict()), save_profile)
    if current is None:
        emit({"profile": str(save_profile)}, f"the profile of {reference} is in {save_profile}", as_json)
        return
    asked = [] if threshold is None else [Bound("drift_score", "max", threshold, "--threshold")]
    rules = held.drift
    verdict = judge_drift(
        profile,
        current,
        [*held.drift_bounds, *asked],
        method=rules.method,
        threshold=rules.threshold,
        ignore=ignore or (),
    )
    found = verdict.as_dict()
    if report:
        from governance_core.steps.drift_report import draw_report

        drawn = draw_report(reference, current, verdict, ignore or ())
        _save(drawn.html, report)
        found |= {"evidently": drawn.as_dict(), "report": str(report)}
    if not as_json:
        verdict.raise_if_failed(current)
    emit(found, str(verdict), as_json)
    if not verdict.passed:
        raise typer.Exit(Refused.exit_code)


def _save(text: str, path: Path) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error}") from error
