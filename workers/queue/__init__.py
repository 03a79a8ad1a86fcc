"""Takes jobs off the queue, however its lists and hashes came to be."""
