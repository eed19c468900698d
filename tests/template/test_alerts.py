"""The alert rules of a rendered project: names, what fires, and what Prometheus shows of a real push."""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml
from support.answers import PAIRWISE
from support.rendering import ROOT, render
from support.servers import eventually, free_port, program, read, running

from governance_core.monitoring import CATALOGUE, PUSHGATEWAY_URL, Exporter, Sample
from governance_core.monitoring.catalogue import run_group, stage_group

RULES = Path("governance/monitoring/alerts.yml")
WORDS = {"absent", "max", "or", "time"}  # of PromQL


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((render() / RULES).read_text(encoding="utf-8"))["groups"]
    return list(group["rules"])


def test_the_rules_use_metrics_and_labels_that_are_exported_and_nothing_else() -> None:
    groups = run_group("", "", "") | stage_group("", "", "")
    labels = {*groups, *(label for metric in CATALOGUE.values() for label in metric.labels)}
    for rule in rules():
        used = set(re.findall(r"[a-z_]+", re.sub(r'"[^"]*"', "", rule["expr"])))
        assert used & CATALOGUE.keys(), rule["alert"]
        assert used - CATALOGUE.keys() - labels <= WORDS, rule["alert"]


def test_every_alert_names_severity_team_and_owner_and_what_to_do() -> None:
    for rule in rules():
        assert rule["labels"].keys() == {"severity", "team", "owner"}, rule["alert"]
        assert rule["annotations"].keys() == {"summary", "action"}, rule["alert"]


@pytest.mark.parametrize("page", ["docs/alerts.md", ROOT / "docs/reference/metrics.md"])
def test_the_documents_name_metrics_that_are_exported(page: Path | str) -> None:
    text = (render() / page).read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:pipeline|data|model)_[a-z0-9_]+)`", text)) - {"model_name"}
    assert named <= CATALOGUE.keys()
    assert len(named) > 10


def test_the_reference_lists_every_metric_with_its_labels_and_unit() -> None:
    text = (ROOT / "docs/reference/metrics.md").read_text(encoding="utf-8")
    for metric in CATALOGUE.values():
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        assert f"| `{metric.name}` | {labels} | {metric.unit} | {metric.help} |\n" in text


def test_promtool_finds_nothing_wrong_with_the_rules_of_any_answers() -> None:
    files = [render(**answers) / RULES for answers in PAIRWISE]
    done = subprocess.run([program("promtool"), "check", "rules", *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("SUCCESS") == len(files)


def test_the_alerts_fire_when_they_should_and_only_then(tmp_path: Path) -> None:
    shutil.copy(render() / RULES, tmp_path)
    shutil.copy(Path(__file__).with_name("alerts.test.yml"), tmp_path)
    tested = [program("promtool"), "test", "rules", "alerts.test.yml"]
    done = subprocess.run(tested, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@dataclass(frozen=True)
class Prometheus:
    """A Prometheus that scrapes a Pushgateway and reads the rules of a project."""

    url: str
    gateway: str

    def values(self, query: str) -> dict[str, float]:
        """Return the values of a query by pipeline."""
        found = json.loads(read(f"{self.url}/api/v1/query?query={quote(query)}") or '{"data": {"result": []}}')
        return {one["metric"].get("pipeline", ""): float(one["value"][1]) for one in found["data"]["result"]}

    def firing(self) -> set[str]:
        """Return the alerts that fire."""
        found = json.loads(read(f"{self.url}/api/v1/alerts") or '{"data": {"alerts": []}}')
        return {alert["labels"]["alertname"] for alert in found["data"]["alerts"] if alert["state"] == "firing"}


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[Prometheus]:
    """Return a Prometheus that scrapes once a second."""
    at, gateway = free_port(), free_port()
    often = {"scrape_interval": "1s", "scrape_timeout": "1s"}
    configuration = {
        "global": {"evaluation_interval": "100ms"},
        "rule_files": [str(render() / RULES)],
        "scrape_configs": [
            {
                "job_name": "pushgateway",
                "honor_labels": True,
                "static_configs": [{"targets": [f"127.0.0.1:{gateway}"]}],
                **often,
            }
        ],
    }
    file = tmp_path / "prometheus.yml"
    file.write_text(yaml.safe_dump(configuration))
    server = [program("prometheus"), f"--config.file={file}", f"--web.listen-address=127.0.0.1:{at}"]
    gateway_server = [program("prometheus-pushgateway"), f"--web.listen-address=127.0.0.1:{gateway}"]
    url = f"http://127.0.0.1:{at}"
    with (
        running(*gateway_server, ready=f"http://127.0.0.1:{gateway}/-/ready"),
        running(*server, f"--storage.tsdb.path={tmp_path / 'data'}", ready=f"{url}/-/ready"),
    ):
        yield Prometheus(url, f"http://127.0.0.1:{gateway}")


def test_prometheus_shows_what_was_pushed_and_alerts(prometheus: Prometheus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PUSHGATEWAY_URL, prometheus.gateway)
    slug = "tumour-diagnosis"
    training = {"project": slug, "pipeline": "training", "environment": "staging"}
    monitoring = {"project": slug, "pipeline": "monitoring", "environment": "production"}
    version = {"model": "m", "stage": "production"}
    exporter = Exporter()
    exporter.export(training, [Sample("pipeline_run_failed", 1), Sample("pipeline_gates_failed", 1)])
    exporter.export(
        monitoring,
        [
            Sample("pipeline_run_failed", 0),
            Sample("pipeline_run_end_timestamp_seconds", time.time()),
            Sample("model_accuracy", 0.75, version),
            Sample("data_drift_ratio", 0.5, {"step": "detect_drift"}),
            Sample("data_drift_limit_ratio", 0.3, {"step": "detect_drift"}),
        ],
    )
    exporter.export({"project": slug, **version}, [Sample("model_accuracy", 0.9, version)])
    query = f'model_accuracy{{project="{slug}", stage="production"}}'
    assert eventually(lambda: prometheus.values(query) == {"monitoring": 0.75, "": 0.9})
    assert eventually(lambda: prometheus.values("pipeline_run_failed") == {"training": 1, "monitoring": 0})
    assert eventually(lambda: prometheus.values(f'push_time_seconds{{job="governance", project="{slug}"}}'))
    expected = {"PipelineRunFailed", "PipelineGateFailed", "DataDrift"}
    assert eventually(lambda: len(prometheus.firing()) >= len(expected) and prometheus.firing()) == expected

    exporter.export(training, [Sample("pipeline_run_failed", 0)])
    assert eventually(lambda: prometheus.values("pipeline_run_failed").get("training") == 0)
    # A push replaces the whole group.
    assert eventually(lambda: prometheus.values("pipeline_run_failed") and not prometheus.values("pipeline_gates_failed"))
