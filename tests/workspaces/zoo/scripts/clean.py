"""Mentions SmallNet and `from zoo import SmallNet` in words alone."""

# from zoo import SmallNet; SmallNet()
print("SmallNet")
