"""The commands of `alexnet`, one module each. They import what is heavy when run: `--help` stays quick."""
