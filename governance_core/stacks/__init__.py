"""ZenML stacks: what the answers and the policy ask of one, and how one is registered."""
