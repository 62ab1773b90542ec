"""What things are: instants, periods, units, records and errors. No I/O, no pandas."""
