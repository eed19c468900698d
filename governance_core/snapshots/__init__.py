"""Releases of a project to an environment, and runs of exactly what was released."""
