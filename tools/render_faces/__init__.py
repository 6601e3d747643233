"""Render synthetic human faces with emotional expressions (build tool, never imported by the product)."""
