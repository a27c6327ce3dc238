"""Guidelines, risk models and clinical data: what findings may mean for a patient."""
