import json
import os

from pipeline.environment import processes
from pipeline.tracking import spool


def test_events_are_lines_and_folders_wait_in_their_order(tmp_path):
    for name in ("2-train", "1-download"):
        spool.append(tmp_path / "spool" / name, {"event": "start"})
        spool.append(tmp_path / "spool" / name, {"event": "end"})
    assert [folder.name for folder in spool.waiting(tmp_path)] == ["1-download", "2-train"]
    assert (tmp_path / "spool/1-download" / spool.EVENTS).read_text() == '{"event": "start"}\n{"event": "end"}\n'


def test_a_reader_never_finds_a_folder_before_its_first_event(tmp_path, monkeypatch):
    """It would take the writer for dead, and remove the folder while the stage goes on."""
    seen, dumps = [], json.dumps

    def looking(event):
        seen.append([(path / spool.EVENTS).read_text() for path in spool.waiting(tmp_path)])
        return dumps(event)

    monkeypatch.setattr(spool.json, "dumps", looking)
    spool.append(tmp_path / "spool/a", {"event": "start"})
    spool.append(tmp_path / "spool/a", {"event": "end"})
    assert seen == [[], ['{"event": "start"}\n']]


def test_a_folder_grows_while_its_writer_lives_and_has_not_ended_it(tmp_path):
    me = processes.writer(os.getpid())
    spool.append(tmp_path / "a", {"event": "start", "writer": me})
    assert spool.is_growing(tmp_path / "a")
    spool.append(tmp_path / "a", {"event": "end"})
    assert not spool.is_growing(tmp_path / "a")
    spool.append(tmp_path / "b", {"event": "start", "writer": [me[0], me[1] - 1]})  # another process of this number
    assert not spool.is_growing(tmp_path / "b")
    spool.append(tmp_path / "d", {"event": "start", "writer": [2**22, 0.0]})  # no process has this number
    assert not spool.is_growing(tmp_path / "d")
    spool.append(tmp_path / "c", {"event": "start", "writer": me})
    with open(tmp_path / "c" / spool.EVENTS, "a") as file:
        file.write('{"event": "metr')  # the rest is not on the disk yet
    assert spool.is_growing(tmp_path / "c")
    (tmp_path / "a" / spool.EVENTS).write_text('{"event": "sta')
    assert not spool.is_growing(tmp_path / "a")
