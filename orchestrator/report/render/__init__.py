"""The report as HTML, Markdown, LaTeX, CSV and JSON. Computes nothing."""
