"""What governance keeps in ZenML and reads from it: chains, claims, stages, versions, runs, and who acts."""
