"""PyYAML's safe loader without its silence about a key that stands twice in a mapping, of which it keeps the last."""

from __future__ import annotations

from typing import Any

from yaml import MappingNode, SafeLoader, ScalarNode
from yaml.composer import ComposerError


class UniqueKeyLoader(SafeLoader):
    """Loads plain data, and no mapping that repeats a key."""

    def compose_mapping_node(self, anchor: Any) -> MappingNode:
        """Return a mapping's node as it is written: before ``<<`` brings in keys, which a mapping may override.

        Raises:
            ComposerError: if a key is repeated; it says where, and not which.
        """
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key in (key for key, _ in node.value if isinstance(key, ScalarNode)):
            if (key.tag, key.value) in seen:
                raise ComposerError(None, None, "found a key for the second time", key.start_mark)
            seen.add((key.tag, key.value))
        return node
