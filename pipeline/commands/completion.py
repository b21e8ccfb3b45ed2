"""What the shell offers when Tab is pressed: the names of this repository, for click's own completion.

Nothing heavy is imported, as a person waits. Outside a repository, or with a params.yaml that is just being edited,
nothing is offered: a prompt has no place for a message.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

import click
from click.shell_completion import BashComplete, CompletionItem, add_completion_class

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _completer(offered: Callable[[Path], Iterable[str | CompletionItem]]) -> Completer:
    """Make what click asks of what the repository in a folder has."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from pipeline.environment.workspace import find_workspace

        try:
            found = list(offered(find_workspace().root))
        except Exception:
            return []
        items = [each if isinstance(each, CompletionItem) else CompletionItem(each) for each in found]
        return [item for item in items if item.value.startswith(incomplete)]

    return complete


def _params(root: Path) -> dict:
    from pipeline.environment.yaml_file import read

    return read(root / "params.yaml")


def entries(section: str) -> Completer:
    """Offer the entries of a section of params.yaml: `variants` or `images`."""
    return _completer(lambda root: _params(root)[section])


@_completer
def overrides(root: Path) -> Iterable[CompletionItem]:
    """Offer the keys of params.yaml; a shell that shows help shows their values."""
    from pipeline.environment.dotted import words

    return [CompletionItem(f"{key}=", help=value) for key, value in words(_params(root)).items()]


@_completer
def experiments(root: Path) -> Iterable[str]:
    """Offer the files of experiments/."""
    from pipeline.config.experiments import names

    return names(root)


@_completer
def pretrained(root: Path) -> Iterable[str]:
    """Offer the models that come with the package."""
    from pipeline.results.pretrained import names

    return names(root)


@_completer
def _stages(root: Path) -> Iterable[str]:
    from pipeline.stages.table import all_items

    return [item.address for item in all_items(_params(root))]


def claims(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the stages, such as train@optimized, or files where no stage begins so."""
    return _stages(ctx, param, incomplete) or [CompletionItem(incomplete, type="file")]


class _Bash(BashComplete):
    """Bash without the space after `KEY=`, where the value follows."""

    source_template = BashComplete.source_template.replace(
        "COMPREPLY+=($value)", "COMPREPLY+=($value)\n            [[ $value == *= ]] && compopt -o nospace"
    )


add_completion_class(_Bash)
