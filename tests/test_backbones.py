"""Published architectures, where they are not installed, have the parameters that are published for them."""

import inspect

import pytest

torch = pytest.importorskip("torch")

from metalens.worker.load import backbones  # noqa: E402
from metalens.worker.load.unknown import Unknown  # noqa: E402

pytestmark = pytest.mark.torch

COUNTS = {
    "alexnet": 61_100_840,
    "vgg11": 132_863_336,
    "vgg16_bn": 138_365_992,
    "vgg19": 143_667_240,
    "resnet18": 11_689_512,
    "resnet50": 25_557_032,
    "resnext50_32x4d": 25_028_904,
    "wide_resnet50_2": 68_883_240,
    "squeezenet1_0": 1_248_424,
    "squeezenet1_1": 1_235_496,
    "densenet121": 7_978_856,
    "densenet161": 28_681_000,
    "googlenet": 6_624_904,
    "inception_v3": 27_161_264,
    "mobilenet_v2": 3_504_872,
    "mobilenet_v3_large": 5_483_032,
    "mobilenet_v3_small": 2_542_856,
    "shufflenet_v2_x1_0": 2_278_604,
    "efficientnet_b0": 5_288_548,
    "efficientnet_b7": 66_347_960,
    "vit_b_16": 86_567_656,
    "convnext_tiny": 28_589_128,
}


def models(name):
    return backbones.module("torchvision.models")[name]


@pytest.mark.parametrize("name", COUNTS)
def test_parameters_and_classes(name):
    size = 299 if name == "inception_v3" else 224
    with torch.device("meta"), torch.no_grad():
        model = models(name)(pretrained=True).eval()
        assert model(torch.empty(2, 3, size, size)).shape == (2, 1000)
    assert sum(part.numel() for part in model.parameters()) == COUNTS[name]


def test_every_model_takes_its_number_of_classes():
    for name, build in vars_of_builders():
        with torch.device("meta"):
            model = build(weights=None, num_classes=7)
        assert list(model.parameters())[-1].shape == (7,), name


def vars_of_builders():
    found = backbones.module("torchvision.models")
    return [(name, found[name]) for name in COUNTS if inspect.isfunction(found[name])]


def test_intermediate_layers():
    getter = backbones.module("torchvision.models._utils")["IntermediateLayerGetter"]
    with torch.device("meta"):
        body = getter(
            models("resnet50")(replace_stride_with_dilation=[False, False, True]), {"layer2": "a", "layer4": "b"}
        )
        found = body(torch.empty(1, 3, 64, 64))
    assert {name: tuple(part.shape) for name, part in found.items()} == {"a": (1, 512, 8, 8), "b": (1, 2048, 4, 4)}


def test_weights_have_names_and_transforms():
    weights = models("ResNet18_Weights").DEFAULT
    assert weights.transforms()(torch.zeros(3, 300, 400)).shape == (3, 224, 224)
    assert {"ViT_B_16_Weights", "VGG16_BN_Weights", "ResNeXt50_32X4D_Weights"} <= set(
        backbones.module("torchvision.models")
    )


def test_what_nobody_published_is_not_known():
    assert isinstance(backbones.hub("someone/repository", "model"), Unknown)
    assert isinstance(models("get_model")("resnet9000"), Unknown)
