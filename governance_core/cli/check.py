"""`governance check`: does this repository keep the platform's rules?"""

from __future__ import annotations

from typing import Annotated

import typer

from governance_core.cli.app import app
from governance_core.cli.options import AsJson
from governance_core.cli.output import emit
from governance_core.core import Refused


@app.command(epilog="Example: governance check --json")
def check(
    branch: Annotated[str | None, typer.Option(help="The commit that is checked out must be on this branch.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check governed files, answers, policy, package and pipelines of this repository; exit 3 if one breaks a rule."""
    from governance_core import checks
    from governance_core.project import find_root

    report = checks.check(find_root(), branch)
    lines = [*map(str, report.findings), *(f"note: {note}" for note in report.notes)]
    holds = "everything holds" if report.complete else "what could be checked holds; the notes say what could not"
    lines.append(holds if report.holds else f"broken: {len(report.findings)}")
    findings = [finding.as_dict() for finding in report.findings]
    document = {"holds": report.holds, "complete": report.complete, "findings": findings, "notes": report.notes}
    emit(document, "\n".join(lines), as_json)
    if not report.holds:
        raise typer.Exit(Refused.exit_code)
