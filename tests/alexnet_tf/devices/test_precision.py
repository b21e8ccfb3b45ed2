from types import SimpleNamespace

import pytest

from alexnet_tf.devices import precision, processor
from alexnet_tf.devices.precision import choose_precision

AVX2 = "model name\t: AMD EPYC\ncpu family\t: 25\nmodel\t\t: 1\nflags\t\t: fpu avx avx2 sha_ni\n"
ZEN4 = "model name\t: AMD EPYC\ncpu family\t: 25\nmodel\t\t: 17\nflags\t\t: fpu avx2 avx512f avx512_bf16\n"
ARM = "processor\t: 0\nFeatures\t: fp asimd bf16\n"


@pytest.fixture
def cpuinfo(monkeypatch, tmp_path):
    """Return a function that makes the processor another one, None for a machine without Linux."""

    def become(text):
        path = tmp_path / "cpuinfo"
        if text is not None:
            path.write_text(text)
        monkeypatch.setattr(processor, "Path", lambda _: path)
        processor._fields.cache_clear()

    yield become
    monkeypatch.undo()
    processor._fields.cache_clear()


@pytest.mark.parametrize(
    ("text", "name", "features", "chosen"),
    [
        (AVX2, "AMD EPYC (family 25 model 1)", ["avx2"], "float32"),
        (ZEN4, "AMD EPYC (family 25 model 17)", ["avx2", "avx512f", "avx512_bf16"], "bfloat16"),
        (ZEN4.replace("avx512_bf16", "amx_bf16"), "AMD EPYC (family 25 model 17)", None, "bfloat16"),
        (ZEN4.replace("avx512_bf16", ""), "AMD EPYC (family 25 model 17)", ["avx2", "avx512f"], "float32"),
        (ARM, None, [], "float32"),
        (None, None, [], "float32"),
    ],
)
def test_auto_is_bfloat16_where_the_processor_has_it(cpuinfo, two_replicas, text, name, features, chosen):
    cpuinfo(text)
    assert choose_precision("auto", two_replicas) == chosen
    assert choose_precision("float32", two_replicas) == "float32"
    assert choose_precision("bfloat16", two_replicas) == "bfloat16"
    assert name is None or processor.processor_name() == name
    assert features is None or processor.processor_features() == features


@pytest.mark.parametrize(
    ("capabilities", "chosen"),
    [([(9, 0), (8, 0)], "bfloat16"), ([(9, 0), (7, 5)], "float32"), ([None], "float32")],
)
def test_auto_is_bfloat16_where_every_gpu_has_it(monkeypatch, two_replicas, capabilities, chosen):
    import tensorflow as tf

    devices = [tf.config.PhysicalDevice(f"/physical_device:GPU:{i}", "GPU") for i in range(len(capabilities))]
    details = {
        device: {"compute_capability": found} if found else {}
        for device, found in zip(devices, capabilities, strict=True)
    }
    monkeypatch.setattr(precision, "_physical", lambda _: devices)
    monkeypatch.setattr(tf.config.experimental, "get_device_details", details.__getitem__)
    assert choose_precision("auto", two_replicas) == chosen


@pytest.mark.parametrize(("index", "chosen"), [(0, "float32"), (1, "bfloat16")])
def test_auto_asks_only_the_gpus_that_train(monkeypatch, index, chosen):
    import tensorflow as tf

    gpus = [tf.config.PhysicalDevice(f"/physical_device:GPU:{number}", "GPU") for number in range(2)]
    capabilities = dict(zip(gpus, [(7, 0), (9, 0)], strict=True))
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: gpus if kind == "GPU" else [])
    monkeypatch.setattr(
        tf.config.experimental, "get_device_details", lambda device: {"compute_capability": capabilities[device]}
    )
    name = f"/job:localhost/replica:0/task:0/device:GPU:{index}"
    strategy = SimpleNamespace(extended=SimpleNamespace(worker_devices=(name,)))
    assert choose_precision("auto", strategy) == chosen  # type: ignore[arg-type]
