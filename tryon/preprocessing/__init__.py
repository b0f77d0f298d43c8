"""From photographs to the conditions of a try-on."""
