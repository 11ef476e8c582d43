#!/bin/sh
set -e
java="java $KAFKA_HEAP_OPTS -cp /opt/kafka/libs/*"
if ! said=$($java kafka.docker.KafkaDockerWrapper setup --default-configs-dir /etc/kafka/docker \
  --mounted-configs-dir /mnt/shared/config --final-configs-dir /opt/kafka/config 2>&1); then
  # As it is at every start but the first.
  case $said in *'already formatted'*) ;; *) echo "$said"; exit 1 ;; esac
fi
exec $java kafka.Kafka /opt/kafka/config/server.properties
