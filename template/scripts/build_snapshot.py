#!/usr/bin/env python3
"""Release pipelines; `governance snapshot create` in this project, from any directory."""

import os
import sys
from pathlib import Path

from governance_core.cli.app import main

os.chdir(Path(__file__).resolve().parent.parent)
sys.argv[1:1] = ["snapshot", "create"]
main()
