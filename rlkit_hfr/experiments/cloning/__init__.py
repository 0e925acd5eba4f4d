"""HIPI-BC: demonstrations without labels, labelled by a relabeler, and a policy cloned from them."""
