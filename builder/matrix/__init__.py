"""What a change touches, and the pipelines that build it: for machines that nobody logs into."""
