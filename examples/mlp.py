import torch
import torch.nn as nn


class MyModel(nn.Module):
    def __init__(self, input_dim, hidden_dim, output_dim):
        super().__init__()
        self.linear1 = nn.Linear(input_dim, hidden_dim)
        self.relu = nn.ReLU()
        self.linear2 = nn.Linear(hidden_dim, output_dim)

    def forward(self, x):
        x = self.linear1(x)
        x = self.relu(x)
        x = self.linear2(x)
        return x


model = MyModel(input_dim=10, hidden_dim=20, output_dim=5)

for name, param in model.named_parameters():
    print(name, param.shape)

x = torch.randn(32, 10)
output = model(x)
print("input:", x.shape)
print("output:", output.shape)
