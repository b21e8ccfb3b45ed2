"""AlexNet (Krizhevsky, Sutskever, Hinton, 2012) in TensorFlow: values in, values out.

Nothing is imported here that imports TensorFlow, so that a Beam worker that wants `alexnet_tf.records` does not pay
for it.
"""

from alexnet_tf import onednn as onednn

__version__ = "0.1.0"
