"""Maps of faces by what models see in them: drawn, measured, stored."""
