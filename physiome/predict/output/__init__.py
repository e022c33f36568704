"""What is written of a recording that was scored: words, annotations, a picture, statistics."""
