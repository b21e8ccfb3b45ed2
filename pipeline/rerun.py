"""Runs one stage and records nothing: `python -m pipeline.rerun ADDRESS`."""

import sys

from alexnet_tf.errors import AlexNetError
from pipeline.config import PARAMS_FILE, load
from pipeline.graph import all_items
from pipeline.interruption import Interrupted
from pipeline.progress import progress_for
from pipeline.quiet_tensorflow import quiet_tensorflow
from pipeline.runner import run_stage
from pipeline.workspace import find_workspace


def main() -> int:
    """Run the stage that is named."""
    quiet_tensorflow()
    workspace = find_workspace()
    try:
        config = load(workspace.root / PARAMS_FILE)
        item = next(each for each in all_items(config.values) if each.address == sys.argv[1])
        run_stage(workspace, config, item, progress=progress_for())
    except (AlexNetError, Interrupted) as error:
        print(error, file=sys.stderr)
        return error.exit_code if isinstance(error, Interrupted) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
