"""What a parent run is of, in words: its data set, its name, what starts it again, and its description in MLflow.

What is known only where the run is recorded travels as tags of its row (`origin_tags`): the file of experiments/, what
differs from it, and the command. The rest is read from the parameters, which results of earlier versions have, too.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from alexnet_tf.errors import ConfigError
from alexnet_tf.metrics.top_k import VIEW_NAMES
from alexnet_tf.wording import error_with_interval
from pipeline.config.experiments import changes_of, named_experiment, not_settable
from pipeline.config.load import PARAMS_FILE
from pipeline.environment.dotted import words
from pipeline.environment.provenance import COMMIT
from pipeline.environment.yaml_file import parse
from pipeline.stages.source_state import NOT_DOWNLOADED

DATA_SET = "alexnet.data_set"
CHANGES = "alexnet.changes"
COMMAND = "alexnet.command"
EXPERIMENT = "alexnet.experiment"
_MAX_CHANGES = 4  # in a name
_MAX_NAME = 120  # of MLflow's 250


def data_set(params: Mapping[str, str], experiment: str) -> str:
    """Name the data set of a row, such as `cifar10`; a part of one is a data set of its own.

    Args:
        params: Parameters of the row.
        experiment: The file of experiments/ that it started from; it names the images where the source is a folder.
    """
    source = params["download.source"]
    name = experiment if experiment and source == "image_folder" else source.rpartition(":")[2]
    is_part = any(params.get(f"download.subset.{key}", "null") != "null" for key in ("classes", "images_per_class"))
    return f"{name}-subset" if is_part else name


def current_data_set(root: Path) -> str:
    """Name the data set of params.yaml."""
    text = (root / PARAMS_FILE).read_text(encoding="utf-8")
    return data_set(words(parse(text, PARAMS_FILE)), named_experiment(root, text) or "")


def origin_tags(root: Path, text: str, content: Mapping[str, Any], variant: str) -> dict[str, str]:
    """Tags of a row that say what it started from; none if params.yaml names no experiment that can be read.

    COMMAND is not among them where `-S` cannot make the experiment what params.yaml is.

    Args:
        root: Folder of the repository.
        text: params.yaml.
        content: Its sections, as they are used.
        variant: Whose row.
    """
    experiment = named_experiment(root, text)
    if experiment is None:
        return {}
    try:
        changes = changes_of(root, experiment, variant, content)
        wrong = not_settable(root, experiment, variant, content)
    except (ConfigError, OSError, LookupError, TypeError, AttributeError):  # no stage fails for a name
        return {}
    tags = result_tags(experiment, changes, variant, content["download"]["source"])
    return {name: word for name, word in tags.items() if name != COMMAND or not wrong}


def result_tags(experiment: str, changes: Mapping[str, Any], variant: str, source: str) -> dict[str, str]:
    """Tags of a row whose experiment and changes are known; arguments as for `_command`."""
    return {
        EXPERIMENT: experiment,
        CHANGES: " ".join(_worded(changes, variant)),
        COMMAND: _command(experiment, changes, variant, source),
    }


def command(tags: Mapping[str, str]) -> str:
    """Write what starts a run again, in a clean clone; `tags` are those of its row, with COMMAND."""
    return f"git checkout {tags.get(COMMIT, 'COMMIT')[:12]} && {tags[COMMAND]}"


def _command(experiment: str, changes: Mapping[str, Any], variant: str, source: str) -> str:
    """Write what starts a run again in a clean clone of its commit.

    Args:
        experiment: The file of experiments/.
        changes: What params.yaml had other than that, by dotted key.
        variant: The variant.
        source: `download.source`; FOLDER is where images are that nothing downloads.
    """
    words = (f"{key}={json.dumps(value)}".replace("'", "'\\''") for key, value in changes.items())
    sets = "".join(f" -S '{word}'" for word in words)  # quoted for a shell, always, so that equal runs read alike
    run = f"dvc exp run{sets}" if sets else "dvc repro"
    folder = " --source-folder FOLDER" if source in NOT_DOWNLOADED else ""
    return f"alexnet use {experiment}{folder} && {run} evaluate@{variant}"


def row_name(variant: str, tags: Mapping[str, str], params: Mapping[str, str]) -> str:
    """Name a row by what differs, such as `optimized seed 3`, `faithful epochs=9` or `optimized brave-exp epochs=9`.

    Args:
        variant: The variant.
        tags: Tags of the row; where they do not tell what differs, the seed does.
        params: Parameters of the row.
    """
    changed = tags[CHANGES].split() if CHANGES in tags else [f"seed={params['seed']}"]
    shown = [_short(word, changed) for word in changed[:_MAX_CHANGES]]
    more = [f"and {len(changed) - len(shown)} more"] if len(changed) > len(shown) else []
    return " ".join(filter(None, [variant, tags.get("dvc.exp_name"), *shown, *more]))[:_MAX_NAME]


def _worded(changes: Mapping[str, Any], variant: str) -> list[str]:
    """Write changes as `key=value` without blanks, the seed first."""
    named = {key.removeprefix(f"variants.{variant}."): value for key, value in changes.items()}
    shown = {
        key: value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
        for key, value in sorted(named.items(), key=lambda pair: (pair[0] != "seed", pair[0]))
    }
    return [f"{key}={''.join(value.split())}" for key, value in shown.items()]


def _short(word: str, among: Sequence[str]) -> str:
    """Shorten a change to the last part of its key, if no other has the same; a seed is `seed 3`."""
    key, _, value = word.partition("=")
    last = key.rpartition(".")[2]
    if key == "seed":
        return f"seed {value}"
    is_alone = [each.partition("=")[0].rpartition(".")[2] for each in among].count(last) == 1
    return f"{last if is_alone else key}={value}"


def description(metrics: Mapping[str, float], tags: Mapping[str, str], versions: Sequence[tuple[str, str]]) -> str:
    """Describe a row in Markdown: errors with their 95 % intervals, models, what differs, command and commit.

    Args:
        metrics: Metrics of the row.
        tags: Its tags.
        versions: Name and version of each registered model that was made of it.
    """
    parts = [_errors(metrics)]
    parts += [f"Registered: [{name} version {number}](#/models/{name}/versions/{number})" for name, number in versions]
    if differs := tags.get(CHANGES):
        parts.append(f"Differs from experiments/{tags[EXPERIMENT]}.yaml: `{differs}`")
    if COMMAND in tags:
        parts.append(f"Run it again:\n\n```\n{command(tags)}\n```")
    if commit := tags.get(COMMIT):
        changed = ", with changes that are not committed" if tags.get("git.dirty") == "true" else ""
        parts.append(f"Commit {commit[:12]}{changed}; {tags.get('host.cpu', 'a processor that was not recorded')}")
    return "\n\n".join(filter(None, parts))


def _errors(metrics: Mapping[str, float]) -> str:
    lines = [
        f"- {words}: top-1 {_interval(metrics, f'test/{view}/top1_error')}, "
        f"top-5 {_interval(metrics, f'test/{view}/top5_error')}"
        for view, words in VIEW_NAMES.items()
        if f"test/{view}/top1_error" in metrics
    ]
    images = f"{metrics['test/num_examples']:,.0f} " if "test/num_examples" in metrics else ""
    return "\n".join([f"Error on {images}test images, with 95 % intervals:\n", *lines]) if lines else ""


def _interval(metrics: Mapping[str, float], name: str) -> str:
    if name not in metrics:
        return "not measured"
    return error_with_interval(metrics, name, digits=2)
