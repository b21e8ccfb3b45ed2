"""Whether an ONNX file answers as the network it was made of, when onnxruntime runs it in a process of its own."""

import tempfile
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from alexnet_tf.data.npy_file import save_npy
from alexnet_tf.errors import AlexNetError, how_to_install
from alexnet_tf.export import agreement, fresh_process, onnx_runner

if TYPE_CHECKING:
    from alexnet_tf.models.classifier import Classifier

_SWITCH = "export.onnx of this variant to false"


def require_packages() -> None:
    """Raise an `AlexNetError` with the command that installs what the ONNX export needs, where that is missing."""
    missing = [name for name in ("onnx", "onnxruntime") if find_spec(name) is None]
    if missing:
        raise AlexNetError(
            f"export.onnx of this variant is true, which needs {' and '.join(missing)}: "
            f"install it ({how_to_install('onnx')}), or set it to false; nothing was exported."
        )


def measure(content: bytes, classifier: "Classifier", images: agreement.Images) -> dict[str, Any]:
    """Compare the answers of an ONNX file with those of the network it was made of, on the CPU.

    Args:
        content: The file.
        classifier: What was converted; it answers in the precision that it was trained in.
        images: Those of which `agreement.MAX_IMAGES` at most are used, evenly spaced.

    Returns:
        For JSON, as of `agreement.measured`.

    Raises:
        AlexNetError: onnxruntime refuses the file, or the difference is more than rounding explains.
    """
    return agreement.measured(
        content,
        classifier,
        images,
        lambda batches: _ask(content, batches),
        tolerances=fresh_process.TOLERANCES,
        what="the ONNX file, run by onnxruntime in a fresh process,",
        switch=_SWITCH,
    )


def _ask(content: bytes, batches: Iterable[np.ndarray]) -> list[np.ndarray]:
    with tempfile.TemporaryDirectory() as place:
        model, crops, logits = (Path(place) / name for name in ("model.onnx", "crops", "logits"))
        model.write_bytes(content)
        crops.mkdir()
        logits.mkdir()
        for number, batch in enumerate(batches):
            save_npy(crops / f"{number:04}.npy", batch)
        if (reason := fresh_process.run(onnx_runner, model, crops, logits, folder=Path(place))) is not None:
            raise AlexNetError(
                f"onnxruntime refuses the ONNX file in a fresh process ({reason}): nothing was exported. Set {_SWITCH},"
                " and please report this with the versions that `alexnet doctor` prints."
            )
        return [np.load(path) for path in sorted(logits.iterdir())]
