"""A stand-in for Google's image models: speaks their wire over HTTP on loopback, costs nothing.

It shares no code with Darkroom, so that its bill is an independent witness of Darkroom's books.
"""
