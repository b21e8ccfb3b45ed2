import json
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest

from alexnet_tf.devices import strategy as distribution
from alexnet_tf.devices.cluster import Cluster
from alexnet_tf.devices.strategy import is_chief, make_strategy, require_equal_shares, require_same_training
from alexnet_tf.errors import ConfigError, DataError


def test_without_devices_it_takes_every_gpu_or_one_cpu(two_devices):
    import tensorflow as tf

    strategy = make_strategy()
    gpus = len(tf.config.list_logical_devices("GPU"))
    assert strategy.num_replicas_in_sync == (gpus or 1)
    assert all(("GPU" if gpus else "CPU:0") in device for device in strategy.extended.worker_devices)


@pytest.mark.parametrize("prefix", ["", "/", "/device:"])
def test_it_takes_the_devices_that_are_named(two_devices, prefix):
    strategy = make_strategy([prefix + name for name in two_devices])
    assert strategy.num_replicas_in_sync == 2
    assert [device[-5:] for device in strategy.extended.worker_devices] == ["CPU:0", "CPU:1"]


def test_a_device_that_is_not_there_is_refused_with_those_that_are(two_devices):
    with pytest.raises(ConfigError, match=r"runtime\.devices names GPU:77, but this machine has CPU:0, CPU:1"):
        make_strategy(["CPU:0", "GPU:77"])


def test_the_batch_is_shared_evenly_or_refused(two_replicas):
    require_equal_shares(8, two_replicas)
    with pytest.raises(ConfigError, match=r"divisible by the number of replicas \(2\), got 7"):
        require_equal_shares(7, two_replicas)


@pytest.mark.parametrize("devices", [["CPU:0", "CPU:0"], ["CPU:1", "/device:CPU:1"]])
def test_a_device_that_is_named_twice_is_refused(two_devices, devices):
    with pytest.raises(ConfigError, match=r"runtime\.devices names CPU:[01] twice; name each device once"):
        make_strategy(devices)


@pytest.mark.parametrize(
    ("theirs", "error", "message"),
    [
        ([2, "float32", "abc"], ConfigError, "worker 0 trains on 2 devices, this one on 1; let all have as many"),
        ([1, "bfloat16 with oneDNN", "abc"], DataError, "worker 0 trains in bfloat16 with oneDNN, this one in float32"),
        ([1, "float32", "def"], DataError, "worker 0 trains something else .*def.*here abc"),
        ([1, "float32", "abc"], None, ""),
    ],
)
def test_workers_that_train_something_else_are_refused(monkeypatch, two_replicas, theirs, error, message):
    require_same_training(two_replicas, "abc", "float32")  # on one machine there is nobody to ask
    told = {"alexnet/worker/0": json.dumps(theirs)}
    service = SimpleNamespace(
        set_config_key_value=told.__setitem__, get_config_key_value=lambda key, patience: told[key]
    )
    monkeypatch.setattr(distribution.context, "context", lambda: service)
    monkeypatch.setattr(distribution, "_workers", lambda strategy: Cluster(("a:1", "b:1"), 1))
    strategy = SimpleNamespace(extended=SimpleNamespace(worker_devices=("CPU:0",)))
    with pytest.raises(error, match=message) if error else nullcontext():
        require_same_training(strategy, "abc", "float32")  # type: ignore[arg-type]
    assert json.loads(told["alexnet/worker/1"]) == [1, "float32", "abc"]


def test_a_strategy_over_one_machine_has_one_worker_whatever_tf_config_says(monkeypatch, two_replicas):
    import tensorflow as tf

    several = object.__new__(tf.distribute.MultiWorkerMirroredStrategy)  # a whole one would wait for the others
    assert is_chief(several)
    config = {"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    assert is_chief(two_replicas)
    assert not is_chief(several)


@pytest.mark.parametrize("length", [0, 6, 7, 20])
def test_what_the_chief_sends_comes_in_pieces(monkeypatch, length):
    sent, content = [], bytes(range(length))

    class Chief:
        is_chief = True

    def summed(strategy, values):
        sent.append(values.nbytes)
        return values

    monkeypatch.setattr(distribution, "_workers", lambda strategy: Chief)
    monkeypatch.setattr(distribution, "_sum", summed)
    monkeypatch.setattr(distribution, "_PIECE_BYTES", 7)
    assert distribution.from_chief(None, content) == content
    assert max(sent) == 8  # two numbers, or a piece in whole numbers


def test_float32_is_not_rounded_to_tf32(two_devices):
    import tensorflow as tf

    tf.config.experimental.enable_tensor_float_32_execution(True)
    make_strategy(two_devices)
    assert not tf.config.experimental.tensor_float_32_execution_enabled()


def test_networks_of_other_shapes_can_be_trained_one_after_the_other_in_a_process(two_devices):
    import tensorflow as tf

    from alexnet_tf.models.batch_norm import BatchNormActivation

    for channels in (3, 4):  # batch normalization reduces statistics of so many channels across replicas
        strategy = make_strategy(two_devices)
        with strategy.scope():
            layer = BatchNormActivation(activation="relu", momentum=0.9, learn_scale=False)
            layer.build((2, 4, 4, channels))
        x = tf.random.stateless_normal((2, 4, 4, channels), (1, 2))
        step = tf.function(lambda x, layer=layer, strategy=strategy: strategy.run(lambda: layer(x, training=True)))
        for output in strategy.experimental_local_results(step(x)):
            assert np.isfinite(output).all()
