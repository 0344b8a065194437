"""Who is there and who has heard what: membership, dissemination, repair.  Pure; knows nothing of pools."""
