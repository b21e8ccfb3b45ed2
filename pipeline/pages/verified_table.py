"""Kept results that were run again, with what came out: certificates in results/EXPERIMENT/verified, for a page.

alexnet verify results/EXPERIMENT/VARIANT-seedN-STATE.json --json > results/EXPERIMENT/verified/STATE.json
"""

import json
from pathlib import Path
from typing import Any

from alexnet_tf.errors import AlexNetError, DataError
from pipeline.results.kept import FOLDER, read_result

CERTIFICATES = "verified"


def verified_table(root: Path, experiment: str) -> str:
    """Lay out the certificates of an experiment's results, one line each.

    Raises:
        AlexNetError: There is none.
        DataError: A file is none, or is of a result that is not kept, or of another commit than that.
    """
    folder = root / FOLDER / experiment / CERTIFICATES
    if not (paths := sorted(folder.glob("*.json"))):
        raise AlexNetError(
            f"{folder} holds no certificate; `alexnet verify RESULT --json > {FOLDER}/{experiment}/{CERTIFICATES}/"
            "STATE.json` makes one"
        )
    lines = ["| result | outputs of the same bytes | verdict | run again on |", "| --- | --- | --- | --- |"]
    certificates = {path: _certificate(path) for path in paths}
    for path, certificate in sorted(certificates.items(), key=lambda each: each[1]["claim"]):
        claim = certificate["claim"]
        commit = read_result(root / claim).row["tags"]["mlflow.source.git.commit"]
        if certificate["commit"] != commit:
            raise DataError(
                f"{path}: expected a certificate of {claim}, which is of commit {commit[:12]}, found one of "
                f"{certificate['commit'][:12]}; verify it again"
            )
        same = sum(each["claimed"] == each["reproduced"] for each in certificate["outputs"])
        machine = certificate["machine"]
        place = f"{machine['host.cpus']} cores of {machine['host.cpu']}, TensorFlow {machine['version.tensorflow']}"
        lines.append(f"| `{claim}` | {same} of {len(certificate['outputs'])} | {certificate['verdict']} | {place} |")
    return "\n".join(lines)


def _certificate(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        _ = content["claim"], content["commit"], content["outputs"], content["machine"], content["verdict"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path}: expected what `alexnet verify RESULT --json` prints, found another file "
            f"({type(error).__name__}); take it out"
        ) from error
    return content
