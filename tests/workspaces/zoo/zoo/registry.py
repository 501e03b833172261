from zoo import nets

MODELS = {"small": nets.small_net}
