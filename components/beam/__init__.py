"""Tasks and a worker's function in; one file per task out, through Apache Beam.

The stages that go through a data set shard by shard import `run`, which imports Beam when the stage runs.
"""
