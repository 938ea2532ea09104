"""Values from the text of cells: days, clocks, numbers, money, null words; by the conventions of one file."""
