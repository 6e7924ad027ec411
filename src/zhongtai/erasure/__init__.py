"""The right to be forgotten: erasure from every layer, and tombstones that keep persons out."""
