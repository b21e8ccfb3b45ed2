"""A claim in; its comparison with a rerun out. A claim is dvc.lock, a kept result, or a training that survives kills.

Commands import it, and a benchmark its sandbox.
"""
