"""A claim in; what a rerun gives beside it out: dvc.lock, a kept result, a killed training.

Only commands import it.
"""
