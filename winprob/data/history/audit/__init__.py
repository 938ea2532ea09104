"""Audit of a history: rules on order, identity, closing and giveaways; `check` runs them all."""
