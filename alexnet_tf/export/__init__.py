"""A model in; a SavedModel, a Keras file, TFLite, a model card and the gate's verdict out.

It imports TensorFlow. The stage export and the model registry import it. `standalone` and `served_model` run without
this package.
"""
