from benchmarks import results


def test_results_are_read_as_they_were_written_and_a_search_runs_in_a_process_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "FOLDER", tmp_path / "results")
    monkeypatch.setattr(results, "describe", lambda: ["a machine", "its versions"])
    text = results.write("one", [{"a": 1, "b": "x, y"}, {"a": 2, "b": ""}])
    assert text == '# a machine\n# its versions\na,b\n1,"x, y"\n2,\n'
    assert results.load("one") == (["a machine", "its versions"], [{"a": "1", "b": "x, y"}, {"a": "2", "b": ""}])
    results.write("two", [{"a": 1, "machine": "another"}])
    assert results.load("two") == ([], [{"a": "1", "machine": "another"}])
    assert results.load("none") == ([], [])
    found = results.in_own_process("benchmarks.near_copies", "search", 1000, 4)
    assert found["found"] == 10
    assert found["mib"] > 1
