import errno
import fcntl
import os
import signal
import subprocess
import sys
import threading

from pipeline.environment.lock import locked

HOLDS = """
import sys, time
from pathlib import Path
from pipeline.environment.lock import locked

with locked(Path(sys.argv[1]), print):
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_second_one_waits_and_says_for_whom(tmp_path):
    path, order, asked = tmp_path / "locks" / "one", [], threading.Event()

    def second():
        def waiting(process):
            order.append(process)
            asked.set()

        with locked(path, waiting):
            order.append("second")

    with subprocess.Popen([sys.executable, "-c", HOLDS, path], stdout=subprocess.PIPE) as first:
        assert first.stdout.read(4) == b"held"
        thread = threading.Thread(target=second)
        thread.start()
        assert asked.wait(30)
        assert order == [str(first.pid)]
        first.send_signal(signal.SIGKILL)
        thread.join(30)
    assert order == [str(first.pid), "second"]
    assert list(path.parent.iterdir()) == []


def test_many_take_turns(tmp_path):
    path, inside, most = tmp_path / "one", [], []

    def take():
        for _ in range(20):
            with locked(path, lambda process: None):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 160
    assert not path.exists()


def test_without_locks_nothing_is_held(tmp_path, monkeypatch):
    def refuse(file, how):
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

    monkeypatch.setattr(fcntl, "flock", refuse)
    told = []
    with locked(tmp_path / "one", told.append), locked(tmp_path / "one", told.append):
        assert told == []
