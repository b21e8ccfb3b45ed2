import json

import pytest

from alexnet_tf.devices.cluster import cluster
from alexnet_tf.devices.strategy import make_training_strategy
from alexnet_tf.errors import ConfigError

TWO = {"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}}


def configure(monkeypatch, value):
    monkeypatch.setenv("TF_CONFIG", value if isinstance(value, str) else json.dumps(value))


@pytest.mark.parametrize("value", ["", "{}", {"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 0}}])
def test_fewer_than_two_workers_are_no_cluster(monkeypatch, value):
    configure(monkeypatch, value)
    assert cluster() is None


def test_the_first_worker_is_the_chief(monkeypatch):
    configure(monkeypatch, TWO)
    assert cluster().workers == ("a:1", "b:1")
    assert not cluster().is_chief
    configure(monkeypatch, TWO | {"task": {"type": "worker", "index": 0}})
    assert cluster().is_chief


@pytest.mark.parametrize(
    "value",
    [
        "not JSON",
        "[]",
        {"cluster": {"worker": ["a:1", "b:1"]}},
        TWO | {"task": {"type": "worker", "index": 2}},
        TWO | {"task": {"type": "ps", "index": 0}},
        TWO | {"cluster": {"chief": ["a:1"], "worker": ["b:1"]}},
    ],
)
def test_a_broken_variable_is_one_sentence(monkeypatch, value):
    configure(monkeypatch, value)
    with pytest.raises(ConfigError, match=r"TF_CONFIG.*expected \{\"cluster\": \{\"worker\": \[\"HOST:PORT\""):
        cluster()


def test_devices_are_not_chosen_by_name_among_several_workers(monkeypatch):
    configure(monkeypatch, TWO)
    with pytest.raises(ConfigError, match=r"runtime\.devices = \['GPU:0'\] cannot be combined with TF_CONFIG"):
        make_training_strategy(["GPU:0"])
