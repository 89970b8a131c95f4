"""Background work: an RQ worker that runs the jobs of the job table."""
