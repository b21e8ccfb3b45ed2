"""What the workers of the stage validate do: look at every image of a shard."""

from dataclasses import dataclass
from pathlib import Path

from alexnet_tf.errors import DataError
from alexnet_tf.image_survey import save_columns, survey_images
from alexnet_tf.records import decode_example, indexed_records
from components.beam_worker import COUNTERS


@dataclass(frozen=True)
class SurveyTask:
    """One shard, how many examples its manifest says it has, and the .npz file that the survey goes to."""

    shard: str
    num_examples: int
    survey: str


def survey_shard(task: SurveyTask) -> dict[str, dict[str, int]]:
    """Survey one shard, in a Beam worker, and return how many images and pixels it looked at."""
    records = indexed_records(Path(task.shard))
    columns = survey_images((offset, decode_example(payload)) for offset, payload in records)
    found = len(columns["keys"])
    if found != task.num_examples:
        raise DataError(
            f"{task.shard}: expected {task.num_examples} examples as its manifest says, found {found}; run the "
            f"stage download again."
        )
    save_columns(Path(task.survey), columns)
    corrupt = sum(map(bool, columns["reasons"]))
    return {COUNTERS: {"images": found, "corrupt": corrupt, "bytes": sum(columns["num_bytes"])}}
