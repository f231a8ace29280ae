"""Reports of builds: their schema, the figures in them, the pages and plots made of them."""
