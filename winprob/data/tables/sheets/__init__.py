"""Files as sheets: the cells of a CSV, XLSX, HTML or Parquet file as text, below its header, without its furniture."""
