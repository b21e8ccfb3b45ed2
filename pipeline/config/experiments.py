"""Making one of the files in experiments/ the active params.yaml, and telling what was changed since."""

import contextlib
import difflib
import json
import re
from collections.abc import Mapping
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

from alexnet_tf.dotted_keys import flatten
from alexnet_tf.errors import AlexNetError, ConfigError
from alexnet_tf.nearest import nearest
from alexnet_tf.profiles import resolve
from pipeline.config.load import PARAMS_FILE, check
from pipeline.config.local_params import DEFAULTS_FILE, defaults, require_text, with_source_folder
from pipeline.config.schema import RuntimeParams
from pipeline.environment.git import is_committed
from pipeline.environment.workspace import Workspace
from pipeline.environment.yaml_file import parse, read, shown


def names(root: Path) -> list[str]:
    """Name the experiments, sorted; hidden files, as editors and macOS make them, are none."""
    return sorted(path.stem for path in (root / "experiments").glob("[!.]*.yaml"))


def text_of(root: Path, name: str) -> str:
    """Read one experiment.

    Raises:
        ConfigError: There is no such experiment, or it is not UTF-8 text.
    """
    known = names(root)
    if name not in known:
        raise ConfigError(
            f"use: no experiment {name!r} in experiments/, which has {', '.join(known)}{nearest(name, known)}"
        )
    try:
        return (root / "experiments" / f"{name}.yaml").read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"experiments/{name}.yaml: expected UTF-8 text, found other bytes; save it as UTF-8"
        ) from error


class Described(NamedTuple):
    """One of the experiments.

    Attributes:
        name: Of its file.
        about: What its first line says.
        active: Whether the active params.yaml started from it.
    """

    name: str
    about: str
    active: bool


def described(root: Path) -> list[Described]:
    """Describe all experiments, in the order of their names."""
    path = root / PARAMS_FILE
    active = named_experiment(root, path.read_text(encoding="utf-8", errors="replace")) if path.exists() else None
    found = []
    for name in names(root):
        first = text_of(root, name).partition("\n")[0].lstrip("# ")
        found.append(Described(name, first.removeprefix(f"EXPERIMENT {name}: "), name == active))
    return found


class Applied(NamedTuple):
    """What `alexnet use` makes of params.yaml.

    Attributes:
        old: Its text as it is, "" if it is missing.
        new: Its text as the experiment makes it; it names no folder of this machine.
        source_folder: What belongs in params.local.yaml as `runtime.source_folder`; None changes nothing there.
    """

    old: str
    new: str
    source_folder: str | None


def applied(workspace: Workspace, name: str, source_folder: str | None, force: bool = False) -> Applied:
    """Make an experiment the content of params.yaml, checked; nothing is written.

    The section `runtime` describes this machine, so the active one stays where the experiment has none; where there
    is no active one, pipeline/config/runtime.yaml takes its place. A source folder that the active one names moves to
    params.local.yaml.

    Args:
        workspace: The project.
        name: The experiment.
        source_folder: Folder of data sets; None leaves that as it is.
        force: Let pipeline/config/runtime.yaml take the place of a broken section `runtime`, too.

    Raises:
        ConfigError: The experiment is unknown, the folder's name no text, or what comes out no valid params.yaml.
    """
    path = workspace.root / PARAMS_FILE
    old = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    new = text_of(workspace.root, name)
    if not _section(new, "runtime"):
        runtime = _section(old, "runtime")
        if runtime and not _is_runtime(runtime) and not force:
            raise ConfigError(
                f"{PARAMS_FILE}: its section `runtime`, which experiment {name} would keep, is invalid; "
                "correct it, or add --force for a new one"
            )
        if not _is_runtime(runtime):
            runtime = DEFAULTS_FILE.read_text(encoding="utf-8")
        named = parse(runtime, PARAMS_FILE)["runtime"]["source_folder"]
        if source_folder is None and named not in (None, defaults()["source_folder"]):
            source_folder = named
        new = new.rstrip("\n") + "\n\n" + runtime
    if source_folder is not None:
        require_text(source_folder)
        new = with_source_folder(new, defaults()["source_folder"], f"experiments/{name}.yaml")
    content = parse(new, f"experiments/{name}.yaml")
    if not isinstance(content, dict):
        raise ConfigError(f"experiments/{name}.yaml: expected sections, found {shown(content)}")
    check(content, name=f"experiments/{name}.yaml")
    return Applied(old, new, source_folder)


def _section(text: str, name: str) -> str:
    """Cut one top-level section out of YAML text, "" where there is none."""
    found = re.search(rf"^{name}:.*\n(?:(?:[ \t#].*)?\n)*", text + "\n", re.MULTILINE)
    return found[0].rstrip("\n") + "\n" if found else ""


def _is_runtime(section: str) -> bool:
    try:
        RuntimeParams.model_validate_json(json.dumps(parse(section, PARAMS_FILE)["runtime"]))
    except (ConfigError, ValueError, TypeError):
        return False
    return True


