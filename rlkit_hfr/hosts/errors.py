"""What can go wrong between relabeling and a host."""


class UnsupportedHost(ValueError):
    """The algorithm lacks something that relabeling needs; the message says what was
    found, what is needed and what to do.
    """
