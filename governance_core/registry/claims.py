"""Who sends a notice: of all that want to, exactly one.

A claim is a version of a model that nobody trains: ZenML keeps the names of a model's versions unique in its database,
so whoever creates the version has won.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import count

from zenml.client import Client
from zenml.exceptions import EntityExistsError
from zenml.models import ModelVersionRequest, ModelVersionResponse
from zenml.utils.time_utils import utc_now

from governance_core.core import process_state, this_process
from governance_core.registry.chains import created_model_id

LEASE = timedelta(seconds=60)  # how long a claimant on another machine may take between claim and notice


class Claims:
    """The claims under one name in the active ZenML project."""

    def __init__(self, name: str) -> None:
        self._name = name

    def take(self, key: str, still_open: Callable[[], bool]) -> bool:
        """Claim a key; tell whether the caller is the one who acts on it.

        A claim whose owner died is taken over, by one, if ``still_open`` says that the owner had not acted before.
        """
        model = created_model_id(self._name)
        for name in _attempts(key):
            request = ModelVersionRequest(
                model=model, project=Client().active_project.id, name=name, description=json.dumps(this_process())
            )
            try:
                Client().zen_store.create_model_version(request)
                return True
            except EntityExistsError:
                claim = Client().list_model_versions(model=model, name=f"equals:{name}", hydrate=True).items[0]
                if not (_is_abandoned(claim) and still_open()):
                    return False
        raise AssertionError("unreachable: there are always further attempts")


def _attempts(key: str) -> Iterator[str]:
    yield key
    for attempt in count(2):
        yield f"{key}.{attempt}"


def _is_abandoned(claim: ModelVersionResponse) -> bool:
    owner = process_state(json.loads(claim.description or "{}"))
    return owner == "dead" or (owner == "elsewhere" and utc_now() - claim.created > LEASE)
