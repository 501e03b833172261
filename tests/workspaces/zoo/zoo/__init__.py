from .blocks import *
from .nets import SmallNet
