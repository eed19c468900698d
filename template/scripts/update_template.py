#!/usr/bin/env python3
"""Take the next release of the platform on a branch of its own, and open a change request for it.

Needs TEMPLATE_UPDATE_TOKEN; docs/ci.md says which rights. Exits with 3 where the update meets the
team's edits.
"""

import base64
import os
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import yaml
from governance_core.ci import forge
from governance_core.core import GovernanceError, Refused, UsageError, Violation

ROOT = Path(__file__).resolve().parent.parent
TOKEN = "TEMPLATE_UPDATE_TOKEN"
IDENTITY = ("-c", "user.name=Platform update", "-c", "user.email=platform-update@localhost")
TEXT = """\
`copier update` moved the platform's files to {release}, and `uv lock` followed.

Nothing of the team's was changed beyond the merges that this diff shows. The checks of this change
request tell whether the project still holds; the changes for teams are in the platform's changelog.
"""


def main() -> None:
    """Update, unless this release was proposed before."""
    if not os.environ.get(TOKEN):
        raise UsageError(
            f"{TOKEN} is not set: the token that the CI system gives to every job may not change "
            "the files of the CI system, so the update needs one of its own; docs/ci.md says how "
            "to make it"
        )
    if run("git", "status", "--porcelain", "--untracked-files=normal"):
        raise UsageError("the update would mix in what changed in the work tree: commit it first")
    os.environ.update(git_credentials())
    copier = ("run", "--isolated", "--locked", "--only-group", "template", "copier")
    run(uv(), *copier, "update", "--defaults", "--quiet")
    if conflicts := run("git", "diff", "--name-only", "--diff-filter=U").split():
        what = "both the team and the platform changed it; run `copier update` and merge by hand"
        violations = [Violation("conflict", f"{path}: {what}") for path in conflicts]
        raise Refused("the update", violations)
    if not run("git", "status", "--porcelain"):
        print("up to date")
        return
    run(uv(), "lock", "--quiet")
    release = yaml.safe_load((ROOT / ".copier-answers.yml").read_text())["_commit"]
    print(propose(release, f"platform/{release}"))


def propose(release: str, branch: str) -> str:
    """Push the branch, unless somebody may work on it, and return the change request's address.

    What the team closed is neither pushed nor opened again.
    """
    if declined := forge().declined(branch):
        return f"{declined} was closed, so {release} is not proposed again"
    title = f"Update the platform to {release}"
    if not run("git", "ls-remote", "--heads", remote(), branch):
        run("git", "switch", "--quiet", "--create", branch)
        run("git", "add", "--all")
        run("git", *IDENTITY, "commit", "--quiet", "--message", title)
        run("git", "push", "--quiet", remote(), f"{branch}:{branch}")
    return forge().change_request(branch, title, TEXT.format(release=release))


def remote() -> str:
    """Return origin's address without the user of the CI system, whose token may not push this."""
    url = run("git", "remote", "get-url", "origin").strip()
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl() if is_https(url) else url


def git_credentials() -> dict[str, str]:
    """Return the variables that give git the token for origin's server, in whatever it does there.

    In the environment, behind what the CI system sets there for the platform's repository: an
    argument or an address would show it in the list of processes.
    """
    url = remote()
    if not is_https(url):
        return {}
    login = base64.b64encode(f"x-access-token:{os.environ[TOKEN]}".encode()).decode()
    count = int(os.environ.get("GIT_CONFIG_COUNT", "0"))
    return {
        "GIT_CONFIG_COUNT": str(count + 1),
        f"GIT_CONFIG_KEY_{count}": f"http.https://{urlsplit(url).netloc}/.extraHeader",
        f"GIT_CONFIG_VALUE_{count}": f"Authorization: Basic {login}",
    }


def is_https(url: str) -> bool:
    """Tell whether git reaches the address with a token, not with a key of the machine."""
    return url.startswith("https://")


def uv() -> str:
    """Return uv as `make setup` found it."""
    return shutil.which("uv") or str(ROOT / "build/uv/bin/uv")


def run(*command: str) -> str:
    """Run a command in the project and return what it printed."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise GovernanceError(f"{' '.join(command[:3])} failed: {done.stderr.strip()}")
    return done.stdout


if __name__ == "__main__":
    try:
        main()
    except GovernanceError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
