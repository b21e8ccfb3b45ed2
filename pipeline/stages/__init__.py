"""The stages as a table: what each reads and writes, its code, its lock, its outputs, its cost.

It imports no tracking and no command.
"""
