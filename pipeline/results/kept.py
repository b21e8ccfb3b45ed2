"""Results that are kept in Git: one small JSON file a run, from which MLflow's rows and the documents' tables are made.

results/EXPERIMENT/VARIANT-seedSEED-STATE.json   one run, as its row in MLflow describes it
results/EXPERIMENT/comparison.json               what `alexnet report` printed of the last one kept
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from alexnet_tf.errors import AlexNetError, DataError
from alexnet_tf.metrics.correctness import read_correctness
from pipeline.config.experiments import active_name, changes, require_settable
from pipeline.config.load import Config
from pipeline.environment.provenance import COMMIT, on_machine, words_of
from pipeline.environment.workspace import Workspace, scratch_of
from pipeline.results.report import costs, read_comparison
from pipeline.stages.cost import read_machine
from pipeline.stages.outputs import write_text
from pipeline.tracking import origins, spool
from pipeline.tracking.backfill import describe

FOLDER = "results"
COMPARISON = "comparison.json"
PATTERN = "*-seed*-*.json"
TRAINING_ERROR = "train/top1_error"
"""In the history: the mean over an epoch's batches, each as the network was trained on it, before its update."""
HELD_OUT_ERROR = "validation/top1_error"
"""In the history: of centre crops of the held-out images, after an epoch."""
_RIGHT = "ten_crop_top1"
_LATER = {
    "download.sample.seed": "2012",
    "export.onnx": "false",
    "export.tflite": "none",
    "network.left_out": "none",
    "preprocess.encoding": "raw",
    "preprocess.jpeg_quality": "95",
    "training.lookahead": "0.0",
    "training.optimizer.convolution_decay": "true",
    "training.optimizer.muon_learning_rate_factor": "0.13",
    "training.optimizer.muon_momentum": "0.6",
    "training.optimizer.name": "momentum",
    "training.augmentation.jpeg_share": "0.0",
    "training.augmentation.jpeg_quality": "[50, 95]",
}
"""Parameters that older results lack, with what those had."""
_COMPARED = (
    "against", "baseline", "bootstrap_samples", "confidence", "errors", "num_examples", "paired", "training",
    "variants",
)  # fmt: skip


