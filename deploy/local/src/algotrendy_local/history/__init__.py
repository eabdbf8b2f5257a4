"""``algotrendy data download|coverage|verify|export|import``: the history that the running stack keeps."""
