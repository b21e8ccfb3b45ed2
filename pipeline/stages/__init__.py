"""The stages as a table: what each reads and writes, its code, its lock, its outputs, its cost.

All rooms above import it. It knows no parameters, no tracking and no command. No heavy package.
"""
