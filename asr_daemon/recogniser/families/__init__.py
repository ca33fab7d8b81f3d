"""Model families: one small adapter each, the only places that know FunASR's arguments and answers."""
