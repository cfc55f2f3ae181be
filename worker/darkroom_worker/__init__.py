"""The hands: the only code that calls a provider."""
