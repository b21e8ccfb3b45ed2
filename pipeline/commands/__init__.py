"""The commands of `alexnet`, and what they share; only these modules and `cli.py` import click.

They import what is heavy when run, so that `--help` stays quick. The command line imports them, and benchmarks one of
them, `base`.
"""
