"""MIER (model identification and experience relabeling): a meta-learned model with a context
vector that adapts by gradient steps, a policy that acts on it, and relabeling by the adapted
model at meta-test.
"""
