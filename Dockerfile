# Hounsfield on a CPU, without root:
#
#   docker build --tag hounsfield .
#   docker run --rm --network none --user "$(id -u):$(id -g)" \
#       --volume "$PWD/scans:/in:ro" --volume "$PWD/results:/out" \
#       hounsfield run /in --out /out
#
# For an NVIDIA GPU build with --build-arg EXTRAS='[gpu]' and run with --gpus all.
FROM python:3.11-slim AS build
ARG EXTRAS=""
WORKDIR /source
COPY . .
RUN python -m venv /opt/hounsfield \
    && /opt/hounsfield/bin/python -m pip install --no-cache-dir --constraint constraints.txt ".${EXTRAS}"

FROM python:3.11-slim
RUN useradd --create-home --uid 1000 hounsfield
COPY --from=build /opt/hounsfield /opt/hounsfield
# Matplotlib's cache and the user's own models go here; any user id may write it.
ENV PATH=/opt/hounsfield/bin:$PATH MPLCONFIGDIR=/tmp/matplotlib PYTHONUNBUFFERED=1
USER hounsfield
WORKDIR /home/hounsfield
ENTRYPOINT ["hounsfield"]
CMD ["--help"]
