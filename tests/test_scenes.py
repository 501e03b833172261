"""Annotated images that are not here: what asks for them by COCO's own functions gets whole answers."""

import pytest

torch = pytest.importorskip("torch")
numpy = pytest.importorskip("numpy")

from metalens.worker.load import boxes, finder, inventions, scenes  # noqa: E402
from metalens.worker.load.unknown import Unknown  # noqa: E402

pytestmark = pytest.mark.torch


@pytest.fixture
def told():
    reasons: list[str] = []
    inventions.listen(reasons.append)
    yield reasons
    inventions.listen(lambda reason: None)


def test_images_and_their_annotations(told):
    coco = scenes.module("pycocotools.coco")["COCO"]("instances.json")
    images = coco.getImgIds()
    assert not told
    annotations = coco.loadAnns(coco.getAnnIds(imgIds=images[:2]))
    assert {item["image_id"] for item in annotations} == set(images[:2])
    assert coco.imgToAnns[5] == coco.loadAnns(coco.getAnnIds(5))
    assert coco.loadCats(coco.getCatIds())[0]["id"] == 1
    assert coco.annToMask(annotations[0]).shape == (coco.loadImgs(0)[0]["height"], coco.loadImgs(0)[0]["width"])
    assert told


def test_a_data_set_gives_pictures_and_targets(told):
    data = scenes.module("torchvision.datasets")["CocoDetection"]("images", Unknown("a file"), transform=lambda x: 7)
    image, target = data[3]
    assert image == 7
    assert len(target[0]["bbox"]) == 4
    captions = scenes.module("torchvision.datasets")["CocoCaptions"]("images", "captions.json")[0][1]
    assert all(isinstance(caption, str) for caption in captions)


def test_outlines_become_masks():
    mask = scenes.module("pycocotools.mask")
    assert mask["decode"](mask["frPyObjects"]([[0.0] * 8] * 2, 48, 64)).shape == (48, 64, 2)
    assert isinstance(mask["decode"](Unknown("a mask")), Unknown)


def test_boxes():
    known = boxes.module("torchvision.ops.boxes")
    first, second = torch.tensor([[0.0, 0, 2, 2], [0, 0, 1, 1]]), torch.tensor([[1.0, 1, 3, 3]])
    assert known["box_area"](first).tolist() == [4, 1]
    assert known["box_iou"](first, second).tolist() == [[pytest.approx(1 / 7)], [0]]
    assert isinstance(known["nms"](first, torch.ones(2), 0.5), Unknown)


def test_stand_ins_of_one_module_come_together():
    known = finder._known("torchvision.datasets")
    assert known["CocoDetection"] is scenes.CocoDetection
    assert "CIFAR10" in known
