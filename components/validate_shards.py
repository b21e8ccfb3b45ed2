"""What the workers of the stage validate do: look at every image of a shard."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from alexnet_tf.data.tfrecord import decode_example, indexed_records
from alexnet_tf.errors import DataError
from alexnet_tf.validation.survey import save_columns, survey_images
from components.beam.worker import COUNTERS


@dataclass(frozen=True)
class SurveyTask:
    """One shard, what its manifest says of it, the .npz file for the survey, and the pixels of the largest image."""

    shard: str
    num_examples: int
    sha256: str
    survey: str
    max_pixels: int


def survey_shard(task: SurveyTask) -> dict[str, dict[str, int]]:
    """Survey one shard, in a Beam worker, and return how many images and bytes it looked at."""
    records = indexed_records(Path(task.shard))
    examples = ((offset, decode_example(payload)) for offset, payload in records)
    columns = survey_images(examples, max_pixels=task.max_pixels)
    found = len(columns["keys"])
    if found != task.num_examples:
        raise DataError(
            f"{task.shard}: expected {task.num_examples} examples as its manifest says, found {found}; run the "
            f"stage download again."
        )
    save_columns(Path(task.survey), columns)
    with open(task.shard, "rb") as file:  # which has just been read, so that this costs no second read
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != task.sha256:
        raise DataError(
            f"{task.shard}: expected SHA-256 {task.sha256[:12]}… as its manifest says, found {digest[:12]}…; run the "
            f"stage download again."
        )
    corrupt = sum(map(bool, columns["reasons"]))
    return {COUNTERS: {"images": found, "corrupt": corrupt, "bytes": sum(columns["num_bytes"])}}
