"""A small governed project in its own folder, with a git repository and an importable package of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import uuid4

import pytest
import yaml
from zenml.utils import source_utils

from governance_core.core import version
from governance_core.pipelines.submission import collect
from governance_core.project import Project, render_governed
from governance_core.registry.releases import Release, record_release

MODULE = '''\
"""A team's steps and pipelines."""

from typing import Annotated

import pandas as pd
from sklearn.base import ClassifierMixin
from sklearn.tree import DecisionTreeClassifier
from zenml import pipeline, step

from governance_core.pipelines import governed_pipeline
from governance_core.steps import evaluate_model, validate_data_quality, validate_model_performance


@step
def load(rows: int = 120) -> Annotated[pd.DataFrame, "raw"]:
    return pd.DataFrame({"x": [float(i % 2) for i in range(rows)], "label": [i % 2 for i in range(rows)]})


@step
def features(data: pd.DataFrame) -> Annotated[pd.DataFrame, "features"]:
    return data[["x"]]


@step
def target(data: pd.DataFrame) -> Annotated[pd.Series, "target"]:
    return data["label"]


@step
def train(data: pd.DataFrame, depth: int = 1) -> Annotated[ClassifierMixin, "model"]:
    return DecisionTreeClassifier(max_depth=depth).fit(data[["x"]], data["label"])


@governed_pipeline
def training(rows: int = 120, min_accuracy: float = 0.5):
    data = validate_data_quality(load(rows))
    model = train(data)
    metrics = evaluate_model(model, features(data), target(data))
    validate_model_performance(metrics, min_accuracy=min_accuracy)
'''

# A pipeline with an evaluation step of the team's own.
OWN_EVALUATOR = """
@step
def score(model: ClassifierMixin, data: pd.DataFrame) -> Annotated[dict[str, float], "metrics"]:
    score = float(model.score(data[["x"]], data["label"]))
    return {"accuracy": score, "precision": score, "recall": score}

@governed_pipeline
def own():
    data = validate_data_quality(load())
    validate_model_performance(score(train(data), data))
"""


class Scratch:
    """A project; ``module`` is its imported package, in which `write` puts more code."""

    def __init__(self, root: Path, answers: dict[str, Any]) -> None:
        name = f"scratch_{uuid4().hex[:8]}"
        self.root = root
        self.package = name
        self.project = Project.model_validate(
            {
                "project_name": "Scratch",
                "project_slug": name.replace("_", "-"),
                "package_name": name,
                "description": "A project of the tests",
                "owner_team": "team",
                "owner_email": "team@example.com",
                "model_name": name,
                "problem": "classification",
                "positive_label": "1",
                "risk_tier": "minimal",
                "governance_source": "path",
                "governance_location": str(root),
                **answers,
            }
        )

    def __enter__(self) -> Scratch:
        answers = {name: value for name, value in self.project.model_dump().items() if value is not None}
        self.write(".copier-answers.yml", yaml.safe_dump({"_commit": f"v{version()}"} | answers))
        for path, file in render_governed(self.project).items():
            self.write(path, file.content.decode())
            (self.root / path).chmod(0o755 if file.executable else 0o644)
        self.write("governance.yaml", "policy: {}\n")
        self.write(".gitignore", "__pycache__/\n.zen/\n")
        self.write(f"src/{self.package}/__init__.py", MODULE)
        self.git("init", "--quiet", "--initial-branch=main")
        self.commit()
        sys.path.insert(0, str(self.root / "src"))
        source_utils.set_custom_source_root(str(self.root / "src"))
        return self

    def __exit__(self, *_: object) -> None:
        source_utils.set_custom_source_root(None)
        sys.path.remove(str(self.root / "src"))
        for name in [name for name in sys.modules if name.partition(".")[0] == self.package]:
            del sys.modules[name]

    @property
    def module(self) -> ModuleType:
        """The project's package, imported."""
        return import_module(self.package)

    def write(self, path: str, text: str) -> Path:
        """Write a file of the project."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def add(self, name: str, code: str) -> ModuleType:
        """Write a module of the package that begins with everything the package holds, commit it, and import it."""
        self.write(f"src/{self.package}/{name}.py", f"from {self.package} import *\n\n{code}")
        self.commit()
        return import_module(f"{self.package}.{name}")

    def commit(self) -> None:
        """Commit every file."""
        self.git("add", "--all")
        self.git("-c", "user.name=team", "-c", "user.email=team@example.com", "commit", "--quiet", "-m", "change")

    def release(self, environment: str) -> None:
        """Release what is checked out, as `governance snapshot create` does without ZenML Pro."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("GOVERNANCE_ENVIRONMENT", environment)
            submission = collect(self.root, self.root / "configs" / f"{environment}.yaml")
            record_release(self.project.project_slug, Release.of(submission, {"training": None}))

    def git(self, *arguments: str) -> str:
        """Run git in the project and return what it prints."""
        done = subprocess.run(["git", *arguments], cwd=self.root, check=True, capture_output=True, text=True)
        return done.stdout.strip()


@contextmanager
def scratch_project(root: Path, **answers: Any) -> Iterator[Scratch]:
    """Make a project in an empty folder and import from it until the block ends."""
    root.mkdir(parents=True, exist_ok=True)
    with Scratch(root, answers) as scratch:
        yield scratch
