from pipeline.config.schema import BEAM_RUNNERS
from tests.pipeline.config.test_load import load_with


def test_known_runners_are_those_of_beam_and_one_that_it_forgot():
    from apache_beam.options.pipeline_options import StandardOptions

    from components.beam.run import FULL_NAMES

    of_beam = {name for name in StandardOptions.KNOWN_RUNNER_NAMES if not name.startswith("Test")}
    assert set(BEAM_RUNNERS) == of_beam | set(FULL_NAMES)


def test_a_runner_may_be_a_class_by_its_full_name(stubs, tmp_path):
    assert load_with(tmp_path, "runtime.beam_runner=my.runners.Mine").runtime.beam_runner == "my.runners.Mine"
