"""What do we show? Self-contained pages: the quarterly review, visit sheets, model cards, backtests."""
