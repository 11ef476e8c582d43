{{/*
Environment of a process: what the chart knows, then the values' `env` and `secretEnv`, which win.
Takes (dict "root" $ "component" "orders" "process" values).
*/}}
{{- define "portico.env" -}}
{{- $values := .root.Values -}}
{{- $secret := $values.secret.name -}}
{{- $env := dict "ADVERTISED_HOST" (dict "valueFrom" (dict "fieldRef" (dict "fieldPath" "status.podIP"))) -}}
{{- range $name := list "MANAGEMENT_TOKEN" "DISCOVERY_TOKEN" -}}
{{- $_ := set $env $name (dict "valueFrom" (dict "secretKeyRef" (dict "name" $secret "key" $name "optional" true))) -}}
{{- end -}}
{{- if eq .component "discovery" -}}
{{- if gt (int $values.discovery.replicas) 1 -}}
{{- $_ := set $env "DISCOVERY_PEERS" (dict "value" (include "portico.peers" .root)) -}}
{{- end -}}
{{- else -}}
{{- $_ := set $env "EUREKA_URL" (dict "value" ($values.discovery.url | default (include "portico.registries" .root))) -}}
{{- /* Kubernetes 1.35 gives a pod its node's zone as a label; where it has none this is empty, which counts as unset. */ -}}
{{- $_ := set $env "INSTANCE_ZONE" (dict "valueFrom" (dict "fieldRef" (dict "fieldPath" "metadata.labels['topology.kubernetes.io/zone']"))) -}}
{{- $_ := set $env "CALLER_SECRET" (dict "valueFrom" (dict "secretKeyRef" (dict "name" $secret "key" "CALLER_SECRET"))) -}}
{{- end -}}
{{- if hasKey $values.subgraphs .component -}}
{{- $key := include "portico.databaseKey" .component -}}
{{- $_ := set $env "DATABASE_URL" (dict "valueFrom" (dict "secretKeyRef" (dict "name" $secret "key" $key))) -}}
{{- end -}}
{{- if .process.kafka -}}
{{- $missing := "kafka.brokers is empty, but %s needs Kafka; set it to host:port of the brokers, comma-separated" -}}
{{- $_ := set $env "KAFKA_BROKERS" (dict "value" (required (printf $missing .component) $values.kafka.brokers)) -}}
{{- end -}}
{{- range $name, $value := .process.env -}}
{{- $_ := set $env $name (dict "value" (include "portico.text" $value)) -}}
{{- end -}}
{{- range $name, $key := .process.secretEnv -}}
{{- $_ := set $env $name (dict "valueFrom" (dict "secretKeyRef" (dict "name" $secret "key" $key))) -}}
{{- end -}}
{{- range $name, $entry := $env }}
- {{ merge (dict "name" $name) $entry | toYaml | nindent 2 | trim }}
{{- end }}
{{- end }}
