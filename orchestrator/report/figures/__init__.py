"""Figures for papers, drawn by matplotlib from the report. Imported only where they are asked for."""

from orchestrator.report.figures.files import write_figures

__all__ = ["write_figures"]