def require_no_edits(workspace: Workspace, old: str) -> None:
    """Refuse to lose edits of params.yaml that are neither committed nor an experiment.

    Raises:
        AlexNetError: Overwriting `old` would lose them.
    """
    if not old or _is_experiment(workspace.root, old):
        return
    if not is_committed(workspace.root, PARAMS_FILE):
        raise AlexNetError(
            f"{PARAMS_FILE} has edits that are neither committed nor in experiments/; "
            "commit it, copy it to experiments/NAME.yaml, or add --force to discard them"
        )


def _is_experiment(root: Path, text: str) -> bool:
    """Whether all but the section `runtime` equals an experiment, comments aside; a broken one equals nothing."""
    content = _without_runtime(text)
    return content is not None and any(_of_experiment(root, name) == content for name in names(root))


def _of_experiment(root: Path, name: str) -> dict[str, Any] | None:
    try:
        return _without_runtime(text_of(root, name))
    except ConfigError:
        return None


def _without_runtime(text: str) -> dict[str, Any] | None:
    try:
        content = parse(text, PARAMS_FILE)
    except ConfigError:
        return None
    return {key: value for key, value in content.items() if key != "runtime"} if isinstance(content, dict) else None


def heading(text: str) -> list[str]:
    """Return the comment that an experiment begins with: what it runs, what that costs, what to expect."""
    return [line.removeprefix("#").strip() for line in takewhile(lambda line: line.startswith("#"), text.splitlines())]


def difference(old: str, new: str, name: str) -> list[str]:
    """Compare two texts line by line, as `diff -u` does."""
    file = f"experiments/{name}.yaml"
    return list(difflib.unified_diff(old.splitlines(), new.splitlines(), PARAMS_FILE, file, n=1, lineterm=""))


def active_name(workspace: Workspace) -> str:
    """Name the experiment that the active params.yaml started from.

    Raises:
        AlexNetError: Its first line names none.
    """
    name = named_experiment(workspace.root, (workspace.root / PARAMS_FILE).read_text(encoding="utf-8"))
    if name is None:
        raise AlexNetError(
            f"{PARAMS_FILE}: the first line names no experiment (expected `# EXPERIMENT NAME: …`), so the result "
            "could not be started again; copy it to experiments/NAME.yaml and `alexnet use NAME`"
        )
    return name


def named_experiment(root: Path, text: str) -> str | None:
    """Name the experiment in the first line of a params.yaml; None if that names none of experiments/."""
    name = text.partition("\n")[0].removeprefix("# EXPERIMENT ").partition(":")[0]
    return name if name in names(root) else None


def changes(workspace: Workspace, experiment: str, variant: str) -> dict[str, Any]:
    """Return what params.yaml has other than its experiment, by dotted key; other variants and `runtime` aside."""
    return changes_of(workspace.root, experiment, variant, read(workspace.root / PARAMS_FILE))


def changes_of(root: Path, experiment: str, variant: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """Return as `changes` does what the sections of a params.yaml have other than an experiment.

    A profile's values are those of the profile that `content` names, so another profile is one change. Of `images` only
    the entry counts that the variant is fed.
    """
    file = parse(text_of(root, experiment), experiment)
    own = content["variants"][variant]
    profile, fed = own.get("profile"), own.get("images")
    active, original = (_of_variant(each, variant, profile, fed) for each in (content, file))
    named = file["variants"].get(variant, {}).get("profile")
    original |= {f"variants.{variant}.profile": named} if named else {}
    return {key: value for key, value in active.items() if key not in original or original[key] != value}


def not_settable(root: Path, experiment: str, variant: str, content: Mapping[str, Any]) -> str:
    """Name a key of a params.yaml that `-S` cannot bring into its experiment, or take out of it; "" if there is none.

    Args:
        root: Folder of the repository.
        experiment: Where it started from.
        variant: The variant; the keys of other ones do not matter.
        content: Its sections.
    """
    original = parse(text_of(root, experiment), experiment)
    fed = content["variants"][variant].get("images")
    keys, known = (_of_variant(each, variant, None, fed).keys() for each in (content, original))
    return next(iter(sorted(keys ^ known)), "")


def require_settable(workspace: Workspace, experiment: str, variant: str) -> None:
    """Refuse a params.yaml that its experiment and `-S` cannot bring back.

    Raises:
        AlexNetError: It has a key that the experiment lacks, or lacks one that it has.
    """
    if wrong := not_settable(workspace.root, experiment, variant, read(workspace.root / PARAMS_FILE)):
        raise AlexNetError(
            f"{PARAMS_FILE}: {wrong} is not in both it and experiments/{experiment}.yaml, so the result of {variant} "
            "could not be started again from there; copy it to experiments/NAME.yaml and `alexnet use NAME`"
        )


def _of_variant(content: Mapping[str, Any], variant: str, profile: str | None, fed: str | None) -> dict[str, Any]:
    sections = {name: section for name, section in content.items() if name != "runtime"}
    own = dict(content["variants"].get(variant, {}))
    with contextlib.suppress(ConfigError):  # it follows a profile that has no value for that switch: the word stays
        own = resolve(own | {"profile": profile}) if profile and own else own
    images = {name: entry for name, entry in content.get("images", {}).items() if name == fed}
    return flatten(sections | {"images": images, "variants": {variant: own}})
