import io

import pytest

from pipeline.environment.progress import BarProgress, LineProgress, Pace, duration, progress_for


class Clock:
    def __init__(self):
        self.seconds = 0.0

    def __call__(self):
        return self.seconds


def test_lines_come_every_few_seconds_and_at_the_end():
    stream, clock = io.StringIO(), Clock()
    with LineProgress(stream, seconds=10, clock=clock).task("train", total=10, unit="steps") as task:
        for step in range(10):
            clock.seconds += 4
            task.advance(epoch=f"{step // 5 + 1} of 2", loss=1.0 / (step + 1), top1_error=0.5)
    lines = stream.getvalue().splitlines()
    assert lines == [
        "train: 3/10 steps, 12 s, epoch 1 of 2, loss 0.3333, top1 error 0.5",
        "train: 6/10 steps, 24 s, 0.25 steps/s, 16 s left, epoch 2 of 2, loss 0.1667, top1 error 0.5",
        "train: 9/10 steps, 36 s, 0.25 steps/s, 4 s left, epoch 2 of 2, loss 0.1111, top1 error 0.5",
        "train: 10/10 steps, 40 s, 0.25 steps/s, epoch 2 of 2, loss 0.1, top1 error 0.5",
    ]


def test_lines_become_rarer_up_to_a_minute():
    stream, clock = io.StringIO(), Clock()
    with LineProgress(stream, seconds=10, clock=clock).task("train", total=7200, unit="steps") as task:
        for _ in range(7199):
            clock.seconds += 1
            task.advance()
    done = [int(line.split()[1].partition("/")[0].replace(",", "")) for line in stream.getvalue().splitlines()]
    assert done[:11] == [10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 112]
    assert done[-3:] == [done[-2] - 60, done[-2], 7199]


def test_the_time_left_leaves_out_what_compiling_takes():
    clock = Clock()
    pace = Pace(148, clock)
    clock.seconds += 8.0  # one step, with the compilation
    pace.advance(1)
    assert pace.left() == []  # 8 s a step would make 1,176 s of it
    for _ in range(20):
        clock.seconds += 1.0
        pace.advance(1)
    assert [*pace.speed("steps"), *pace.left()] == ["1 steps/s", "127 s left"]


def test_what_was_done_before_a_resume_is_no_pace():
    clock = Clock()
    pace = Pace(1000, clock)
    pace.advance(500)
    clock.seconds += 12.0
    pace.advance(1)
    assert pace.rate() is None
    clock.seconds += 10.0
    pace.advance(20)
    assert pace.rate() == 2.0


def test_the_rate_is_that_of_the_last_minute():
    clock = Clock()
    pace = Pace(10_000, clock)
    for rate in (50, 2):
        for _ in range(80):
            clock.seconds += 1
            pace.advance(rate)
    assert pace.rate() == 2.0


def test_rates_are_told_of_units_that_people_count_in_and_times_of_all():
    stream, clock = io.StringIO(), Clock()
    progress = LineProgress(stream, seconds=10, clock=clock)
    for unit in ("images", "variants"):
        with progress.task("work", total=4, unit=unit) as task:
            for _ in range(4):
                clock.seconds += 15
                task.advance()
    lines = stream.getvalue().splitlines()
    assert "work: 2/4 images, 30 s, 0.0667 images/s, 30 s left" in lines
    assert "work: 2/4 variants, 30 s, 30 s left" in lines
    assert "variants/s" not in stream.getvalue()


def test_a_task_that_ends_at_once_tells_no_rate():
    stream = io.StringIO()
    with LineProgress(stream).task("compare", total=2, unit="images") as task:
        task.advance(2)
    assert stream.getvalue() == "compare: 2/2 images, 0 s\n"


def test_a_line_that_stays_puts_the_next_one_of_the_task_off():
    stream, clock = io.StringIO(), Clock()
    progress = LineProgress(stream, seconds=10, clock=clock)
    with progress.task("train", total=30, unit="steps") as task:
        for epoch in range(3):
            for _ in range(10):
                clock.seconds += 0.9
                task.advance()
            progress.line(f"epoch {epoch + 1} of 3")
    lines = stream.getvalue().splitlines()
    assert lines[:3] == ["epoch 1 of 3", "epoch 2 of 3", "epoch 3 of 3"]
    assert lines[3].startswith("train: 30/30 steps, 27 s")


def test_counts_are_whole_and_measures_short():
    stream = io.StringIO()
    with LineProgress(stream).task("decode images", total=1, unit="shards") as task:
        task.advance(images=1600.0, bytes=4_698_112.0, share=0.123456)
    assert stream.getvalue().endswith("images 1,600, bytes 4,698,112, share 0.1235\n")


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (299, "299 s"), (301, "5 min"), (3599, "1 h 0 min"), (19_200, "5 h 20 min")]
)
def test_times_are_worded_as_people_say_them(seconds, words):
    assert duration(seconds) == words


def test_a_task_without_work_still_says_so():
    stream = io.StringIO()
    with LineProgress(stream).task("nothing", total=0, unit="shards"):
        pass
    assert stream.getvalue().startswith("nothing: 0/0 shards")


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_gets_a_bar_and_anything_else_lines():
    assert isinstance(progress_for(Terminal()), BarProgress)
    assert isinstance(progress_for(io.StringIO()), LineProgress)


def test_the_bar_shows_count_unit_and_figures_and_lines_stay_above_it():
    stream, clock = Terminal(), Clock()
    progress = BarProgress(stream, clock=clock)
    progress.line("train@faithful [stage 7 of 13]")
    with progress.task("train", total=40, unit="steps") as task:
        for _ in range(4):
            clock.seconds += 10
            task.advance(10, epoch="1 of 2", loss=2.0)
        progress.line("epoch 1 of 2: training error 50.0 %")
    text = stream.getvalue()
    assert text.startswith("train@faithful [stage 7 of 13]\n")
    assert "40/40 steps" in text
    assert "epoch 1 of 2, loss 2, 1 steps/s" in text
    assert "epoch 1 of 2: training error 50.0 %" in text


@pytest.mark.parametrize("is_terminal", [False, True])
def test_a_terminal_or_a_pipe_that_is_gone_ends_nothing(is_terminal):
    class Gone(io.StringIO):
        def write(self, text):
            raise BrokenPipeError(32, "Broken pipe")

        flush = lambda self: self.write("")  # noqa: E731

        def isatty(self):
            return is_terminal

    progress = progress_for(Gone())
    progress.line("heading")
    with progress.task("train", total=2, unit="steps") as task:
        task.advance(2)
    assert isinstance(progress, BarProgress if is_terminal else LineProgress)
