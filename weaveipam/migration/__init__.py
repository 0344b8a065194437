"""Reading what other address managers left behind: bytes in, who has which address out."""
