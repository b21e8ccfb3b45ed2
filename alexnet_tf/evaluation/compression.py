"""A trained model made small enough to be kept in Git, and what that costs it."""

from typing import Any

import ml_dtypes
import numpy as np

from alexnet_tf.evaluation.evaluate import Evaluated

LAST_LAYERS = ("fc8", "fc10")  # of the networks of eight layers and of four


def rounded_to_bfloat16(array: np.ndarray) -> np.ndarray:
    """Return float32 values of which the low 16 bits are zero: stored as bfloat16, they take half the room."""
    return array.astype(ml_dtypes.bfloat16).astype(np.float32)


def compressed(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Round the kernels of a model to bfloat16, and keep that of the last layer, biases and moving statistics.

    A network that computes in bfloat16 rounds these kernels in the same way when it runs, so that it loses nothing; one
    in float32 loses half a unit of the eighth binary digit. The last layer is float32 in both.

    Args:
        arrays: As `weights.model_arrays` returns them.
    """
    kept = {f"{layer}/kernel" for layer in LAST_LAYERS}
    return {
        name: rounded_to_bfloat16(array) if name.endswith("kernel") and name not in kept else array
        for name, array in arrays.items()
    }


def compression_cost(before: Evaluated, after: Evaluated) -> dict[str, dict[str, Any]]:
    """Compare what a model says of the same images before and after.

    Returns:
        View -> top-1 error before and after, how many images get another class, and the largest difference of the
        true class's probability.
    """
    found = {}
    for view, old in before.predictions.items():
        new = after.predictions[view]
        found[view] = {
            "top1_error_before": old.error(1),
            "top1_error_after": new.error(1),
            "classes_changed": int(np.sum(old.classes != new.classes)),
            "largest_probability_difference": float(np.abs(old.label_probabilities - new.label_probabilities).max()),
        }
    return found
