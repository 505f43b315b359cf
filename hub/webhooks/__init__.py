"""Web hooks (推送地址): their addresses, their calls, and the threads that make them."""
