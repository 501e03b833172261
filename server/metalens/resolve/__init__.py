"""What the source says without running it: module classes, their layers, who builds them."""
