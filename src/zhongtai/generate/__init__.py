"""Sample exports of a made-up carmaker, with the truth beside them.

An independent reading of the input contract: nothing here is shared with the product's readers,
contracts or cleaning, so that both can be wrong only separately.
"""
