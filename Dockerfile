# The image of every zhongtai service: Airflow, dbt, the product, its DAGs and its declarations.
FROM python:3.12-slim-bookworm

RUN apt-get update \
    && apt-get install --no-install-recommends --yes curl tini \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --create-home --home-dir /var/lib/zhongtai --uid 10001 zhongtai

WORKDIR /opt/zhongtai
COPY requirements.lock pyproject.toml README.md ./
RUN pip install --no-cache-dir 'uv>=0.11' \
    && uv pip install --system --no-cache --compile-bytecode --require-hashes -r requirements.lock
COPY src src
RUN uv pip install --system --no-cache --no-deps --editable .
COPY dags dags
COPY dbt_project dbt_project
COPY expectations expectations
COPY seeds seeds
# the user who runs it may not write beside the sources
RUN python -m compileall -q src dags

USER zhongtai
VOLUME /var/lib/zhongtai
ENTRYPOINT ["tini", "--"]
CMD ["zhongtai", "--help"]
