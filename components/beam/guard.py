"""Refuses Beam graphs that some runner would carry out wrongly without a word.

The Dask runner of Beam 2.77 loses what `finish_bundle` emits, hands every tagged output to every consumer, runs one
sink of two, and runs what is upstream of a side input twice; on threads of this process it also doubles sums and
groups. One chain of plain steps, on workers that are processes, is carried out alike everywhere.
"""

from apache_beam import Create, DoFn, ParDo, Pipeline, Reshuffle
from apache_beam.io.iobase import Read
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.pipeline import AppliedPTransform, PipelineVisitor


def require_single_chain(pipeline: Pipeline) -> None:
    """Check a pipeline before it runs.

    Args:
        pipeline: Whole.

    Raises:
        ValueError: When a step has several outputs, side inputs or a `finish_bundle`, when it reads by itself, when
            what it makes is used twice, or when the pipeline has two ends.
    """
    visitor = _Visitor()
    pipeline.visit(visitor)
    ends = [label for made, label in visitor.made.items() if made not in visitor.used]
    if len(ends) > 1:
        visitor.refused.append(f"it has {len(ends)} ends ({', '.join(sorted(ends))})")
    if visitor.refused:
        raise ValueError(f"Expected a Beam graph of one chain, which every runner carries out; {visitor.refused[0]}.")


def require_processes(options: PipelineOptions) -> None:
    """Check a runner's options.

    Raises:
        ValueError: When they name a Dask cluster inside this process.
    """
    address = options.get_all_options().get("address")  # of Dask alone
    if str(address).startswith("inproc:"):
        raise ValueError(
            f"a Dask cluster inside this process ({address}) counts things twice; name one with worker processes"
        )


class _Visitor(PipelineVisitor):
    """Collects what is made and used, and what is wrong; what is inside Create and Reshuffle is the runner's own."""

    def __init__(self):
        self.refused: list[str] = []
        self.made: dict[object, str] = {}
        self.used: set[object] = set()

    def enter_composite_transform(self, transform_node: AppliedPTransform) -> None:
        if isinstance(transform_node.transform, Read) and not _inside(transform_node):
            self.refused.append(f"{transform_node.full_label} reads by itself")

    def visit_transform(self, transform_node: AppliedPTransform) -> None:
        node = transform_node
        for used in node.inputs:
            if used in self.used and not _inside(node):
                self.refused.append(f"what {self.made.get(used, 'a step')} makes is used twice")
            self.used.add(used)
        for made in node.outputs.values():
            self.made[made] = node.full_label
        if _inside(node):
            return
        if len(node.outputs) > 1:
            self.refused.append(f"{node.full_label} has tagged outputs")
        if node.side_inputs:
            self.refused.append(f"{node.full_label} has side inputs")
        if isinstance(node.transform, ParDo) and type(node.transform.fn).finish_bundle is not DoFn.finish_bundle:
            self.refused.append(f"{node.full_label} has a finish_bundle")


def _inside(node: AppliedPTransform) -> bool:
    parent = node.parent
    while parent is not None:
        if isinstance(parent.transform, Create | Reshuffle):
            return True
        parent = parent.parent
    return False
