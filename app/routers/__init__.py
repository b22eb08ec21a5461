"""HTTP only: each file is one resource; a route is three lines, without arithmetic or query."""
