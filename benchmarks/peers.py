"""The same training step in Keras' `fit` and in PyTorch, for `benchmarks.subjects`."""

from collections.abc import Callable

import numpy as np

from benchmarks.noise_records import CLASSES

CROP = 224  # pixels (§4.1)


def keras_fit(precision: str, batch_size: int, *_: int) -> Callable[[], float]:
    """Return one step of `Model.fit`: Keras layers, TensorFlow's LRN, Keras' SGD. Towers are split and joined."""
    import keras
    import tensorflow as tf
    from keras import layers

    def towers(x, filters: int, size: int):
        half = x.shape[-1] // 2
        convolved = [
            layers.Conv2D(filters // 2, size, padding="same", activation="relu")(part)
            for part in (x[..., :half], x[..., half:])
        ]
        return layers.Concatenate()(convolved)

    def norm(x):
        half = x.shape[-1] // 2
        parts = [
            layers.Lambda(lambda y: tf.nn.local_response_normalization(y, 2, 2.0, 1e-4, 0.75))(part)
            for part in (x[..., :half], x[..., half:])
        ]
        return layers.Concatenate()(parts)

    keras.mixed_precision.set_global_policy("float32" if precision == "float32" else "mixed_bfloat16")
    image = keras.Input((CROP, CROP, 3))
    x = layers.ZeroPadding2D(((0, 3), (0, 3)))(image)
    x = layers.Conv2D(96, 11, 4, activation="relu")(x)
    x = layers.MaxPooling2D(3, 2)(norm(x))
    x = layers.MaxPooling2D(3, 2)(norm(towers(x, 256, 5)))
    x = layers.Conv2D(384, 3, padding="same", activation="relu")(x)
    x = towers(x, 384, 3)
    x = layers.Flatten()(layers.MaxPooling2D(3, 2)(towers(x, 256, 3)))
    for _unused in range(2):
        x = layers.Dropout(0.5)(layers.Dense(4096, activation="relu")(x))
    model = keras.Model(image, layers.Dense(CLASSES, dtype="float32")(x))
    model.compile(
        keras.optimizers.SGD(1e-4, momentum=0.9, weight_decay=5e-4),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    images, labels = batch(batch_size)
    data = tf.data.Dataset.from_tensors((images, labels)).cache().repeat()
    return lambda: float(model.fit(data, steps_per_epoch=1, epochs=1, verbose=0).history["loss"][0])


def torch_step(precision: str, batch_size: int, *_: int) -> Callable[[], float]:
    """Return one step of PyTorch, channels last, the same network with its LocalResponseNorm in each tower."""
    import torch
    from torch import nn

    class Norm(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.LocalResponseNorm(5, 5e-4, 0.75, 2.0)  # torch divides alpha by the window

        def forward(self, x):
            return torch.cat([self.norm(half) for half in x.chunk(2, 1)], 1)

    model = nn.Sequential(
        nn.ZeroPad2d((0, 3, 0, 3)),
        *(nn.Conv2d(3, 96, 11, 4), nn.ReLU(), Norm(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(96, 256, 5, padding=2, groups=2), nn.ReLU(), Norm(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(256, 384, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(384, 384, 3, padding=1, groups=2), nn.ReLU()),
        *(nn.Conv2d(384, 256, 3, padding=1, groups=2), nn.ReLU(), nn.MaxPool2d(3, 2), nn.Flatten()),
        *(nn.Linear(9216, 4096), nn.ReLU(), nn.Dropout()),
        *(nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout(), nn.Linear(4096, CLASSES)),
    ).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), 1e-4, momentum=0.9, weight_decay=5e-4)
    images, labels = batch(batch_size)
    images = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
    labels = torch.from_numpy(labels).long()

    def call() -> float:
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            logits = model(images)
        loss = nn.functional.cross_entropy(logits.float(), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return call


def batch(batch_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return centred images (N, 224, 224, 3) float32 and labels (N,) int32."""
    generator = np.random.default_rng(0)
    images = generator.normal(0, 60, (batch_size, CROP, CROP, 3)).astype(np.float32)
    return images, generator.integers(0, CLASSES, batch_size).astype(np.int32)