@dataclass(frozen=True)
class Result:
    """One run of a variant, trained and evaluated.

    Attributes:
        experiment: The file of experiments/ that it started from.
        changes: What params.yaml had other than the experiment, of this variant: dotted key -> value.
        row: Its row as an event of the spool has it: params, tags (commit, versions, machine) and the stages with
            their metrics, costs and DVC hashes, of training also the history of the epochs.
        correct: Which test images ten crops get right: `num`, `keys_sha256`, `source_digest` and `ten_crop_top1`
            as in the stage's correct.npz, the bits in base64; older results do not tell all.
    """

    experiment: str
    changes: Mapping[str, Any]
    row: Mapping[str, Any]
    correct: Mapping[str, Any] | None = None

    @property
    def variant(self) -> str:
        """The variant."""
        return self.row["variant"]

    @property
    def seed(self) -> int:
        """Its seed."""
        return int(self.row["params"]["seed"])

    @property
    def time(self) -> int:
        """When it was evaluated, in milliseconds since 1970."""
        return next(each["remake"]["time"] for each in self.row["standing"] if each["stage"].startswith("evaluate@"))

    @property
    def path(self) -> str:
        """Where it is kept, in the repository."""
        return f"{FOLDER}/{self.experiment}/{self.variant}-seed{self.seed}-{self.row['state'][:8]}.json"

    @property
    def params(self) -> Mapping[str, str]:
        """Its parameters as words; those that came later are as they were before."""
        return _LATER | self.row["params"]

    @property
    def metrics(self) -> dict[str, float]:
        """The numbers of its row by name, such as `test/ten_crop/top1_error` and `cost/cpu_seconds`."""
        return {name: value for stage in self.row["standing"] for name, value in stage["metrics"].items()}

    @property
    def outs(self) -> dict[str, str]:
        """DVC's hash of each output, by its path."""
        return {path: digest for stage in self.row["standing"] for path, digest in outs_of(stage).items()}

    def by_epoch(self, name: str) -> list[float]:
        """Return a curve of its training, one value an epoch, such as `TRAINING_ERROR` (fractions)."""
        train = next(each for each in self.row["standing"] if each["stage"].startswith("train@"))
        return [epoch["values"][name] for epoch in train["remake"]["curves"]]

    @property
    def commit(self) -> str:
        """The commit of its code, "" where it was made without Git."""
        return self.row["tags"].get(COMMIT, "")

    @property
    def precision(self) -> str:
        """What its layers computed in, `float32` or `bfloat16`; older results name it as a parameter alone."""
        if (bits := self.metrics.get("train/precision_bits")) is None:
            return self.row["params"]["training.precision"]
        return {16.0: "bfloat16", 32.0: "float32"}[bits]

    @property
    def processor(self) -> str:
        """The processor that it ran on, with its vector instructions, and GPUs beside it; older results do not tell."""
        tags = self.row["tags"]
        return ", ".join(filter(None, (tags.get("host.cpu", "not recorded"), tags.get("host.gpus"))))

    @property
    def machine(self) -> str:
        """The processor in words, with the number of its cores, and GPUs beside it."""
        return words_of(self.row["tags"])

    @property
    def command(self) -> str:
        """What starts it again, in a clean clone; FOLDER is that of images that nothing downloads."""
        return origins.command(self._tags)

    @property
    def _tags(self) -> dict[str, str]:
        source = self.row["params"]["download.source"]
        return self.row["tags"] | origins.result_tags(self.experiment, self.changes, self.variant, source)

    def right(self) -> np.ndarray:
        """Return whether ten crops get an image right, (N,) bool in the order of the sorted keys.

        Raises:
            DataError: The result does not tell.
        """
        known = self.correct or {}
        try:
            packed = np.frombuffer(base64.b64decode(known[_RIGHT], validate=True), np.uint8)
            if len(packed) != -(-known["num"] // 8):
                raise ValueError(f"{len(packed)} bytes for {known['num']} images")
            return np.unpackbits(packed, count=known["num"]).astype(bool)
        except (KeyError, ValueError, TypeError) as error:
            raise DataError(
                f"{self.path}: expected `correct`, which test images are right, found none that can be read; `alexnet "
                "track keep` where it ran writes it"
            ) from error

    def event(self) -> dict[str, Any]:
        """Describe it to MLflow, as a state that no pipeline run has just made."""
        state = {**self.row["state_tags"], "alexnet.result": self.path}
        return {
            "event": "standing",
            "time": self.time,
            "rows": [{**self.row, "tags": self._tags, "state_tags": state}],
        }


def outs_of(stage: Mapping[str, Any]) -> dict[str, str]:
    """DVC's hash of each output of a stage of a row, by its path."""
    return {name.removeprefix("dvc.out."): digest for name, digest in stage["outs"].items()}


def collect(workspace: Workspace, config: Config) -> list[Result]:
    """Describe each variant here that is trained and evaluated, and is as dvc.lock has it.

    Its versions and machine are those of the training, which may have run on another machine with the same scratch
    folder.

    Raises:
        AlexNetError: There is none, one was trained elsewhere, or params.yaml does not say which experiment it is.
    """
    event = describe(workspace, config)
    experiment = active_name(workspace)
    found = []
    for row in event["rows"] if event else []:
        stages = {stage["stage"].partition("@")[0]: stage for stage in row["standing"]}
        if not {"train", "evaluate"} <= stages.keys():
            continue
        train = stages["train"]
        if "remake" not in train or not train["remake"]["cost"]:
            raise AlexNetError(
                f"train@{row['variant']} did not run on this machine, so its seconds, versions and machine are not "
                "known here; keep the result where it ran"
            )
        require_settable(workspace, experiment, row["variant"])
        for stage in stages.values():
            if "remake" in stage:
                stage["remake"]["reports"] = []  # paths of this machine
        item, identity = config.item("train", row["variant"]), train["fingerprint"]
        trained_on = read_machine(workspace.timings, item, identity)
        found.append(
            Result(
                experiment=experiment,
                changes=changes(workspace, experiment, row["variant"]),
                row={**row, "tags": on_machine(row["tags"], trained_on)},
                correct=_correct(workspace.root / config.item("evaluate", row["variant"]).outputs()["report"]),
            )
        )
    if not found:
        raise AlexNetError(
            "no variant is trained and evaluated as dvc.lock says, so there is no result to keep; run `dvc repro` first"
        )
    return found


def _correct(report: Path) -> dict[str, Any]:
    found = read_correctness(report / "correct.npz", way_out="`dvc checkout` brings it back")
    bits = base64.b64encode(np.packbits(found.right[_RIGHT]).tobytes()).decode()
    images = {"num": found.num_examples, "keys_sha256": found.keys_sha256, "source_digest": found.source_digest}
    return images | {_RIGHT: bits}


def keep(workspace: Workspace, config: Config, results: list[Result]) -> list[str]:
    """Write results, and the comparison where there is one; return their paths in the repository."""
    contents = {result.path: asdict(result) for result in results}
    # Where one variant alone was run, what is there is an older comparison or none.
    if all("compare" in [stage["stage"] for stage in result.row["standing"]] for result in results):
        comparison = read_comparison(workspace)
        kept = {name: comparison[name] for name in _COMPARED}
        path = f"{FOLDER}/{results[0].experiment}/{COMPARISON}"
        contents[path] = {"comparison": kept, "costs": costs(workspace, config)}
    for path, content in contents.items():
        write_text(workspace.root / path, json.dumps(content, indent=1, sort_keys=True) + "\n")
    return list(contents)


def load(folder: Path) -> list[Result]:
    """Read all results below a folder, by path.

    Raises:
        AlexNetError: There is none.
        DataError: A file is none.
    """
    paths = [path for path in sorted(folder.rglob(PATTERN)) if path.is_file()]
    if not paths:
        raise AlexNetError(
            f"{folder} holds no result (EXPERIMENT/VARIANT-seedSEED-STATE.json); `alexnet track keep` makes some"
        )
    return [read_result(path) for path in paths]


def put(home: Path, results: list[Result]) -> None:
    """Put results into the spool, to be sent like any other run."""
    for result in results:
        spool.append(spool.folder_for(scratch_of(home), result.time, Path(result.path).stem), result.event())


def read_result(path: Path) -> Result:
    """Read one result.

    Raises:
        DataError: The file is none.
    """
    try:
        result = Result(**json.loads(path.read_text(encoding="utf-8")))
        _ = result.metrics, result.outs, result.event(), result.command  # what is missing shows here
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); name a file of {FOLDER}/") from error
    except (ValueError, TypeError, KeyError, AttributeError, StopIteration) as error:
        fix = "remove it" if "-seed" in path.name else f"name a file {FOLDER}/EXPERIMENT/VARIANT-seedSEED-STATE.json"
        raise DataError(f"{path}: expected a result of one run, found another file; {fix}") from error
    return result
