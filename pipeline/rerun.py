"""Runs one stage of the current folder and records nothing: `python -m pipeline.rerun ADDRESS [KEY=VALUE …]`."""

import sys

from alexnet_tf.errors import AlexNetError
from pipeline.config.load import workspace_and_config
from pipeline.environment.interruption import Interrupted
from pipeline.environment.lean_imports import lean_imports
from pipeline.environment.progress import progress_for
from pipeline.runner import run_stage


def main() -> int:
    """Run the stage that is named."""
    lean_imports()
    address, *changes = sys.argv[1:]
    try:
        workspace, config = workspace_and_config(changes)
        stage, _, entry = address.partition("@")
        run_stage(workspace, config, config.item(stage, entry), progress=progress_for())
    except (AlexNetError, Interrupted) as error:
        print(error, file=sys.stderr)
        return error.exit_code if isinstance(error, Interrupted) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
