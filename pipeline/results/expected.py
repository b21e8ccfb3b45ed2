"""Says whether a run came out as expected: what it measured, beside what is committed and what other machines gave.

Two claims are in Git: HEAD's dvc.lock with its metrics.json, and the results in results/, of the same parameters and
images on other machines and with other seeds. A run on the same kind of machine repeats the former bit by bit. On
another kind of processor sums round differently, and training carries that on as it would another seed. So an error is
expected within the span of the 95 % prediction intervals of all these runs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from alexnet_tf.errors import AlexNetError, DataError
from alexnet_tf.metrics.significance import wilson_interval
from alexnet_tf.metrics.top_k import VIEW_NAMES
from alexnet_tf.text_tables import aligned
from alexnet_tf.wording import percent, percent_range
from pipeline.config.experiments import active_name
from pipeline.config.load import Config, params_as_written
from pipeline.environment.git import changed_files, is_in_repository, problem
from pipeline.environment.provenance import this_machine, words_of
from pipeline.environment.typed import typed
from pipeline.environment.workspace import Workspace
from pipeline.results.kept import FOLDER, Result, load
from pipeline.stages.claims import changed_claim, claimed_lock, claimed_metrics
from pipeline.stages.dvc_cache import holds
from pipeline.stages.dvc_lock import LOCK_FILE, Lock, read_lock
from pipeline.stages.table import DATASET, EVALUATIONS, METRICS_FILE, PARAMS_FILE, ancestors
from pipeline.tracking.run_descriptions import row_params

Verdict = Literal["bit-identical", "as expected", "not as expected", "nothing to compare with", "out of date"]

_CONFIDENCE = 0.95
# Parameters that no error depends on; of the last, older results had what is validate.max_corrupt_share now.
_WITHOUT_EFFECT = ("validate.", "evaluation.", "gate.", "export.", "preprocess.max_rejected_share")


@dataclass(frozen=True)
class Expected:
    """One top-1 error on the test split, fractions in [0, 1].

    Attributes:
        variant: Of which network.
        view: `ten_crop` or `center`.
        here: What this run measured.
        committed: What HEAD's metrics.json claims of the same parameters; None where it claims nothing.
        others: What the kept runs of the same parameters measured.
        low: Low end of the expected range; None where there is nothing to compare with.
        high: High end.
    """

    variant: str
    view: str
    here: float
    committed: float | None
    others: Sequence[float]
    low: float | None
    high: float | None

    @property
    def fits(self) -> bool:
        """Whether the error is in the expected range, or none is known."""
        return self.low is None or self.high is None or self.low <= self.here <= self.high


@dataclass(frozen=True)
class Outcome:
    """How a run came out.

    Attributes:
        verdict: In two or three words.
        sentence: The verdict and why.
        errors: One entry a variant and view.
        machine: The processor of this machine, with the number of its cores, and GPUs beside it.
        committed_on: The same of the committed run; "" where no kept result tells.
        others_on: The same of the kept runs.
        tree: Why the tree is not clean and what to do about it; "" where dvc.lock and metrics.json are HEAD's.
    """

    verdict: Verdict
    sentence: str
    errors: Sequence[Expected] = ()
    machine: str = ""
    committed_on: str = ""
    others_on: Sequence[str] = ()
    tree: str = ""

    def lines(self) -> list[str]:
        """The outcome as text: a table, the processors, the state of the tree, and the verdict last."""
        lines = []
        if any(each.low is not None for each in self.errors):
            header = ["top-1 error", "here", "committed", "other runs", "expected"]
            lines += [*aligned([header, *(_cells(each) for each in self.errors)]), f"here:         {self.machine}"]
            lines += [f"committed:    {self.committed_on}"] * bool(self.committed_on)
            lines += [f"other runs:   {'; '.join(self.others_on)}"] * bool(self.others_on)
            lines += [
                "expected:     the span of the 95 % prediction intervals of these runs, for as many new images",
                "",
            ]
        return [*lines, *[self.tree] * bool(self.tree), self.sentence]


def outcome(workspace: Workspace, config: Config, comparison: Mapping[str, Any]) -> Outcome:
    """Compare the run that is here with what is committed.

    Args:
        workspace: With the outputs of a run.
        config: Of the current parameters.
        comparison: What `compare` wrote of it.

    Raises:
        DataError: A kept result is none.
    """
    root = workspace.root
    params = params_as_written(root)
    lock, claim = read_lock(root), claimed_lock(root)
    compare = config.item("compare")
    compared = [*ancestors(compare, config.values), compare]  # `alexnet promote` leaves the exports behind, not errors
    stale = [item.address for item in compared if not lock.is_current(root, item, params)]
    if stale:
        told = f"{', '.join(stale)} {'is' if len(stale) == 1 else 'are'} out of date"
        return Outcome("out of date", f"not compared with the committed run: {told}; run `{typed('dvc repro')}` first")
    metrics = claimed_metrics(root)
    errors, others, committed_on = [], [], ""
    for variant in comparison["variants"]:
        evaluate = config.item("evaluate", variant)
        chain = [*ancestors(evaluate, config.values), evaluate]
        claimed = metrics.get(variant) if all(claim.has_params(item, params) for item in chain) else None
        kept = [each for each in _kept(workspace, config, variant) if _is_of_data(each, lock)]
        same = [each for each in kept if _is_claimed(each, claim)]
        committed_on = committed_on or next((each.machine for each in same), "")
        rest = [each for each in kept if each not in same] if claimed else kept
        others += rest
        errors += [_expected(comparison, variant, view, claimed, rest) for view in VIEW_NAMES]
    verdict, sentence = _verdict(workspace, errors, lock.hashes, claim.hashes)
    others_on = tuple(sorted({each.machine for each in others}))
    here = words_of(this_machine(root))
    return Outcome(verdict, sentence, errors, here, committed_on, others_on, _tree(workspace, claim))


def _expected(
    comparison: Mapping[str, Any], variant: str, view: str, claimed: Mapping[str, Any] | None, kept: Sequence[Result]
) -> Expected:
    others = [each.metrics[f"test/{view}/top1_error"] for each in kept]
    committed_error = claimed["evaluate"][view]["top1_error"] if claimed else None
    runs = others if committed_error is None else [committed_error, *others]
    # Two runs differ with twice the variance of one, so what one predicts of another is Wilson's interval of half as
    # many images. It is meant for new images, so it is wide for the same ones: it finds faults, not small changes.
    half = max(1, comparison["num_examples"] // 2)
    intervals = [wilson_interval(error, half, confidence=_CONFIDENCE) for error in runs]
    return Expected(
        variant=variant,
        view=view,
        here=comparison["errors"][variant][view]["top1_error"]["value"],
        committed=committed_error,
        others=others,
        low=min((low for low, _ in intervals), default=None),
        high=max((high for _, high in intervals), default=None),
    )


def _verdict(
    workspace: Workspace, errors: Sequence[Expected], found: Mapping[str, str], claimed: Mapping[str, str]
) -> tuple[Verdict, str]:
    if found == claimed:
        return "bit-identical", (
            f"bit-identical to the committed run: all {len(found)} outputs have the hashes of HEAD's {LOCK_FILE}"
        )
    known = [each for each in errors if each.low is not None]
    unknown = sorted({each.variant for each in errors} - {each.variant for each in known})
    nothing = f"no committed run to compare {' and '.join(unknown)} with: {_why_none(workspace)}" if unknown else ""
    if not known:
        return "nothing to compare with", nothing
    rest = f"; {nothing}" if unknown else ""
    if wrong := [each for each in known if not each.fits]:
        told = ", ".join(
            f"{each.variant} has a top-1 error of {percent(each.here)} ({VIEW_NAMES[each.view]}), "
            f"expected {_range(each)}"
            for each in wrong
        )
        return "not as expected", f"not as expected: {told}; {_way_out(workspace, wrong)}{rest}"
    if all(each.here == each.committed for each in known):
        differing = sorted(path for path in {*found, *claimed} if found.get(path) != claimed.get(path))
        why = f"the errors are those of the committed run, but the bytes of {', '.join(differing)} differ"
    else:
        why = "every top-1 error is within the range of other runs with these parameters"
    return "as expected", f"as expected: {why}{rest}"


def _why_none(workspace: Workspace) -> str:
    if broken := problem(workspace.root):
        return f"{broken.told}; the way out: {broken.fix}"
    if not is_in_repository(workspace.root):
        return f"there is no Git repository; `git init`, `{typed('alexnet setup')}` and a commit make this run one"
    return f"none has these parameters; a commit of {LOCK_FILE} and {METRICS_FILE} makes this run one"


def _way_out(workspace: Workspace, wrong: Sequence[Expected]) -> str:
    if changed := changed_files(workspace.root):
        told = f"{', '.join(changed)} differ{'s' if len(changed) == 1 else ''} from HEAD"
        return f"{told}; `git stash -u` and `{typed('dvc repro')}` show whether that is the cause"
    return (
        f"`{typed('alexnet doctor')}` checks this environment, and "
        f"`{typed(f'alexnet verify train@{wrong[0].variant}')}` shows whether a second training gives the same result"
    )


def _tree(workspace: Workspace, claim: Lock) -> str:
    root = workspace.root
    if not (changed := changed_claim(root)):
        return ""
    params = changed_files(root, (PARAMS_FILE,))
    files = " ".join([*params, *changed])
    describes = "describe" if len(changed) > 1 else "describes"
    edited = f", and {PARAMS_FILE} differs, too" if params else ""
    outputs = [digest for path, digest in claim.hashes.items() if path != METRICS_FILE]  # which DVC does not cache
    bring = "restores the committed files (DVC's cache lacks the outputs)"
    if holds(workspace, outputs):
        bring = f"and then `{typed('dvc checkout --force')}` restore the committed one"
    return (
        f"{' and '.join(changed)} now {describes} this run instead of the committed one{edited}. `git restore {files}` "
        f"{bring}; `git commit {files}` keeps this one."
    )


def _kept(workspace: Workspace, config: Config, variant: str) -> list[Result]:
    """The kept results of a variant's parameters, whatever the seed."""
    try:
        found = load(workspace.root / FOLDER / active_name(workspace))
    except DataError:
        raise
    except AlexNetError:  # none is kept, or params.yaml is no experiment's
        return []
    own = _decisive(row_params(config.values, variant))
    return [each for each in found if each.variant == variant and _decisive(_known(each, own)) == own]


