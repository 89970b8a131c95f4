"""Text to vectors: the embedded multilingual model, or an embedding model of a provider."""
