"""Tracking servers that misbehave: one sentence each, the stage done within seconds, nothing lost."""

import json
import subprocess
import sys
import threading
import time
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from click.testing import CliRunner
from stub_stages import ROOT

from pipeline.cli import alexnet
from pipeline.config.load import load
from pipeline.environment import processes
from pipeline.runner import run_stage
from pipeline.tracking import spool, uploads
from pipeline.tracking.flush import reason
from pipeline.tracking.tracker import open_tracker
from pipeline.tracking.tracking_uri import probe

SILENT = threading.Event()


class _Server(BaseHTTPRequestHandler):
    """Answers /health as its server says, and the rest as its server says."""

    def do_GET(self):
        answer = self.server.health if self.path == "/health" else self.server.rest  # type: ignore[attr-defined]
        if answer == "silence":
            SILENT.wait(60)
            return
        status, body = answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *_):
        pass


@pytest.fixture
def serve():
    servers = []

    def start(health, rest):
        server = ThreadingHTTPServer(("127.0.0.1", 0), _Server)
        server.daemon_threads = True
        server.health, server.rest = health, rest  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    SILENT.clear()
    yield start
    SILENT.set()
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def pipeline_run_of_its_own():
    processes.pipeline_key.cache_clear()
    yield
    processes.pipeline_key.cache_clear()


OK = (200, b"OK")
FORBIDDEN = (403, b"<html>403 Forbidden</html>")
GARBAGE = (200, b"<html>welcome to the hotel's network</html>")


def test_a_server_that_never_answers_is_known_within_seconds(serve):
    uri = serve("silence", "silence")
    started = time.monotonic()
    assert "does not answer" in (probe(uri) or "")
    assert time.monotonic() - started < 10


@pytest.mark.slow  # each waits out the patience with a server
@pytest.mark.usefixtures("pipeline_run_of_its_own")
@pytest.mark.parametrize("answers", [(OK, FORBIDDEN), (GARBAGE, GARBAGE), (OK, "silence")])
def test_a_stage_is_done_within_seconds_and_its_record_kept(serve, workspace, monkeypatch, answers):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", serve(*answers))
    said = []
    config = load(workspace.root)
    started = time.monotonic()
    run_stage(workspace, config, config.item("download"), open_tracker=partial(open_tracker, workspace, said.append))
    assert time.monotonic() - started < 15
    assert (workspace.root / "data/dataset").is_dir()
    assert len(said) == 1
    assert ".alexnet/spool/" in said[0]
    assert len(spool.waiting(workspace.scratch)) == 1


def test_what_a_server_refused_is_one_sentence_and_goes_to_the_next_store(serve, workspace, monkeypatch):
    config = load(workspace.root)
    run_stage(
        workspace, config, config.item("download"), open_tracker=partial(open_tracker, workspace, print, send=False)
    )
    (folder,) = spool.waiting(workspace.scratch)
    code = (
        "import os, sys; from pathlib import Path; from pipeline.tracking.flush import reason, send\n"
        "home, folder, *uris = sys.argv[1:]\n"
        "for uri in uris:\n"
        "    os.environ['MLFLOW_TRACKING_URI'] = uri\n"
        "    try: send(Path(home), [Path(folder)])\n"
        "    except Exception as error: print(reason(error, Path(home)))\n"
    )
    uris = [serve(OK, FORBIDDEN), serve(GARBAGE, GARBAGE)]
    command = [sys.executable, "-c", code, str(workspace.home), str(folder), *uris]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    refused, garbled = done.stdout.splitlines()
    assert "403" in refused
    assert garbled
    assert folder.is_dir(), "it is kept whole"
    assert uploads.send_all(workspace.home) is None
    assert not folder.exists()
    assert (workspace.home / "mlflow.db").is_file()


@pytest.mark.parametrize(("answers", "part"), [((OK, FORBIDDEN), "403"), ((GARBAGE, GARBAGE), "")])
def test_a_registry_that_refuses_is_one_sentence_and_keeps_no_champion(serve, workspace, monkeypatch, answers, part):
    export, evaluation = (workspace.root / f"{name}/optimized" for name in ("exports", "reports/evaluate"))
    (export / "saved_model").mkdir(parents=True)
    evaluation.mkdir(parents=True)
    (export / "blessing.json").write_text('{"blessed": true, "rules": [{"value": 0.25}]}')
    (evaluation / "metrics.json").write_text('{"ten_crop": {"top1_error": 0.25}}')
    monkeypatch.chdir(workspace.root)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", serve(*answers))
    result = CliRunner().invoke(alexnet, ["promote", "optimized"])
    assert result.exit_code == 1
    (sentence,) = result.stderr.splitlines()
    assert sentence.startswith("error: MLflow's registry: ")
    assert part in sentence
    assert not (workspace.root / "results/champions/optimized").exists()


def test_a_folder_that_cannot_be_sent_is_named_and_keeps_no_other_from_it(workspace):
    config = load(workspace.root)
    for stage in ("download", "download", "validate"):
        run_stage(
            workspace, config, config.item(stage), open_tracker=partial(open_tracker, workspace, print, send=False)
        )
    first, second, third = spool.waiting(workspace.scratch)
    for broken in (first, second):
        events = broken / "events.jsonl"
        lines = [json.loads(line) for line in events.read_text().splitlines()]
        lines[0]["writer"], lines[-1]["event"] = [2**22, 0.0], "of a newer version"
        events.write_text("".join(json.dumps(line) + "\n" for line in lines))
    problem = uploads.send_all(workspace.home)
    assert problem is not None
    assert f"(.alexnet/spool/{first.name})" in problem
    assert (first.exists(), second.exists(), third.exists()) == (True, True, False)


def test_events_without_a_start_are_passed_over_and_their_folder_goes(workspace):
    folder = workspace.scratch / "spool" / "1-deleted-while-it-ran"
    spool.append(folder, {"event": "metrics", "values": {"train/loss": 1.0}, "time": 1, "step": 9})
    spool.append(folder, {"event": "end", "time": 1, "status": "FINISHED", "cost": {}})
    assert uploads.send_all(workspace.home) is None
    assert not folder.exists()


def test_a_password_in_what_mlflow_says_is_not_handed_on(tmp_path):
    told = reason(RuntimeError("API request to http://ann:secret@127.0.0.1:1/api failed\nTraceback"), tmp_path)
    assert told == "API request to http://ann:***@127.0.0.1:1/api failed"
