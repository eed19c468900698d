"""Metrics out: which there are, and the ways to Prometheus. Knows nothing of ZenML."""

from governance_core.monitoring.catalogue import CATALOGUE, Metric, Sample
from governance_core.monitoring.export import PUSHGATEWAY_URL, TEXTFILE, Exporter

__all__ = ["CATALOGUE", "PUSHGATEWAY_URL", "TEXTFILE", "Exporter", "Metric", "Sample"]
