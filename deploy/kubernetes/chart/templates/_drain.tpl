{{/* A duration of the environment in ms, or the process's own default. Takes (list process "LIVE_DRAIN_MS" 5000). */}}
{{- define "portico.durationMs" -}}
{{- include "portico.text" (dig (index . 1) (index . 2) (index . 0).env) -}}
{{- end }}

{{/*
Time in seconds until a pod is killed: the wait before SIGTERM, the longest shutdown, and 5 s for the process to end.
Fails where what a shutdown waits for cannot end before it is cut off. Takes (list component process).
*/}}
{{- define "portico.terminationSeconds" -}}
{{- $component := index . 0 -}}
{{- $process := index . 1 -}}
{{- $shutdownMs := include "portico.durationMs" (list $process "SHUTDOWN_TIMEOUT_MS" 10000) | int64 -}}
{{- $name := "DEREGISTRATION_GRACE_MS" -}}
{{- $waitMs := 0 -}}
{{- if eq $component "gateway" -}}
{{- $name = "LIVE_DRAIN_MS" -}}
{{- /* The last connections get another second. */ -}}
{{- $waitMs = add 1000 (include "portico.durationMs" (list $process $name 5000) | int64) -}}
{{- else if ne $component "discovery" -}}
{{- $waitMs = include "portico.durationMs" (list $process $name 300) | int64 -}}
{{- end -}}
{{- if ge $waitMs $shutdownMs -}}
{{- fail (printf "%s waits %d ms at its shutdown (%s), but is cut off after %d ms; set SHUTDOWN_TIMEOUT_MS to more than that" $component $waitMs $name $shutdownMs) -}}
{{- end -}}
{{- $preStop := $process.preStopSeconds | default 0 | int64 -}}
{{- add $preStop (div (add $shutdownMs 999) 1000) 5 -}}
{{- end }}
