"""The use cases, knowing neither HTTP nor Gradio nor torch."""
