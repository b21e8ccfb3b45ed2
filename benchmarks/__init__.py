"""What is measured, and how: never imported by the project, never collected by pytest."""
