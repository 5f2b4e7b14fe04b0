"""How problems and gradients are saved: one encoding, as JSON and as .npz."""
