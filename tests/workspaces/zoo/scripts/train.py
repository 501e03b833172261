import torch

from zoo.registry import MODELS


def main():
    model = MODELS["small"](10)
    print(model(torch.randn(2, 3, 32, 32)).shape)


if __name__ == "__main__":
    main()
