"""The generated sample as a source: nothing is fetched."""

from collections.abc import Iterator, Mapping

import numpy as np

from alexnet_tf.sample.generate import CLASS_NAMES, generate
from components.sources.source import RawImage, Source, order_value, sorted_order


def sample_source(images_per_class: Mapping[str, int], *, seed: int) -> Source:
    """Return the sample with so many images a class in each split; other seeds give other images."""
    orders = {split: _order(split, count) for split, count in images_per_class.items()}

    def read(split: str, rows: np.ndarray) -> Iterator[RawImage]:
        for position in orders[split][rows].tolist():
            label, index = divmod(position, images_per_class[split])
            file_name, content = generate(split, label, index, seed)
            yield RawImage(f"{split}/{CLASS_NAMES[label]}/{file_name}", label, content)

    labels = {split: order // images_per_class[split] for split, order in orders.items()}
    return Source(CLASS_NAMES, labels, read)


def _order(split: str, count: int) -> np.ndarray:
    keys = [f"{split}/{name}/{index}" for name in CLASS_NAMES for index in range(count)]
    return sorted_order(np.fromiter(map(order_value, keys), np.uint64), where="the sample")
