"""What a computation runs on: names of devices in; a strategy, a precision, and a forward pass over all replicas out.

It knows no network. `models`, `training`, `evaluation`, the stages train and evaluate, and the pipeline import it.
TensorFlow; `control_group`, `processor`, `cluster` and `onednn` do without.
"""
