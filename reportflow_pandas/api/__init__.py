"""HTTP: the eight endpoints of the service. No pandas here."""
