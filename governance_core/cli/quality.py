"""`governance quality`: the data gate on files, outside a pipeline."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from governance_core.cli.app import app
from governance_core.cli.options import AsJson
from governance_core.cli.output import emit
from governance_core.cli.policy import policy_here
from governance_core.core import Bound, Refused, UsageError


@app.command(epilog="Example: governance quality data/train.parquet --min-rows 1000")
def quality(
    data: Annotated[str, typer.Argument(help="A Parquet file, a pattern of them ('data/*.parquet'), or a CSV file.")],
    *,
    environment: Annotated[str, typer.Option(help="Whose policy holds: local, staging or production.")] = "local",
    min_rows: Annotated[int | None, typer.Option(help="The least number of rows.")] = None,
    max_missing_fraction: Annotated[float | None, typer.Option(help="The largest share of missing cells.")] = None,
    max_duplicates: Annotated[int | None, typer.Option(help="The largest number of extra copies of rows.")] = None,
    as_json: AsJson = False,
) -> None:
    """Judge files by the rules of validate_data_quality and of this project's governance.yaml; list each violation.

    The options can only tighten the policy; outside a project the baseline holds. A violation is exit code 3; a
    column that is absent, undeclared where that is forbidden, or of another type is exit code 2, like a file that
    cannot be read.
    """
    from governance_core.gates import SCHEMA_RULES, judge_data

    held = policy_here(environment)
    options: dict[str, tuple[str, Literal["min", "max"], float | None]] = {
        "--min-rows": ("rows", "min", min_rows),
        "--max-missing-fraction": ("missing_fraction", "max", max_missing_fraction),
        "--max-duplicates": ("duplicates", "max", max_duplicates),
    }
    asked = [Bound(name, kind, limit, option) for option, (name, kind, limit) in options.items() if limit is not None]
    verdict = judge_data(data, [*held.data_bounds, *asked], held.data.columns, held.data.extra_columns)
    another = not SCHEMA_RULES.isdisjoint(violation.rule for violation in verdict.violations)
    if not verdict.passed and not as_json:
        refused = Refused(data, verdict.violations)
        raise UsageError(str(refused)) if another else refused
    emit(verdict.as_dict(), "\n".join(check.message for check in verdict.checks), as_json)
    if not verdict.passed:
        raise typer.Exit(UsageError.exit_code if another else Refused.exit_code)
