"""Tests of the stream, over real sockets."""
