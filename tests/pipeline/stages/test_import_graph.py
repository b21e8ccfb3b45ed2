from pipeline.stages.import_graph import code_closure


def test_the_closure_follows_imports_of_every_form(tmp_path):
    sources = {
        "components/__init__.py": '"""Doc."""',
        "components/a.py": "import numpy\nfrom alexnet_tf import b\nfrom components.sources.c import x\n",
        "components/sources/c.py": "def f():\n    import alexnet_tf.d as d\n",
        "components/unused.py": "",
        "alexnet_tf/b.py": "from . import e\nfrom .f import y\n",
        "alexnet_tf/d.py": "import components.a\n",
        "alexnet_tf/e.py": "",
        "alexnet_tf/f.py": "if TYPE_CHECKING:\n    from alexnet_tf.g import z\n",
        "alexnet_tf/g.py": "",
    }
    for name, text in sources.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    expected = sorted(set(sources) - {"components/unused.py", "components/__init__.py"})
    assert code_closure(tmp_path, ["components/a.py"]) == expected
