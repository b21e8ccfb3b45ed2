"""Which images an evaluation shows (figure 4 of the paper), and in words what they show."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from alexnet_tf.data.evenly_spaced import evenly_spaced
from alexnet_tf.evaluation.evaluate import Evaluated
from alexnet_tf.evaluation.neighbours import Nearest
from alexnet_tf.evaluation.occlusion import Occlusion

NUM_SHOWN = 8  # figure 4, left
NUM_QUERIES = 5  # figure 4, right


def choose(evaluated: Evaluated, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Choose images by the ten-crop loss, eight of each kind.

    Args:
        evaluated: What the model says of N images.
        labels: (N,) int.

    Returns:
        Positions: `unselected` evenly over the split; `best` the images with the lowest loss, one a class, so
        that not all show the easiest class; `worst` those with the highest loss, of any class.
    """
    order = np.argsort(evaluated.predictions["ten_crop"].losses, kind="stable")
    _, first_of_class = np.unique(labels[order], return_index=True)
    return {
        "unselected": evenly_spaced(len(labels), NUM_SHOWN),
        "best": order[np.sort(first_of_class)][:NUM_SHOWN],
        "worst": order[::-1][:NUM_SHOWN],
    }


def queries(labels: np.ndarray) -> np.ndarray:
    """Choose the test images whose neighbours are shown: the first of each of five classes, evenly spread."""
    classes, first = np.unique(labels, return_index=True)
    return first[evenly_spaced(len(classes), NUM_QUERIES)]


def describe(
    evaluated: Evaluated, positions: np.ndarray, *, labels: np.ndarray, keys: Sequence[str], class_names: Sequence[str]
) -> list[dict[str, Any]]:
    """Say of each image its key, its label and its most probable classes; plain values for JSON."""
    return [
        {
            "key": keys[position],
            "label": class_names[int(labels[position])],
            "top": [
                {"class": class_names[index], "probability": round(float(probability), 6)}
                for index, probability in zip(
                    evaluated.top_classes[position].tolist(), evaluated.top_probabilities[position], strict=True
                )
            ],
        }
        for position in positions.tolist()
    ]


def describe_neighbours(found: Nearest, asked: Sequence[Mapping[str, Any]], *, pool: Any) -> list[dict[str, Any]]:
    """Say of each query its neighbours: key, label and distance; plain values for JSON.

    Args:
        found: The neighbours of these queries.
        asked: `describe` of the queries.
        pool: The split that the neighbours are from.
    """
    keys = pool.keys()
    return [
        {
            "key": query["key"],
            "label": query["label"],
            "neighbours": [
                {
                    "key": keys[position],
                    "label": pool.class_names[pool.labels[position]],
                    "distance": round(float(distance), 4),
                }
                for position, distance in zip(positions, distances, strict=True)
            ],
        }
        for query, positions, distances in zip(asked, found.positions, found.distances, strict=True)
    ]


def describe_occlusion(
    found: Occlusion, shown: Sequence[Mapping[str, Any]], *, class_names: Sequence[str]
) -> list[dict[str, Any]]:
    """Say of each image its answer, and the answer's probability with nothing and with most hidden; plain values.

    Args:
        found: Of these images.
        shown: `describe` of the images.
        class_names: K names.
    """
    return [
        {
            "key": image["key"],
            "label": image["label"],
            "class": class_names[answer],
            "probability": round(float(probability), 6),
            "lowest": round(float(lowest), 6),
        }
        for image, answer, probability, lowest in zip(
            shown, found.classes, found.probabilities, found.lowest, strict=True
        )
    ]
