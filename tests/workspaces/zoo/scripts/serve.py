import importlib


def load(name):
    return importlib.import_module("zoo." + name)


if __name__ == "__main__":
    load("deep")
