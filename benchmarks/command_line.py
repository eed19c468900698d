"""What `governance --help` costs beyond starting Python."""

import sys
from pathlib import Path

from _measure import alternately, report, result

BIN = Path(sys.executable).parent

shown, nothing = alternately([str(BIN / "governance"), "--help"], [sys.executable, "-c", "pass"], rounds=7)
report(
    result(
        "command line: help",
        shown - nothing,
        "CPU s",
        0.3,
        "median of 7 pairs: `governance --help` minus `python -c pass`",
    )
)
