"""Remove each guard named in tests/mutants.toml, one at a time, and fail where the tests stay green.

A mutant is applied to a scratch copy of the repository and installed there as a wheel, because the package tells itself
from a look-alike by the record of its distribution: an edit in place would fail the tests for the wrong reason.
"""

from __future__ import annotations

import argparse
import os
import queue
import shlex
import shutil
import subprocess
import sys
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORKERS = 2
NO_TESTS_RAN = 5


@dataclass(frozen=True)
class Mutant:
    """One guard and its removal: ``text`` occurs once in ``file``; ``tests`` are pytest arguments."""

    guard: str
    file: str
    text: str
    replacement: str
    tests: str


@dataclass(frozen=True)
class Copy:
    """A scratch copy of the repository with an environment of its own."""

    root: Path
    uv: str

    def install(self) -> None:
        """Build and install the copy's package as users get it."""
        subprocess.run([self.uv, "sync", "--locked", "--no-editable", "--quiet"], cwd=self.root, check=True)

    def passes(self, tests: str) -> tuple[bool, str]:
        """Run pytest; return whether it passed and what it printed."""
        command = [".venv/bin/pytest", "-x", "-q", "-p", "no:cacheprovider", *shlex.split(tests)]
        done = subprocess.run(command, cwd=self.root, capture_output=True, text=True, check=False)
        if done.returncode == NO_TESTS_RAN:
            raise SystemExit(f"no test is selected by: {tests}")
        return done.returncode == 0, done.stdout + done.stderr

    def survives(self, mutant: Mutant) -> bool:
        """Return whether the tests stay green without the guard."""
        path = self.root / mutant.file
        original = path.read_text(encoding="utf-8")
        path.write_text(original.replace(mutant.text, mutant.replacement), encoding="utf-8")
        try:
            self.install()
            return self.passes(mutant.tests)[0]
        finally:
            path.write_text(original, encoding="utf-8")


def load(only: str) -> list[Mutant]:
    """Read the mutants whose guard or file holds ``only``; stop where a text does not occur exactly once."""
    entries = tomllib.loads((ROOT / "tests" / "mutants.toml").read_text(encoding="utf-8"))["mutant"]
    mutants = [Mutant(**entry) for entry in entries]
    for mutant in mutants:
        found = (ROOT / mutant.file).read_text(encoding="utf-8").count(mutant.text)
        if found != 1 or mutant.text == mutant.replacement:
            raise SystemExit(f"{mutant.file}: the text of {mutant.guard!r} occurs {found} times, not once")
    return [mutant for mutant in mutants if only in mutant.guard or only in mutant.file]


def make_copy(scratch: Path, uv: str) -> Copy:
    """Copy what git tracks or would track, with the repository's history for the tests that need it."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    files = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    subprocess.run(["git", "clone", "--quiet", "--no-checkout", str(ROOT), str(scratch)], check=True)
    for name in filter(None, files):
        if (ROOT / name).is_file():
            (scratch / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, scratch / name)
    subprocess.run(["git", "reset", "--quiet"], cwd=scratch, check=True)
    (scratch / "build").mkdir()
    for name in ("node", "providers"):  # else the tests that need them are skipped
        (scratch / "build" / name).symlink_to(ROOT / "build" / name)
    return Copy(scratch, str(Path(uv).resolve()))


def main() -> None:
    """Apply every mutant; exit 1 and list those that no test noticed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--uv", default="uv")
    parser.add_argument("--only", default="", help="part of a guard's name or of a file's path")
    arguments = parser.parse_args()
    mutants = load(arguments.only)
    for name in ("VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT"):
        os.environ.pop(name, None)
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(WORKERS) as pool:
        copies: queue.SimpleQueue[Copy] = queue.SimpleQueue()
        for number in range(WORKERS):
            copies.put(make_copy(Path(scratch) / str(number), shutil.which(arguments.uv) or arguments.uv))
        require_green(copies, mutants)
        survivors = [mutant for mutant in pool.map(lambda mutant: survives(copies, mutant), mutants) if mutant]
    print(f"{len(mutants) - len(survivors)} of {len(mutants)} guards are held by a test")
    if survivors:
        sys.exit("\n".join(["these can be removed without a test noticing:", *(f"  {m.guard}" for m in survivors)]))


def require_green(copies: queue.SimpleQueue[Copy], mutants: list[Mutant]) -> None:
    """Stop where the tests fail before anything was removed: they would then prove nothing."""
    copy = copies.get()
    copy.install()
    files = dict.fromkeys(mutant.tests.partition(" -k ")[0] for mutant in mutants)  # pytest heeds one -k only
    passed, output = copy.passes(" ".join(files))
    if not passed:
        sys.exit(f"the tests fail without any mutant:\n{output}")
    copies.put(copy)


def survives(copies: queue.SimpleQueue[Copy], mutant: Mutant) -> Mutant | None:
    """Try one mutant in whichever copy is free; return it if no test noticed."""
    copy = copies.get()
    try:
        survived = copy.survives(mutant)
    finally:
        copies.put(copy)
    print(f"{'SURVIVED' if survived else 'held    '} {mutant.guard}", flush=True)
    return mutant if survived else None


if __name__ == "__main__":
    main()
