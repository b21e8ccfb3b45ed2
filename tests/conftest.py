"""What several test modules share."""

import atexit
import functools
import gc
import os
import re
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent
# Helpers: clone, stub_stages, chromium.
sys.path[:0] = [str(ROOT / name) for name in ("tests", "tests/pipeline", "docs")]

# A shell that runs the tests in the background has them ignore Ctrl-C, `nohup` the end of the terminal, and so would
# every process that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"  # as `import alexnet_tf` has it; some tests import TensorFlow before
# XLA compiles hundreds of small programs here, in half the time without LLVM's optimizations. What it computes stays
# the same but for rounding; the clones of the end-to-end tests have their own environment, without this flag.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")
if "PYTEST_XDIST_WORKER" in os.environ:
    # Until all tests are found: importing what they need makes many objects and next to no garbage.
    gc.disable()
    # Each worker has a core: two threads in each only wait for one another. The end-to-end clones have all threads.
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
# Nothing that whoever runs the tests has set reaches them: no tracking server or model registry, workers of a cluster,
# options of the `make` that started them, width of the terminal, or language. The identity, hooks and signing of Git
# are not used either: tests that commit bring their own. A checkout that another user owns may be read.
_USERS = ("MLFLOW_", "DVC_", "GIT_", "KERAS_", "LC_", "TF_CONFIG", "CALLER_PATH", "COLUMNS", "LINES", "NO_COLOR",
          "FORCE_COLOR", "TTY_", "MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES", "MAKELEVEL")  # fmt: skip
for _name in [name for name in os.environ if name.startswith(_USERS)]:
    del os.environ[_name]
os.environ |= {"LANG": "C.UTF-8", "MLFLOW_DISABLE_TELEMETRY": "true"}
os.environ["DVC_NO_ANALYTICS"] = "1"  # a process of its own after each command
# Nor does what Keras and DVC keep for a user, outside of the folders of tests.
_kept = tempfile.mkdtemp(prefix="alexnet-tests-")
atexit.register(shutil.rmtree, _kept, ignore_errors=True)
os.environ |= {"KERAS_HOME": f"{_kept}/keras", "DVC_SITE_CACHE_DIR": f"{_kept}/dvc"}
if shutil.which("nvidia-smi"):
    # Workers and their processes would share a GPU's memory, and its convolutions round otherwise. Set it to use one.
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
os.environ |= {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
# Servers that tests start are on this machine; no proxy is asked for them.
_direct = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
os.environ |= dict.fromkeys(("no_proxy", "NO_PROXY"), f"127.0.0.1,localhost,{_direct}".strip(","))
# As `make test` and an activated environment have it, so that messages name commands without a path.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])

# The same examples in each run, and no time limit on one: some compile programs.
settings.register_profile("suite", derandomize=True, deadline=None)
settings.load_profile("suite")


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of the repository."""
    return ROOT


LONGEST = (
    "test_end_to_end.py",
    "test_backfill.py",
    "test_step.py",
    "test_loop_resume.py",
    "test_fit.py",
    "test_applications.py",
)


def pytest_collection_modifyitems(items):
    """Begin with the files that take minutes, so that no worker of `make test` is left alone with one."""
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        for item in items:
            if _uses_git(item.path):
                item.add_marker(pytest.mark.skip("needs Git, and a clone instead of a download"))


@functools.cache
def _uses_git(path: Path) -> bool:
    return bool(re.search(r'"git"|\b(Clone|Repository|commit_all)\(', path.read_text(encoding="utf-8")))


def pytest_collection_finish(session):
    """Let the garbage collector run on what the tests make, and give TensorFlow two logical CPUs before a test uses it.

    After that their number is fixed. Sessions whose tests do not need TensorFlow do not import it.
    """
    gc.freeze()
    gc.enable()
    if "tensorflow" in sys.modules or any("two_devices" in item.fixturenames for item in session.items):
        import tensorflow as tf

        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)


@pytest.fixture
def sample_project(tmp_path) -> Path:
    """A folder with dvc.yaml and the params.yaml of the sample, whatever `alexnet use` has made of that of the root."""
    from clone import PARAMS

    folder = tmp_path / "sample_project"
    folder.mkdir()
    (folder / "params.yaml").write_text(PARAMS)
    (folder / "dvc.yaml").write_bytes((ROOT / "dvc.yaml").read_bytes())
    return folder


@pytest.fixture
def seeded() -> None:
    """Keras initializes and shuffles by a global seed; with another one in each run, a rare one fails."""
    import keras

    keras.utils.set_random_seed(2012)


@pytest.fixture(scope="session")
def two_devices() -> list[str]:
    """Two logical CPUs for MirroredStrategy."""
    return ["CPU:0", "CPU:1"]


@pytest.fixture(scope="session")
def two_replicas(two_devices):
    """A MirroredStrategy over two logical CPUs."""
    from alexnet_tf.devices.strategy import make_strategy

    return make_strategy(two_devices)


@pytest.fixture
def free_port() -> int:
    """A port of the loopback interface that nothing listens on."""
    from tests.ports import free_ports

    return free_ports(1)[0]
