"""Governance for machine learning repositories built on ZenML.

Importing this package loads neither ZenML nor scikit-learn; import the part you need
(``governance_core.pipelines``, ``governance_core.steps``, ``governance_core.hooks`` ...).
"""
