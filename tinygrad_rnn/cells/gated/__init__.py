"""Cells with gates on one state."""

from .atr import ATRCell
from .brc import BRCell
from .cfn import CFNCell
from .dsgu import DSGUCell
from .intersection import IntersectionRNNCell
from .lightru import LightRUCell
from .ligru import LiGRUCell
from .mgu import MGUCell
from .minimalrnn import MinimalRNNCell
from .miru1 import MiRU1Cell
from .miru2 import MiRU2Cell
from .mut1 import MUT1Cell
from .mut2 import MUT2Cell
from .mut3 import MUT3Cell
from .nbrc import NBRCell
from .ran import RANCell
from .recurrent_highway import RHNCell
from .scrn import SCRNCell
from .sgrn import SGRNCell
from .sgu import SGUCell
from .star import STARCell
from .taugru import tauGRUCell
from .ugrnn import UGRNNCell

__all__ = [
    "ATRCell",
    "BRCell",
    "CFNCell",
    "DSGUCell",
    "IntersectionRNNCell",
    "LiGRUCell",
    "LightRUCell",
    "MGUCell",
    "MUT1Cell",
    "MUT2Cell",
    "MUT3Cell",
    "MiRU1Cell",
    "MiRU2Cell",
    "MinimalRNNCell",
    "NBRCell",
    "RANCell",
    "RHNCell",
    "SCRNCell",
    "SGRNCell",
    "SGUCell",
    "STARCell",
    "UGRNNCell",
    "tauGRUCell",
]
