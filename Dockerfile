# syntax=docker/dockerfile:1
# One image for servers, the scheduler and workers: `soundforge serve`, `soundforge scheduler`, `soundforge worker`.
# For NVIDIA GPUs: docker build --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu126 --tag soundforge:cuda .
ARG PYTHON=3.11-slim-bookworm

FROM python:${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
# PyPI's torch for Linux brings gigabytes of CUDA along; this index has the build that is meant.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
WORKDIR /src
COPY requirements.lock requirements-spotdl.lock ./
RUN python -m venv /opt/spotdl && /opt/spotdl/bin/pip install --requirement requirements-spotdl.lock
RUN python -m venv /opt/soundforge \
 && /opt/soundforge/bin/pip install --index-url "${TORCH_INDEX}" "$(grep '^torch==' requirements.lock)"
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY jupyter-config jupyter-config
COPY notebooks notebooks
COPY server_ext server_ext
COPY sfwidgets sfwidgets
# The widgets' JavaScript is built into the wheel. The lock file holds what tests need, too: it only says which versions.
RUN python -m pip wheel --no-deps --wheel-dir /wheels . \
 && /opt/soundforge/bin/pip install --constraint requirements.lock "$(echo /wheels/*.whl)[lab]"

FROM python:${PYTHON}
RUN useradd --system --uid 10001 --create-home --shell /usr/sbin/nologin soundforge \
 && install --directory --owner soundforge --group soundforge --mode 0750 /data /cache /backups
COPY --from=build /opt/spotdl /opt/spotdl
COPY --from=build /opt/soundforge /opt/soundforge
ENV PATH=/opt/soundforge/bin:${PATH} \
    PYTHONUNBUFFERED=1 \
    AUDIO_DATA_PATH=/data \
    SOUNDFORGE_SPOTDL=/opt/spotdl/bin/spotdl \
    XDG_CACHE_HOME=/cache \
    HF_HOME=/cache/huggingface \
    TORCH_HOME=/cache/torch
USER soundforge
WORKDIR /home/soundforge
VOLUME ["/data", "/cache", "/backups"]
EXPOSE 8888
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=4 \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8888/health', timeout=4)"]
ENTRYPOINT ["soundforge"]
CMD ["serve", "--ip", "0.0.0.0", "--port", "8888", "--no-browser", "--folder", "/data/notebooks"]
