"""The command `alexnet`, also as `python -m pipeline` where it is not installed."""

import sys

from alexnet_tf.errors import how_to_install

_OWN = ("alexnet_tf", "components", "pipeline")


def main() -> None:
    """Run the command line, or say what brings it where only the library is installed."""
    try:
        from pipeline.cli import main as command_line

        command_line()
    except ModuleNotFoundError as error:
        if not error.name or error.name.partition(".")[0] in _OWN:
            raise
        sys.exit(
            f"error: alexnet: the module {error.name}, which the pipeline needs, is not installed; "
            f"install the extra, {how_to_install('pipeline')}"
        )


if __name__ == "__main__":
    main()
