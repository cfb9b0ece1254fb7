"""How a model is made and judged: labelled photos, training, calibration, evaluation. Nothing that serves needs it."""
