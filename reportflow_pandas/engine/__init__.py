"""How a run is carried out. No pandas and no details of HTTP here."""
