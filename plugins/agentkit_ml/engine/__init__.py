"""The search for a model: which families and settings are tried, compared on the same folds, and put together.

`families` are the estimators, `trials` the order in which settings are tried, `folds` the encoded rows,
`search` the loop within a budget, `committee` the greedy ensemble and what is fitted in the end.
"""
