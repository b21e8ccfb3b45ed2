"""The stages as a table: what each reads and writes, its code, its source, its lock, its outputs, its cost.

All rooms above import it. It knows the names of parameters but not their values, and no tracking. No heavy package.
"""
