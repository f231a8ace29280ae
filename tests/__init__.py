"""The tests. The test of ``package/module.py`` is ``tests/package/test_module.py``; see CONTRIBUTING.md."""
