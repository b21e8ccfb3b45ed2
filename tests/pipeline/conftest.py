from pathlib import Path

import pytest
import stub_stages

from pipeline.config import schema
from pipeline.environment.workspace import Workspace


@pytest.fixture
def stubs(monkeypatch):
    """Stub stages in this process."""
    stub_stages.install(monkeypatch)
    yield
    schema.file_type.cache_clear()
    schema.json_schema.cache_clear()


@pytest.fixture
def workspace(tmp_path: Path, stubs) -> Workspace:
    """A folder with the stubs' params.yaml and code, used from this process."""
    folder = stub_stages.make_repository(tmp_path / "repository")
    return Workspace(root=folder, home=folder)


@pytest.fixture(scope="session")
def repository(tmp_path_factory) -> Path:
    """A repository of stub stages for the command line in processes of its own; not to be changed."""
    return stub_stages.make_repository(tmp_path_factory.mktemp("stubs") / "repository")


@pytest.fixture(scope="session")
def classifier():
    from tests.alexnet_tf.small_networks import classifier_of_six

    return classifier_of_six(faithful=False)
