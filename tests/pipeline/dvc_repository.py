"""A repository of stub stages, in which tests run the real commands as a user does."""

from contextlib import contextmanager
from pathlib import Path

from checkout import Checkout
from store import put_empty_store, read_rows
from stub_stages import make_dvc_repository

from pipeline.tracking import uploads


class Repository(Checkout):
    """Stub stages, real `pipeline`, real `dvc`, one commit.

    Args:
        folder: Where it is made, with an empty home beside it.
        settings: Environment variables of everything that runs in it.
    """

    def __init__(self, folder: Path, **settings: str):
        super().__init__(folder, "repository", settings)
        make_dvc_repository(self.root)
        if "MLFLOW_TRACKING_URI" not in settings:
            put_empty_store(self.root)

    def rows(self):
        assert uploads.wait(self.root, 120), "the uploader did not end"
        return read_rows(self.root)

    def edit(self, old: str, new: str, name: str = "params.yaml"):
        path = self.root / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    @contextmanager
    def edited(self, old: str, new: str, name: str = "params.yaml", *, committed: bool = False):
        """Edit a file for as long as the body runs, so that a test that fails leaves the others theirs."""
        text = (self.root / name).read_text()
        try:
            self.edit(old, new, name)
            if committed:
                self.commit()
            yield
        finally:
            (self.root / name).write_text(text)
            if committed:
                self.commit()

    def commit(self):
        self.run("git", "add", "-A")
        self.run("git", "commit", "-qm", "more", "--allow-empty")
