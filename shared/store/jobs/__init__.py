"""What the queue stands on: the jobs that wait, the workers that live, the results that they announce."""
