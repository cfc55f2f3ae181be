"""The rig of the fault tests: real processes to hurt, and witnesses that do not ask them."""
