import zoo


def test_small_net():
    assert zoo.SmallNet(classes=3)
