"""A PEARL (Rakelly et al. 2019) with oyster's attribute and method names. It does not know
that relabeling exists.
"""
