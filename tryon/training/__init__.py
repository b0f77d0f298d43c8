"""Training and evaluation: never imported by the app."""

from tryon.compatibility import define_missing_operators

define_missing_operators()  # diffusers.training_utils imports torchvision where it is installed
