"""The only folder that knows the language server protocol: handlers read results, they never compute them."""
