"""Tiny valid inputs for every reader of annotations, tables and documents, to be damaged.

Each `ReaderInput` makes its file in a folder and reads it with the reader of this project, labels
and all. Whatever is done to the file in between, only the project's exceptions may come out.
"""
