import apache_beam as beam
import pytest

from components.beam.guard import require_single_chain


class Bundled(beam.DoFn):
    def process(self, element):
        yield element

    def finish_bundle(self):
        yield beam.utils.windowed_value.WindowedValue(0, 0, [])


class Tagged(beam.DoFn):
    def process(self, element):
        yield beam.pvalue.TaggedOutput("odd", element)


def two_ends(numbers):
    numbers | "one" >> beam.Map(print)
    numbers | "two" >> beam.Map(print)


def side_input(numbers):
    numbers | beam.Map(lambda x, y: x, beam.pvalue.AsList(numbers))


REFUSED = {
    "has a finish_bundle": lambda numbers: numbers | beam.ParDo(Bundled()),
    "has tagged outputs": lambda numbers: numbers | beam.ParDo(Tagged()).with_outputs("odd", main="even"),
    "is used twice": two_ends,
    "has side inputs": side_input,
    "finish_bundle": lambda numbers: numbers | beam.BatchElements(2, 4),
    "tagged outputs": lambda numbers: numbers | beam.Map(str).with_exception_handling(),
    "": lambda numbers: numbers | beam.Map(str) | beam.io.WriteToText("/nowhere/x"),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_dask_would_get_wrong_is_refused(reason):
    pipeline = beam.Pipeline(runner="FnApiRunner")
    REFUSED[reason](pipeline | beam.Create([1, 2, 3]))
    with pytest.raises(ValueError, match=rf"one chain, which every runner carries out; .*{reason}"):
        require_single_chain(pipeline)


def test_a_read_of_its_own_and_a_second_source_are_refused():
    pipeline = beam.Pipeline(runner="FnApiRunner")
    pipeline | beam.io.ReadFromText("/nowhere/*", validate=False)
    with pytest.raises(ValueError, match="ReadFromText/Read reads by itself"):
        require_single_chain(pipeline)
    pipeline = beam.Pipeline(runner="FnApiRunner")
    pipeline | "a" >> beam.Create([1]) | "b" >> beam.Map(print)
    pipeline | "c" >> beam.Create([1]) | "d" >> beam.Map(print)
    with pytest.raises(ValueError, match=r"it has 2 ends \(b, d\)"):
        require_single_chain(pipeline)


def test_one_chain_passes():
    pipeline = beam.Pipeline(runner="FnApiRunner")
    pipeline | beam.Create([1, 2]) | beam.Map(str) | beam.Reshuffle() | "again" >> beam.Map(print)
    require_single_chain(pipeline)
