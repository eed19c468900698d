"""What `governance check` looks at: files, answers, policy, package and pipelines of one repository."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from governance_core.core import DISTRIBUTION, GovernanceError, Refused, UsageError, installation
from governance_core.policy import ENVIRONMENTS, GOVERNANCE_FILE, RISK_TIERS, effective, load_governance_file
from governance_core.project import (
    ANSWERS_FILE,
    PROJECT_FILE,
    Finding,
    Project,
    governed_findings,
    is_on_branch,
    load_project,
    template_state,
)
from governance_core.secrets.declared import declared_secrets

PACKAGE = "governance_core"


@dataclass
class Report:
    """Every rule that is broken, and notes: what could not be compared, or does not forbid anything here.

    ``complete`` says whether everything could be compared.
    """

    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    complete: bool = True

    @property
    def holds(self) -> bool:
        """Tell whether nothing is broken."""
        return not self.findings

    def passed_over(self, what: str) -> None:
        """Note what could not be compared."""
        self.notes.append(what)
        self.complete = False


def check(root: Path, branch: str | None = None) -> Report:
    """Check a project.

    Args:
        root: the project's folder.
        branch: which holds what is checked out; None where any commit will do.

    Raises:
        UsageError: if neither governance/project.yaml nor the answers file can be read, or git lacks the branch.
    """
    report = Report()
    if branch and not is_on_branch(root, branch):
        message = f"the commit that is checked out is not on {branch}; release what was merged"
        report.findings.append(Finding("not-on-branch", "HEAD", message))
    report.findings += _package(root)
    report.findings += governed_findings(root)
    try:
        project = load_project(root)
    except UsageError as error:
        report.passed_over(f"policy, risk tier and pipelines were not checked: {error}")
        return report
    _release(root, report)
    report.findings += _policy(root, project)
    _risk_tier(project, report)
    _pipelines(root, report)
    return report


def _package(root: Path) -> Iterator[Finding]:
    installed = installation()
    where = f"{PACKAGE} {installed.version}"
    if installed.kind != "wheel":
        reason = "; ".join(installed.problems[:3])
        yield Finding(
            "package-foreign", where, f"{reason}; reinstall with `uv sync --reinstall-package {DISTRIBUTION}`"
        )
    others = set(metadata.packages_distributions().get(PACKAGE, ())) - {DISTRIBUTION}
    for other in sorted(others):
        yield Finding("package-foreign", where, f"the distribution {other} installs {PACKAGE} too; remove {other}")
    for folder in (root, root / "src", root / "scripts"):
        for look_alike in (folder / PACKAGE, folder / f"{PACKAGE}.py"):
            if look_alike.exists():
                path = look_alike.relative_to(root).as_posix()
                yield Finding(
                    "package-shadowed", path, f"would be imported instead of {DISTRIBUTION}; rename or delete it"
                )


def _release(root: Path, report: Report) -> None:
    template = template_state(root)
    if template.released:
        return
    recorded = template.recorded or "a folder without git"
    if template.recorded and _is_release(template.recorded):
        message = (
            f"the template's release is {recorded} and the installed package is {template.version}; "
            "finish the update: `copier update`, `uv lock`, `make setup`"
        )
        report.findings.append(Finding("release-differs", ANSWERS_FILE, message))
    else:
        refused = "" if template.source == "path" else "; production is refused"
        report.notes.append(f"the template is not a release ({recorded}){refused}")


def _is_release(recorded: str) -> bool:
    return recorded.startswith("v") and recorded[1:].replace(".", "").isdigit()


def _policy(root: Path, project: Project) -> Iterator[Finding]:
    try:
        file = load_governance_file(root / GOVERNANCE_FILE)
    except UsageError as error:
        yield Finding("policy-invalid", GOVERNANCE_FILE, " ".join(str(error).split()))
        return
    try:
        declared_secrets(root)
    except UsageError as error:
        yield Finding("secrets-invalid", GOVERNANCE_FILE, " ".join(str(error).split()))
    broken: dict[tuple[str, str], list[str]] = {}
    for environment in ENVIRONMENTS:
        try:
            policy = effective(environment, project.risk_tier, file, project.problem)
        except Refused as refused:
            for violation in refused.violations:
                broken.setdefault((violation.rule, violation.message), []).append(environment)
            continue
        except UsageError as error:
            broken.setdefault(("policy-invalid", str(error)), []).append(environment)
            continue
        if not policy.metric_bounds:
            message = (
                f"sets no bound of a metric, so that the model gate fails; set one below policy.{environment}.metrics"
            )
            broken.setdefault(("policy-no-bounds", message), []).append(environment)
    for (rule, message), environments in broken.items():
        yield Finding(rule, GOVERNANCE_FILE, f"{message} ({', '.join(environments)})")


def _risk_tier(project: Project, report: Report) -> None:
    try:
        decided = _last_production_tier(project.model_name)
    except GovernanceError as error:
        report.findings.append(Finding("ledger-broken", project.model_name, str(error)))
        return
    except _unreachable() as error:
        message = f"the risk tier was not compared with the last production decision: no store ({_one_line(error)})"
        report.passed_over(message)
        return
    if decided and RISK_TIERS.index(project.risk_tier) < RISK_TIERS.index(decided):
        message = f"risk_tier is {project.risk_tier}, and the last production decision was made under {decided}"
        report.findings.append(Finding("risk-tier-lowered", PROJECT_FILE, f"{message}; set it back"))


def _last_production_tier(model: str) -> str | None:
    from governance_core.registry.chains import stages

    done = False
    for event in stages(model).newest():
        if event.kind == "outcome":
            done = event.body["result"] == "done"
        elif event.kind == "intent" and done and event.body["to"] == "production" and "risk_tier" in event.body:
            return str(event.body["risk_tier"])
    return None


def _pipelines(root: Path, report: Report) -> None:
    from governance_core.pipelines.inspection import inspect

    try:
        inspected = inspect(root)
    except (Refused, UsageError):
        report.passed_over("pipelines were not checked, because there is no valid policy")
        return
    except _unreachable() as error:
        report.passed_over(f"pipelines were not checked: no store ({_one_line(error)})")
        return
    for pipeline in inspected:
        report.findings += [Finding(found.rule, pipeline.name, found.message) for found in pipeline.violations]
        if pipeline.problem:
            report.passed_over(f"{pipeline.name} was not checked: {' '.join(pipeline.problem.split())}")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _unreachable() -> tuple[type[Exception], ...]:
    from zenml.exceptions import ZenMLBaseException

    return (OSError, RuntimeError, ZenMLBaseException)
