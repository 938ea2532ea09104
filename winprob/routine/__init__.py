"""The weekly routine of a team: its project folder with ``winprob.toml``, and what is made from each week's export."""
