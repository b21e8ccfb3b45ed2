import pytest
from click.testing import CliRunner

from benchmarks import stages
from pipeline.environment.dotted import at
from pipeline.environment.yaml_file import read


def test_the_stages_are_shrunk_by_keys_that_params_yaml_has(sample_project):
    content = read(sample_project / "params.yaml")
    for key in stages.SMALL:
        at(content, key)  # raises where there is none


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["--rounds", "0"], "0 is not in the range x>=1"),
        (["--against", "nonsense"], "--against: expected a revision of Git, got nonsense"),
    ],
)
def test_what_cannot_be_measured_is_said_in_a_sentence(command, message):
    found = CliRunner().invoke(stages.main, command)
    assert found.exit_code == 2
    assert message in found.output
