"""What a computation runs on: names of devices in; a strategy, a precision, and a forward pass over all replicas out.

It knows no network. `models`, `training`, `evaluation`, stages, Beam's runner and the pipeline import it.
TensorFlow; `control_group`, `processor`, `peak_memory`, `cluster` and `onednn` do without.
"""
