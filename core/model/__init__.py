"""The damage model: network, training, evaluation, artefacts and inference. Keras is imported lazily, only in here."""
