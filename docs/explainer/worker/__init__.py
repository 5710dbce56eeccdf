"""What the page asks of Python: the reader's cell, its picture, its numbers, its training.

It runs in the page's worker under Pyodide, and natively in the tests; nothing here knows of either.
"""
