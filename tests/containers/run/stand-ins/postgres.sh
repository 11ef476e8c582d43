#!/bin/sh
set -e
data=/var/lib/postgresql/18/docker
if [ ! -s $data/PG_VERSION ]; then
  mkdir -p $data
  /opt/postgres/bin/initdb --pgdata=$data --username=postgres --auth=scram-sha-256 \
    --pwfile="$POSTGRES_PASSWORD_FILE" --encoding=UTF8 --locale=C.UTF-8
  echo 'host all all all scram-sha-256' >> $data/pg_hba.conf
fi
exec /opt/postgres/bin/postgres -D $data -c listen_addresses='*' -c unix_socket_directories=/run/postgresql
