import pytest


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Records and statistics of random images, for the stage train."""
    from tests.components.test_train import write_records

    return write_records(tmp_path_factory.mktemp("data"))


@pytest.fixture
def processes(inputs, tmp_path, root):
    """Trainings on them in processes of their own, of which none is left at the end."""
    from tests.components.training_process import trainings

    with trainings(inputs, tmp_path, root) as made:
        yield made
