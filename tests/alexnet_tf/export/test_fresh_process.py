from pathlib import Path
from types import SimpleNamespace

from alexnet_tf.export import fresh_process, onnx_runner, standalone

# Runs a script up to where it would load TensorFlow or onnxruntime, and says which packages can be imported then.
PROBE = """
import importlib, runpy, sys

*sys.argv, root = sys.argv[1:]
sys.path.insert(0, root)
sys.modules["tensorflow"] = sys.modules["onnxruntime"] = None
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
except ModuleNotFoundError:
    pass
found = []
for package in ("alexnet_tf", "components", "pipeline"):
    try:
        importlib.import_module(package)
    except ModuleNotFoundError:
        continue
    found.append(package)
sys.exit(" ".join(found) or None)
"""


def test_what_asks_an_exported_file_cannot_import_this_project(tmp_path, root):
    probe, no_script = tmp_path / "probe.py", tmp_path / "no_script.py"
    probe.write_text(PROBE)
    no_script.touch()
    arguments = [tmp_path / name for name in ("model", "images", "answers")]
    found = {
        script.name: fresh_process.run(SimpleNamespace(__file__=probe), script, *arguments, root, folder=tmp_path)
        for script in (no_script, Path(standalone.__file__), Path(onnx_runner.__file__))
    }
    assert found == {
        "no_script.py": "alexnet_tf components pipeline",
        "standalone.py": None,
        "onnx_runner.py": None,
    }
