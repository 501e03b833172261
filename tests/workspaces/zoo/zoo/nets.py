import torch.nn as nn

from .base import Base
from .blocks import Block


class SmallNet(Base):
    def __init__(self, classes=10):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3)
        self.block = Block(8)
        self.head = nn.Linear(8, classes)

    def forward(self, image):
        return self.head(self.block(self.stem(image)).mean((2, 3)))


def small_net(classes):
    return SmallNet(classes)
