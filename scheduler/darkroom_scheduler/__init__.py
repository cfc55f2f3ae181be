"""The clock: it rings for work that is due and gives up what dead workers left."""
