"""A model in; a SavedModel, a Keras file, TFLite, a model card and the gate's verdict out.

Only the stage export imports it. TensorFlow. `standalone` and `served_model` run by themselves, where this package is
not installed.
"""
