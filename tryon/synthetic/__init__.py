"""The studio: rendered pictures of people in garments, with exact labels, joints and flow.

For training without a dataset, for tests and for the example pictures; never needed to run a
checkpoint. numba and scipy come with `pip install tryon[train]`.
"""
