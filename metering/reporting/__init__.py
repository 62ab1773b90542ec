"""What people read: reports, and exports for other systems. Everything is a table; every format is made from it."""
