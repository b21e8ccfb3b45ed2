"""oneDNN: whose kernels TensorFlow takes on a CPU. The package imports this before it imports TensorFlow."""

import os
import sys

# TensorFlow has them off by itself on some processors, as on those with AVX2 alone, and its own convolutions were the
# slower ones there (docs/performance.md). It reads this when it is imported: setting it later would have no effect.
if "tensorflow" not in sys.modules:
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


def onednn_is_on() -> bool:
    """Whether TensorFlow computes with oneDNN's kernels, which round differently from its own."""
    from tensorflow.python.util import _pywrap_util_port  # TensorFlow 2.21 says it nowhere else

    return bool(_pywrap_util_port.IsMklEnabled())
