"""What is kept: the database with its journal, and files."""
