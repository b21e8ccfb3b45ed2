"""The wiring: configuration, the DAG, tracking and the command line."""
