# syntax=docker/dockerfile:1
# Walkaround's images: `cpu` and `gpu` run everything but Flower, `flower` runs Flower.
#   docker build --target cpu -t walkaround:cpu .

FROM python:3.11-slim AS base
ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PATH=/opt/walkaround/bin:$PATH \
    # The root file system is read-only when it runs: what libraries insist on writing goes to a tmpfs.
    HOME=/tmp \
    KERAS_HOME=/tmp/keras
RUN python -m venv /opt/walkaround
WORKDIR /app

FROM base AS cpu-libraries
COPY requirements-cpu.txt .
RUN --mount=type=cache,target=/var/cache/pip \
    pip install --require-hashes --cache-dir /var/cache/pip -r requirements-cpu.txt

FROM base AS gpu-libraries
COPY requirements-gpu.txt .
RUN --mount=type=cache,target=/var/cache/pip \
    pip install --require-hashes --cache-dir /var/cache/pip -r requirements-gpu.txt

FROM scratch AS source
COPY pyproject.toml README.md LICENSE /
COPY core /core
COPY db /db
COPY reports /reports
COPY workers /workers
COPY web /web
COPY cli /cli

# Installed in place, as in development: the SQL of the views and the shipped model are files beside the code. Compiled
# here, for it never is again: pip compiles the libraries only, and at run time the file system is read-only.
FROM cpu-libraries AS cpu
COPY models models
COPY --from=source / ./
RUN pip install --no-deps --no-build-isolation --no-cache-dir --editable . \
    && python -m compileall -q core db reports workers web cli
USER 10001:10001
ENTRYPOINT ["walkaround"]

# CUDA comes with TensorFlow's own wheels; the driver comes from the host, through NVIDIA's container toolkit.
FROM gpu-libraries AS gpu
# Which GPUs it sees is for whoever starts it to say: no other container gets one by accident.
ENV NVIDIA_DRIVER_CAPABILITIES=compute,utility
COPY models models
COPY --from=source / ./
RUN pip install --no-deps --no-build-isolation --no-cache-dir --editable . \
    && python -m compileall -q core db reports workers web cli
USER 10001:10001
ENTRYPOINT ["walkaround"]

# Flower reads Walkaround's own Celery application, so that it looks at the right queues.
FROM cpu AS flower
USER root
COPY requirements-flower.txt .
RUN pip install --require-hashes --no-cache-dir -r requirements-flower.txt
USER 10001:10001
ENTRYPOINT ["python"]
