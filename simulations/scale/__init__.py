"""What gossip costs and how fast it is from 10 to 5,000 nodes: `python -m simulations scale`."""
