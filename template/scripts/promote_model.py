#!/usr/bin/env python3
"""Promote a model version; `governance promote` with this project, from any directory."""

import os
import sys
from pathlib import Path

from governance_core.cli.app import main

os.chdir(Path(__file__).resolve().parent.parent)
sys.argv[1:1] = ["promote"]
main()
