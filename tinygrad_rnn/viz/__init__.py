"""Pictures of recurrent networks: time from left to right, the gradient against it.

    picture = viz.bptt(model, x)         # or viz.draw(any_tensor)
    picture.save("bptt.svg")

A picture is the layout of a recorded `Graph`. One step is laid out once and stamped along the time
axis. No external program is needed. The code knows no particular cell or op: everything in the
picture is derived from the graph.
"""

from ..language import use_language
from .charts.chart import Chart
from .charts.confusion import plot_confusion
from .charts.history import plot_history
from .charts.plots import plot_connectivity, plot_gates, plot_gradient_flow, plot_ledger
from .gradient.analysis import gates, gradient_flow
from .gradient.connectivity import Connectivity, connectivity
from .gradient.ledger import ledger
from .pictures.comparison import Comparison
from .pictures.dot import to_dot
from .pictures.picture import Picture, bptt, draw
from .pictures.plan import PlanPicture, stages
from .report import names_report, report, training_report
from .show import LESSONS, Show, show

__all__ = [
    "LESSONS",
    "Chart",
    "Comparison",
    "Connectivity",
    "Picture",
    "PlanPicture",
    "Show",
    "bptt",
    "connectivity",
    "draw",
    "gates",
    "gradient_flow",
    "ledger",
    "names_report",
    "plot_confusion",
    "plot_connectivity",
    "plot_gates",
    "plot_gradient_flow",
    "plot_history",
    "plot_ledger",
    "report",
    "show",
    "stages",
    "to_dot",
    "training_report",
    "use_language",
]
