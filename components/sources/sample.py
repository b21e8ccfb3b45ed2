"""The generated sample as a source: nothing is fetched."""

from collections.abc import Iterator, Mapping

import numpy as np

from alexnet_tf.sample import CLASS_NAMES, generate
from components.sources.source import RawImage, Source, order_value, sorted_order


def sample_source(images_per_class: Mapping[str, int], *, seed: int) -> Source:
    """Return the sample with so many images a class in each split; other seeds give other images."""

    def read(split: str) -> Iterator[RawImage]:
        count = images_per_class[split]
        keys = [f"{split}/{name}/{index}" for name in CLASS_NAMES for index in range(count)]
        values = np.fromiter(map(order_value, keys), np.uint64)
        for position in sorted_order(values, where="the sample").tolist():
            label, index = divmod(position, count)
            file_name, content = generate(split, label, index, seed)
            yield RawImage(f"{split}/{CLASS_NAMES[label]}/{file_name}", label, content)

    counts = {split: count * len(CLASS_NAMES) for split, count in images_per_class.items()}
    return Source(CLASS_NAMES, counts, read)
