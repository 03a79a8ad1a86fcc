"""What `plano up` runs on this machine, and how other commands find it."""
