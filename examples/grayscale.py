import torch
import torch.nn as nn


class ImageNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, kernel_size=3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.fc = nn.Linear(16 * 14 * 14, 10)

    def forward(self, x):
        x = self.pool(torch.relu(self.conv1(x)))
        x = x.flatten(1)
        return self.fc(x)


model = ImageNet()
image = torch.randn(1, 1, 28, 28)  # one grayscale image
print("weights of conv1:", model.conv1.weight.shape)
print(model(image).shape)
