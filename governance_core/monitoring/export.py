"""The ways to Prometheus: a Pushgateway, and a file for node_exporter's textfile collector."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from logging import getLogger
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from governance_core.core import within
from governance_core.monitoring.catalogue import CATALOGUE, Sample

if TYPE_CHECKING:  # most processes export nothing
    from prometheus_client import CollectorRegistry

logger = getLogger(__name__)

PUSHGATEWAY_URL = "GOVERNANCE_PUSHGATEWAY_URL"
TEXTFILE = "GOVERNANCE_METRICS_TEXTFILE"
JOB = "governance"
WAIT = 5.0  # seconds for one push, or one file

Group = Mapping[str, str]
Destination = Callable[[Group, "CollectorRegistry"], None]


class Exporter:
    """Where metrics go by the two variables, which may both be set; one that failed is not asked again."""

    def __init__(self) -> None:
        url, file = os.environ.get(PUSHGATEWAY_URL), os.environ.get(TEXTFILE)
        self._destinations: dict[str, Destination] = {}
        if url:
            self._destinations[PUSHGATEWAY_URL] = partial(_push, url)
        if file:
            self._destinations[TEXTFILE] = partial(_write, Path(file))

    def __bool__(self) -> bool:
        return bool(self._destinations)

    def export(self, group: Group, samples: Iterable[Sample]) -> None:
        """Replace everything that was exported for the group; a destination that fails or hangs is logged, once.

        Args:
            group: labels of every sample. Two pipelines, or two stages, in different groups leave each other alone.
            samples: at most one for each metric and its labels.
        """
        registry = _registry(group, samples)
        for variable, destination in list(self._destinations.items()):
            try:
                within(WAIT, partial(destination, group, registry))
            except Exception as error:
                del self._destinations[variable]
                logger.error("Metrics are not exported to %s: %s: %s", variable, type(error).__name__, error)


def _registry(group: Group, samples: Iterable[Sample]) -> CollectorRegistry:
    from prometheus_client import CollectorRegistry, Gauge

    registry, gauges = CollectorRegistry(), dict[str, Gauge]()
    for sample in samples:
        metric = CATALOGUE[sample.name]
        if sample.name not in gauges:
            names = (*group, *(label for label in metric.labels if label not in group))
            gauges[sample.name] = Gauge(metric.name, metric.help, names, registry=registry)
        gauges[sample.name].labels(**{**sample.labels, **group}).set(sample.value)
    return registry


def _push(url: str, group: Group, registry: CollectorRegistry) -> None:
    from prometheus_client import push_to_gateway

    push_to_gateway(url, JOB, registry, dict(group), timeout=WAIT)


def _write(file: Path, group: Group, registry: CollectorRegistry) -> None:
    """Write a file of the group's own beside the one that was named: `a.prom` makes `a.project=x.pipeline=y.prom`."""
    from prometheus_client import write_to_textfile

    labels = ".".join(f"{name}={quote(value, safe='')}" for name, value in group.items())
    write_to_textfile(str(file.with_name(f"{file.stem}.{labels}.prom")), registry)
