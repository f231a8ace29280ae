"""Do short trials rank models as long runs do? What a search rests on."""
