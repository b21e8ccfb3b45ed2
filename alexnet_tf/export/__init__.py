"""A model in; a SavedModel, a Keras file, TensorFlow Lite and ONNX files, a model card and the gate's verdict out.

Only the stage export imports it. TensorFlow. `standalone` and `onnx_runner` run by themselves, where this package is
not installed.
"""
