"""The life of the worker's processes: who is started, locked in, listened to, killed."""
