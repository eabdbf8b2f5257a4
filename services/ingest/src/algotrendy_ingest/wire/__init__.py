"""What each venue says on its public sockets, read without a socket: text in, ticks and wishes out."""
