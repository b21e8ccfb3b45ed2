FROM python:3.13-slim
RUN apt-get update && apt-get install --yes --no-install-recommends make
COPY . /alexnet
WORKDIR /alexnet
RUN make setup
CMD ["make", "repro"]
