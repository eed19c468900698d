"""The ZenML secrets of a project: what is declared, what is there, what is made and what is replaced.

A value is read where it is given, handed to ZenML, and told to nobody else: no message, event or document holds one, or
a digest of one.
"""
