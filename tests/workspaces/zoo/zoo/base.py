from torch import nn as layers

Root = layers.Module


class Base(Root):
    pass
