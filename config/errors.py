"""The one error that a person sees as a line of text instead of a traceback."""


class UserError(Exception):
    """Something in a person's input that they can mend; the message names the file, the place and the mend."""
