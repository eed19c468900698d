"""The issue that a failed scheduled job opens."""

from __future__ import annotations

from datetime import UTC, datetime

from governance_core.ci.forge import forge
from governance_core.ci.run import current_run


def alert_of_job(job: str) -> str:
    """Open the one issue of a failed job, or update the open one, and return its address.

    Raises:
        UsageError: outside of CI, or if the forge cannot be reached or refuses.
    """
    run = current_run()
    where = run.url if run and run.url else "a run that the CI system gives no address of"
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    text = (
        f"The scheduled job `{job}` failed at {now}: {where}\n\n"
        "Read its log, mend what it names and run the job again; then close this issue. It is updated, and no second "
        "one opened, while it is open."
    )
    return forge().issue(f"job.{job}", f"The scheduled job {job} failed", text)
