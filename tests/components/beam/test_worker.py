from components.beam.worker import run_task


def square(task):
    return {"square": task**2}


def bug(task):
    return {}["missing"]


def test_what_a_lost_worker_had_done_is_not_done_again(tmp_path):
    settings = {"folder": str(tmp_path), "engine_retries": True}
    run_task((4, 3), function=square, **settings)
    run_task((4, 3), function=bug, **settings)  # which would leave an error
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"000004.result": '{"square": 9}'}
