"""When records are sent again. That they arrive whole is in test_uploads.py."""

import os
from types import SimpleNamespace

import pytest

from pipeline.tracking import uploader, uploads

SERVED = (os.getpid(), 0.0)


@pytest.fixture
def clock(monkeypatch):
    """What the uploader takes for the time, set by the test."""
    found = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(uploader, "time", SimpleNamespace(monotonic=lambda: found.now))
    return found


def test_a_store_that_does_not_answer_is_asked_every_twenty_seconds_and_once_at_the_end(tmp_path, monkeypatch, clock):
    tried = []

    def connect(home):
        tried.append(clock.now)
        raise ConnectionError(f"{home}: no answer")

    monkeypatch.setattr(uploader, "connect", connect)
    with uploads.held(tmp_path, "pipeline", SERVED):
        sender = uploader.Uploader(tmp_path, "pipeline")
        for tenths in range(10000, 10701):
            clock.now = tenths / 10
            assert not sender.round()
        assert tried == [1000.0, 1020.0, 1040.0, 1060.0]
        assert f"{tmp_path}: no answer" in uploads.problem(tmp_path, "pipeline")
        sender.last_round()
    assert tried[4:] == [1070.0]


def test_a_dead_server_is_asked_once_at_the_end_however_much_waits(tmp_path, monkeypatch, clock):
    from pipeline.tracking import spool

    tried = []
    monkeypatch.setattr(uploader, "connect", lambda home: tried.append(home) or 1 / 0)
    monkeypatch.setattr(spool, "waiting", lambda scratch: [tmp_path / str(number) for number in range(40)])
    with uploads.held(tmp_path, "pipeline", SERVED):
        uploader.Uploader(tmp_path, "pipeline").last_round()
    assert tried == [tmp_path]


def test_once_it_answers_there_is_no_problem(tmp_path, monkeypatch, clock):
    answers = [ConnectionError("no answer"), "runs"]

    def connect(home):
        if isinstance(answer := answers.pop(0), Exception):
            raise answer
        return answer

    monkeypatch.setattr(uploader, "connect", connect)
    with uploads.held(tmp_path, "pipeline", SERVED):
        sender = uploader.Uploader(tmp_path, "pipeline")
        sender.round()
        clock.now += 20
        sender.round()
        assert uploads.problem(tmp_path, "pipeline") is None
        clock.now += 20
        sender.round()  # it stays connected


def test_a_folder_that_cannot_be_opened_holds_up_no_other(tmp_path, monkeypatch, clock):
    from pipeline.tracking import spool, spool_reader

    class Reader:
        def __init__(self, folder, runs):
            self.folder = folder

        def claim(self):
            if self.folder.name == "a":
                raise PermissionError(13, "Permission denied", str(self.folder))
            return True

        def proceed(self):
            sent.append(self.folder.name)
            return True

        def release(self):
            raise AssertionError("nothing is given up")

    sent = []
    monkeypatch.setattr(uploader, "connect", lambda home: "runs")
    monkeypatch.setattr(spool_reader, "SpoolReader", Reader)
    monkeypatch.setattr(spool, "waiting", lambda scratch: [tmp_path / "a", tmp_path / "b"])
    with uploads.held(tmp_path, "pipeline", SERVED):
        uploader.Uploader(tmp_path, "pipeline").round()
        assert sent == ["b"]
        assert f"Permission denied: '{tmp_path / 'a'}'" in uploads.problem(tmp_path, "pipeline")
