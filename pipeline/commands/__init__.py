"""The commands of `alexnet`, one module each, and the only place of click.

They import what is heavy when run, so that `--help` stays quick. Only the command line imports them.
"""
