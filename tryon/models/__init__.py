"""Networks: tensors in, tensors out; one file per architecture."""
