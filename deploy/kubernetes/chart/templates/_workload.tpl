{{/*
Deployment, disruption budget and autoscaler of a process whose instances are alike.
Takes what portico.pod does.
*/}}
{{- define "portico.workload" -}}
{{- $name := include "portico.name" (list .root .component) -}}
{{- $labels := include "portico.labels" (list .root .component) -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ $name }}
  labels:
    {{- $labels | nindent 4 }}
spec:
  {{- if not .process.autoscaling.enabled }}
  replicas: {{ int .process.replicas }}
  {{- end }}
  {{- if ne .component "gateway" }}
  # Who calls it hears of it from the registry, and asks again after 5 s at the latest where that was away.
  minReadySeconds: 10
  {{- end }}
  strategy:
    rollingUpdate: { maxSurge: 1, maxUnavailable: 0 }
  selector:
    matchLabels:
      {{- $labels | nindent 6 }}
  template:
    {{- include "portico.pod" . | nindent 4 }}
---
{{ include "portico.disruptionBudget" . }}
{{- if .process.autoscaling.enabled }}
---
{{ include "portico.autoscaler" . }}
{{- end }}
{{- end }}

{{/* Disruption budget: a drained node takes one pod at a time. A pod that is not ready holds up no drain. */}}
{{- define "portico.disruptionBudget" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "portico.name" (list .root .component) }}
  labels:
    {{- include "portico.labels" (list .root .component) | nindent 4 }}
spec:
  maxUnavailable: 1
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "portico.labels" (list .root .component) | nindent 6 }}
{{- end }}

{{/* Autoscaler: by requests under way where a process says how many it takes, otherwise by CPU. */}}
{{- define "portico.autoscaler" -}}
{{- $name := include "portico.name" (list .root .component) -}}
{{- $scaling := .process.autoscaling -}}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ $name }}
  labels:
    {{- include "portico.labels" (list .root .component) | nindent 4 }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ $name }}
  minReplicas: {{ int $scaling.minReplicas }}
  maxReplicas: {{ int $scaling.maxReplicas }}
  metrics:
    {{- if $scaling.requestsUnderWay }}
    - type: Pods
      pods:
        metric:
          name: gateway_requests_under_way
        target:
          type: AverageValue
          averageValue: {{ int $scaling.requestsUnderWay | quote }}
    {{- else }}
    - type: Resource
      resource:
        name: cpu
        target:
          type: Utilization
          averageUtilization: {{ int $scaling.cpuPercent }}
    {{- end }}
{{- end }}
