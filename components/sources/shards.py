"""TFRecord shards whose number is known only at the end, named as tensorflow-datasets expects them."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Self

from alexnet_tf.data.tfrecord import Shard, ShardWriter

EXAMPLES_PER_SHARD = 512


class SplitWriter:
    """Writes the examples of one split into shards of `EXAMPLES_PER_SHARD`, in the order they are given.

    The shard that is being written when a `with` block is left by an error is removed.
    """

    def __init__(self, folder: Path, split: str):
        self._folder = folder
        self._stem = f"dataset-{split}.tfrecord"
        self._shards: list[Shard] = []
        self._writer: ShardWriter | None = None
        self._num_written = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind, error, trace) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.__exit__(kind, error, trace)

    def write(self, example: bytes) -> None:
        """Append one serialised example."""
        if self._writer is None:
            name = f"{self._stem}-{len(self._shards):05d}"
            self._writer = ShardWriter(self._folder / name).__enter__()
        self._writer.write(example)
        self._num_written += 1
        if self._num_written % EXAMPLES_PER_SHARD == 0:
            self._finish_shard()

    def close(self) -> list[Shard]:
        """Finish the last shard, give all their final names, and return them."""
        self._finish_shard()
        final = [replace(shard, file=f"{shard.file}-of-{len(self._shards):05d}") for shard in self._shards]
        for written, named in zip(self._shards, final, strict=True):
            os.replace(self._folder / written.file, self._folder / named.file)
        return final

    def _finish_shard(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.__exit__(None, None, None)
            self._shards.append(writer.info)
