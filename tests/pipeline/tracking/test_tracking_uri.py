from pipeline.tracking.tracking_uri import probe, tracking_uri


def test_only_servers_are_probed(tmp_path, free_port):
    assert probe(f"sqlite:///{tmp_path}/x.db") is None
    assert "does not answer" in (probe(f"http://127.0.0.1:{free_port}") or "")


def test_the_store_lies_in_the_repository_unless_the_environment_says_otherwise(tmp_path, monkeypatch):
    assert tracking_uri(tmp_path) == f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracking.example")
    assert tracking_uri(tmp_path) == "http://tracking.example"
