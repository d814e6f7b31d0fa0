"""What a run costs, beside what people write by hand: ratios within one run, no test."""
