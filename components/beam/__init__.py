"""Tasks and a worker's function in; one file per task out, through Apache Beam or without it.

The stages that go through a data set shard by shard import `run`; Beam is imported when a runner asks for it.
"""
