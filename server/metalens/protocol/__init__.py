"""What crosses the pipe between the server and its worker: frozen dataclasses and a codec.

This is the only package that both sides import. It needs the standard library alone and runs on Python 3.9.
"""
