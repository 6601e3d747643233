"""Models against people, from arrays: comparison of a study, tests of pairs, reference rows, temperature."""
