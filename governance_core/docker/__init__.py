"""What the steps of a pipeline find in their container: settings that the platform keeps, and the image of the lock."""

from governance_core.docker.settings import (
    GPU_DOCKER_SETTINGS,
    LIGHTWEIGHT_DOCKER_SETTINGS,
    STANDARD_DOCKER_SETTINGS,
    get_docker_settings,
)

__all__ = [
    "GPU_DOCKER_SETTINGS",
    "LIGHTWEIGHT_DOCKER_SETTINGS",
    "STANDARD_DOCKER_SETTINGS",
    "get_docker_settings",
]
