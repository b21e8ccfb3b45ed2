import base64
import errno
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
import requests
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, ProtocolError

from pipeline.tracking.tracking_uri import probe, tracking_uri, without_password


def test_only_servers_are_probed(tmp_path, free_port):
    assert probe(f"sqlite:///{tmp_path}/x.db") is None
    assert "does not answer" in (probe(f"http://127.0.0.1:{free_port}") or "")


def test_the_store_lies_in_the_repository_unless_the_environment_says_otherwise(tmp_path, monkeypatch):
    assert tracking_uri(tmp_path) == f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracking.example")
    assert tracking_uri(tmp_path) == "http://tracking.example"


def test_a_password_in_the_address_is_sent_and_never_shown(free_port):
    asked = []

    class Guarded(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.headers["Authorization"])
            self.send_response(401)
            self.end_headers()

        def log_message(self, *_):
            pass

    uri = f"http://ann:secret@127.0.0.1:{free_port}"
    told = probe(uri)
    assert (
        told
        == f"http://ann:***@127.0.0.1:{free_port} does not answer ([Errno {errno.ECONNREFUSED}] Connection refused)"
    )
    with ThreadingHTTPServer(("127.0.0.1", free_port), Guarded) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert probe(uri) is None, "it answers, and what it allows shows later"
        server.shutdown()
    assert asked == [f"Basic {base64.b64encode(b'ann:secret').decode()}"]
    assert without_password("https://ann@tracking.example/x") == "https://ann@tracking.example/x"
    assert without_password("at postgresql+psycopg2://u:p/w@h/db.") == "at postgresql+psycopg2://u:***@h/db."
    assert without_password("sqlite:////home/a:b@c/mlflow.db") == "sqlite:////home/a:b@c/mlflow.db"


def test_certificates_are_those_that_mlflow_is_told_of(monkeypatch):
    asked = []

    def get(uri, **options):
        asked.append(options)
        return SimpleNamespace(close=lambda: None)

    monkeypatch.setattr("requests.get", get)
    uri = "https://tracking.example/"
    assert probe(uri) is None
    monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", "/ca.pem")
    monkeypatch.setenv("MLFLOW_TRACKING_CLIENT_CERT_PATH", "/own.pem")
    assert probe(uri) is None
    monkeypatch.setenv("MLFLOW_TRACKING_INSECURE_TLS", "true")
    assert probe(uri) is None
    assert [(each["verify"], each["cert"]) for each in asked] == [
        (True, None), ("/ca.pem", "/own.pem"), (False, "/own.pem"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (requests.ConnectTimeout(MaxRetryError(None, "/", ConnectTimeoutError(None, "timed out"))), "timed out"),
        (requests.ConnectionError(ProtocolError("Connection aborted.", ConnectionResetError(104, "reset"))), "reset"),
        (
            requests.exceptions.ProxyError(
                MaxRetryError(None, "/", OSError("Cannot connect to proxy.", OSError(111, "refused")))
            ),
            "refused",
        ),
        (requests.exceptions.InvalidURL("Invalid URL 'http:///health': No host supplied"), "No host supplied"),
    ],
)
def test_what_keeps_a_server_from_answering_is_a_few_words(monkeypatch, error, told):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("requests.get", fail)
    assert probe("http://tracking.example") == f"http://tracking.example does not answer ({told})"
