"""Models: encoder, decoder, autoencoder, classifier."""
