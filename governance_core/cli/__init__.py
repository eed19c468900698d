"""The ``governance`` command: arguments and printing only, every heavy import inside a verb."""
