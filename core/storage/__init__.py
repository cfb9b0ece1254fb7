"""Where objects lie: a local folder, or S3 and servers that speak its protocol, behind one contract."""
