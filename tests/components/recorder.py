"""A tracker and a progress display that keep what a stage reports to them."""

from components.interfaces import SilentProgress, SilentTracker


class RecordingTracker(SilentTracker):
    """Keeps everything; `break_at`: the step at whose figures it interrupts the training, as Ctrl-C would.

    `values` has the last value of each name, `by_step` one (step, values) for each call, `steps` the value of each
    name at each step, and `files` the artifacts, each as folder/name.
    """

    def __init__(self, break_at: int = 0):
        self.values, self.by_step, self.steps, self.files = {}, [], {}, []
        self.break_at = break_at

    def metrics(self, values, *, step=None):
        self.values |= values
        self.by_step.append((step, dict(values)))

    def step_metrics(self, values, *, first):
        if first == self.break_at:
            raise KeyboardInterrupt
        for name, figures in values.items():
            self.steps.setdefault(name, {}).update(enumerate(figures, start=first))

    def artifact(self, path, *, folder=""):
        assert path.is_file()
        self.files.append(f"{folder}/{path.name}")


class RecordingProgress(SilentProgress):
    """Keeps the lines that stay."""

    def __init__(self):
        self.lines = []

    def line(self, text):
        self.lines.append(text)
