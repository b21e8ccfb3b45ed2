import io

from pipeline.progress import BarProgress, LineProgress, progress_for


class Clock:
    def __init__(self):
        self.seconds = 0.0

    def __call__(self):
        return self.seconds


def test_lines_come_every_few_seconds_and_at_the_end():
    stream, clock = io.StringIO(), Clock()
    with LineProgress(stream, seconds=5, clock=clock).task("train", total=10, unit="epochs") as task:
        for epoch in range(10):
            clock.seconds += 2
            task.advance(loss=1.0 / (epoch + 1), top1_error=0.5)
    lines = stream.getvalue().splitlines()
    assert lines == [
        "train: 3/10 epochs, 6 s, 0.5 epochs/s, 14 s left, loss 0.3333, top1 error 0.5",
        "train: 6/10 epochs, 12 s, 0.5 epochs/s, 8 s left, loss 0.1667, top1 error 0.5",
        "train: 9/10 epochs, 18 s, 0.5 epochs/s, 2 s left, loss 0.1111, top1 error 0.5",
        "train: 10/10 epochs, 20 s, 0.5 epochs/s, loss 0.1, top1 error 0.5",
    ]


def test_the_rate_is_that_of_the_last_minute():
    stream, clock = io.StringIO(), Clock()
    with LineProgress(stream, seconds=5, clock=clock).task("train", total=1000, unit="steps") as task:
        task.advance(500)  # a training that is resumed
        for _ in range(24):
            clock.seconds += 5
            task.advance(10)
    lines = stream.getvalue().splitlines()
    assert lines[0] == "train: 510/1000 steps, 5 s, 102 steps/s, 5 s left"
    assert lines[12] == "train: 630/1000 steps, 65 s, 2 steps/s, 185 s left"
    assert lines[23] == "train: 740/1000 steps, 120 s, 2 steps/s, 130 s left"


def test_a_task_without_work_still_says_so():
    stream = io.StringIO()
    with LineProgress(stream).task("nothing", total=0, unit="shards"):
        pass
    assert stream.getvalue().startswith("nothing: 0/0 shards")


def test_a_terminal_gets_a_bar_and_anything_else_lines():
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    assert isinstance(progress_for(Terminal()), BarProgress)
    assert isinstance(progress_for(io.StringIO()), LineProgress)


def test_the_bar_shows_count_unit_and_figures():
    stream = io.StringIO()
    with BarProgress(stream).task("train", total=2, unit="epochs") as task:
        task.advance(loss=2.0)
        task.advance()
    text = stream.getvalue()
    assert "2/2 epochs" in text
    assert "loss 2" in text
