"""AlexNet (Krizhevsky, Sutskever, Hinton, 2012) in TensorFlow: values in, values out.

Nothing but the standard library is imported here, so that a Beam worker that wants `alexnet_tf.records` does not pay
for TensorFlow.
"""

import os

__version__ = "0.1.0"

# TensorFlow has oneDNN off by itself on processors without AVX-512 VNNI, where its own convolutions are slower
# (docs/performance.md). It reads this when it is imported, so not after.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
