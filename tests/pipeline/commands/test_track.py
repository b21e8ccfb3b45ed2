import json

from click.testing import CliRunner

from pipeline.cli import alexnet
from pipeline.results import kept
from pipeline.tracking import spool
from tests.commits import commit_all


def track(*arguments):
    return CliRunner().invoke(alexnet, ["track", *arguments])


def test_an_empty_spool_is_said_and_needs_no_server(workspace, monkeypatch):
    monkeypatch.chdir(workspace.root)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert track("sync").output == "nothing to send\n"
    assert json.loads(track("sync", "--json").output) == {
        "uri": "http://127.0.0.1:9",
        "sent": 0,
        "left": [],
        "problem": None,
    }


def test_what_cannot_be_sent_is_counted_and_kept(workspace, monkeypatch):
    monkeypatch.chdir(workspace.root)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    folder = workspace.scratch / "spool" / "1-download"
    spool.append(folder, {"event": "standing", "time": 1, "rows": []})
    result = track("sync")
    assert result.exit_code == 1
    assert "http://127.0.0.1:9 does not answer" in result.stderr
    assert "1 of 1 are still in .alexnet/spool. Start the server or set MLFLOW_TRACKING_URI" in result.stderr
    assert (folder / spool.EVENTS).is_file()


def test_results_that_are_kept_without_a_repository_name_no_commit(workspace, monkeypatch):
    monkeypatch.chdir(workspace.root)
    monkeypatch.setattr(kept, "collect", lambda *_: [])
    monkeypatch.setattr(kept, "keep", lambda *_: ["results/stub/one.json"])
    told = track("keep")
    assert told.stdout == "results/stub/one.json\n"
    assert "no Git repository here, so these results name no commit" in told.stderr
    commit_all(workspace.root)
    assert "no Git repository" not in track("keep").stderr


def test_there_is_nothing_to_relocate_without_a_store(workspace, monkeypatch):
    monkeypatch.chdir(workspace.root)
    result = track("relocate")
    assert result.exit_code == 1
    assert "mlflow.db does not exist, so there is nothing to correct" in result.stderr
