from torch import nn


class DeepNet(nn.Module):
    pass
