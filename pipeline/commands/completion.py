"""What the shell offers when Tab is pressed: the names of this repository, for click's own completion.

Nothing heavy is imported, as a person waits. Outside a repository only the names for `--pretrained` are offered, and
nothing from a params.yaml that cannot be read, as one that is being edited: a prompt has no place for a message.
"""

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import click
from click.shell_completion import BashComplete, CompletionItem, add_completion_class, split_arg_string

from pipeline.environment.workspace import root_or_here
from pipeline.stages.table import PARAMS_FILE, all_items

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _completer(offered: Callable[[Path], Iterable[str | CompletionItem]]) -> Completer:
    """Make what click asks of what the repository in a folder has."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        try:
            found = list(offered(root_or_here()))
        except Exception:
            return []
        items = [each if isinstance(each, CompletionItem) else CompletionItem(each) for each in found]
        return [item for item in items if item.value.startswith(incomplete)]

    return complete


def _params(root: Path) -> dict:
    from pipeline.environment.yaml_file import read

    return read(root / PARAMS_FILE)


def entries(section: str) -> Completer:
    """Offer the entries of a section of params.yaml: `variants` or `images`."""
    return _completer(lambda root: _params(root)[section])


def _values(root: Path) -> dict[str, str]:
    from pipeline.environment.dotted import words

    return words(_params(root))


@_completer
def _keys(root: Path) -> Iterable[CompletionItem]:
    return [CompletionItem(f"{key}=", help=value) for key, value in _values(root).items()]


@_completer
def _settings(root: Path) -> Iterable[str]:
    return [f"{key}={value}" for key, value in _values(root).items() if re.fullmatch(r"[\w.+-]+", value)]


def overrides(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the keys of params.yaml, after KEY= its value; a shell that shows help shows it before."""
    return (_settings if "=" in incomplete else _keys)(ctx, param, incomplete)


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

    return [item.address for item in all_items(_params(root))]


def claims(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the stages, such as train@optimized, or files where no stage begins so."""
    return _stages(ctx, param, incomplete) or [CompletionItem(incomplete, type="file")]


class _Bash(BashComplete):
    """Bash, which divides train@optimized and seed=7 into words and puts what is offered after the last `@` or `=`.

    After `KEY=` there is no space, as the value follows.
    """

    source_template = BashComplete.source_template.replace(
        "env COMP_WORDS=", 'env COMP_LINE="${COMP_LINE:0:COMP_POINT}" COMP_WORDBREAKS="$COMP_WORDBREAKS" COMP_WORDS='
    ).replace("COMPREPLY+=($value)", 'COMPREPLY+=("$value")\n            [[ $value == *= ]] && compopt -o nospace')

    _in_place = 0

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before the cursor, and the beginning of the one at it."""
        line = os.environ["COMP_LINE"]
        words = split_arg_string(line)
        incomplete = "" if line[-1:].isspace() else words.pop()
        breaks = set(os.environ["COMP_WORDBREAKS"]) & set("@=:")
        if line.split()[-1][0] not in "'\"":  # in quotes, bash divides nothing
            self._in_place = max((incomplete.rfind(each) + 1 for each in breaks), default=0)
        return words[1:], incomplete

    def format_completion(self, item: CompletionItem) -> str:
        """Return what bash is to put in place of the part that it sees."""
        return f"{item.type},{item.value[self._in_place :]}"


add_completion_class(_Bash)
