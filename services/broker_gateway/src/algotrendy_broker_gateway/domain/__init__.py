"""Pure decisions about orders, approvals and books: values in, values out."""
