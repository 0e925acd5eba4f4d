"""One run: what is built, how it is trained, stopped and resumed, what it leaves
behind.
"""
