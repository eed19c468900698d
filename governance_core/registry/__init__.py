"""The only code that reads or writes runs, versions, stages and chains in ZenML."""
