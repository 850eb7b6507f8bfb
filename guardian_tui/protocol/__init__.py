"""All that client and engine share: structs, errors, and the one route table."""
