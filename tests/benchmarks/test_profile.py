import pytest
from click.testing import CliRunner

from benchmarks import profile
from benchmarks.profile import Operation


def test_a_moment_is_shared_by_what_runs_then():
    operations = [
        Operation("a/conv2_1/Conv2DBackpropFilter:_MklNativeConv2DBackpropFilterWithBias", 10, 50),
        Operation("while/momentum_update/ResourceApplyKerasMomentum:ResourceApplyKerasMomentum", 30, 70),
        Operation("while/momentum_update_1/mul:Mul", 30, 40),
        Operation("a/b:Pack", 80, 90),
    ]
    shares = profile.divided(operations, 100)
    assert shares == {
        "convolutions, gradient of the kernels": 20 + 10 / 3 + 10 / 2,
        "update of the weights": 2 * 10 / 3 + 10 / 2 + 20,
        "Pack": 10,
        profile.NOTHING: 30,
    }
    assert sum(shares.values()) == 100


def test_kinds_are_told_from_names_and_types():
    kinds = {
        "while/alexnet_1/norm1_1/lrn/MatMul:_MklMatMul": "LRN",
        "program/a_inference_lrn_backward_12__.1": "LRN",
        "while/alexnet_1/Relu_4:_MklNativeFusedConv2D": "convolutions, forward (with bias and ReLU)",
        "while/alexnet_1/Relu_10:_MklNativeFusedMatMul": "dense layers",
        "gradient_tape/while/alexnet_1/ReluGrad_11:ReluGrad": "ReLU on its own",
        "while/Sum_13:Sum": "sums of the weights (are they finite?)",
        "while/x:Frobnicate": "Frobnicate",
    }
    assert {name: profile.kind(name) for name in kinds} == kinds


def test_small_kinds_are_summed_up():
    lines = profile.table(
        {"large": 96e9, "small": 0.3e9, "smaller": 0.1e9, "middle": 3.6e9}, 100 * 10**9, 2
    ).splitlines()
    assert lines[2:] == [
        "| large | 48.0 | 0.960 |",
        "| middle | 1.8 | 0.036 |",
        "| all others | 0.2 | 0.004 |",
        "| the step | 50.0 | 1.000 |",
    ]


def test_a_trace_has_kernels_and_programs_but_not_what_encloses_them(tmp_path):
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace()
    host = space.planes.add(name="/host:CPU")
    host.stat_metadata[1].name = "hlo_module"
    names = ["_run_steps", "ExecutorState::Process", "a/b:Relu", "some_fusion", "Iterator::Root/x:y"]
    for number, name in enumerate(names):
        host.event_metadata[number].name = name
    python = host.lines.add(name="python", timestamp_ns=5)
    python.events.add(metadata_id=0, offset_ps=0, duration_ps=900)
    compute = host.lines.add(name="tf_Compute/1", timestamp_ns=5)
    compute.events.add(metadata_id=1, offset_ps=0, duration_ps=800)
    compute.events.add(metadata_id=2, offset_ps=100, duration_ps=200)
    pool = host.lines.add(name="tf_numa_-1_Eigen/2", timestamp_ns=5)
    pool.events.add(metadata_id=3, offset_ps=300, duration_ps=50).stats.add(metadata_id=1, str_value="lrn_forward.1")
    host.lines.add(name="tf_data_iterator/3").events.add(metadata_id=4, duration_ps=700)
    (tmp_path / "host.xplane.pb").write_bytes(space.SerializeToString())
    assert profile.read(tmp_path / "host.xplane.pb") == (
        [Operation("a/b:Relu", 5100, 5300), Operation("program/lrn_forward.1", 5300, 5350)],
        900,
    )


@pytest.mark.parametrize(
    ("options", "batch_size"),
    [([], 128), (["--subject", "ours, optimized for CIFAR-10"], 512), (["--batch-size", "7"], 7)],
)
def test_the_batch_is_that_of_the_page_unless_told_otherwise(options, batch_size, monkeypatch):
    class Asked(Exception):
        pass

    def subject(precision, size, images):
        raise Asked(size)

    monkeypatch.setattr(profile.subjects, "SUBJECTS", dict.fromkeys(profile.STEPS, subject))
    found = CliRunner().invoke(profile.main, options)
    assert (type(found.exception), found.exception.args) == (Asked, (batch_size,))
