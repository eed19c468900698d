"""A governed pipeline is refused before anything is registered, and the message names what is missing."""

import pytest

from governance_core.core import UsageError


def test_an_unknown_option_is_refused_by_name() -> None:
    from governance_core.pipelines import governed_pipeline

    with pytest.raises(UsageError, match="takes no dynamic;"):
        governed_pipeline(dynamic=True)