def _is_of_data(result: Result, lock: Lock) -> bool:
    """Whether a kept result is of the images that are here, as far as it tells; those of the sample follow the seed."""
    return result.outs.get(DATASET) in (None, lock.hashes.get(DATASET))


def _known(result: Result, own: Mapping[str, str]) -> dict[str, str]:
    """The parameters of a result; of those that came later only what this network has."""
    return {name: word for name, word in result.params.items() if name in own or name in result.row["params"]}


def _decisive(params: Mapping[str, str]) -> dict[str, str]:
    return {name: word for name, word in params.items() if name != "seed" and not name.startswith(_WITHOUT_EFFECT)}


def _is_claimed(result: Result, claim: Lock) -> bool:
    """Whether a kept result is the run that a dvc.lock describes."""
    path = f"{EVALUATIONS}/{result.variant}"
    return path in result.outs and result.outs[path] == claim.hashes.get(path)


def _cells(each: Expected) -> list[str]:
    spread = sorted(each.others)
    others = "" if not spread else percent(spread[0])
    if spread and spread[-1] != spread[0]:
        others = percent_range(spread[0], spread[-1])
    committed_error = "" if each.committed is None else percent(each.committed)
    return [f"{each.variant}, {VIEW_NAMES[each.view]}", percent(each.here), committed_error, others, _range(each)]


def _range(each: Expected) -> str:
    return "" if each.low is None or each.high is None else percent_range(each.low, each.high)
