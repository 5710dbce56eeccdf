"""Drawing a laid-out picture as SVG: a `Drawing` calls its painters in order.

`scene.py` is what painters read, `canvas.py` what they draw on. `descents.py` and `look.py` find
where gradients vanish and say it in a sentence; `saving.py` writes files.
"""
