"""AlexNet (Krizhevsky, Sutskever, Hinton, 2012) in TensorFlow: values in, values out.

Nothing is imported here, so that a Beam worker that wants `alexnet_tf.records` does not pay for TensorFlow.
"""

__version__ = "0.1.0"
