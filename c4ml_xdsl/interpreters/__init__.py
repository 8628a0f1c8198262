"""Each level run on numpy batches."""
