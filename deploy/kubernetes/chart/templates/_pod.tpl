{{/*
Template of a process's pods.
Takes (dict "root" $ "component" "orders" "process" values "program" "dist/….js" "port" 4001).
*/}}
{{- define "portico.pod" -}}
{{- $labels := include "portico.labels" (list .root .component) -}}
metadata:
  labels:
    {{- $labels | nindent 4 }}
  {{- $annotations := deepCopy .process.podAnnotations }}
  {{- if eq .root.Values.monitoring.scrape "annotations" }}
  {{- $scraped := dict "prometheus.io/scrape" "true" "prometheus.io/port" "8081" "prometheus.io/path" "/actuator/prometheus" }}
  {{- $annotations = merge $annotations $scraped }}
  {{- end }}
  {{- if .root.Values.secret.values }}
  {{- $_ := set $annotations "checksum/secret" (.root.Values.secret.values | toYaml | sha256sum) }}
  {{- end }}
  {{- with $annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  # The processes ask nothing of the cluster.
  automountServiceAccountToken: false
  enableServiceLinks: false
  # The first process of a pod gets no SIGTERM before it listens to it, and would be killed late while it starts.
  shareProcessNamespace: true
  terminationGracePeriodSeconds: {{ include "portico.terminationSeconds" (list .component .process) }}
  securityContext:
    {{- include "portico.podSecurity" .process | nindent 4 }}
  {{- with .root.Values.image.pullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . }}
    {{- end }}
  {{- end }}
  topologySpreadConstraints:
    {{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
    - topologyKey: {{ $key }}
      maxSkew: 1
      whenUnsatisfiable: {{ $.process.unevenSpread }}
      labelSelector:
        matchLabels:
          {{- $labels | nindent 10 }}
      # Those of a release are spread among themselves: the ones that they replace are about to go.
      matchLabelKeys: [{{ eq $.component "discovery" | ternary "controller-revision-hash" "pod-template-hash" }}]
    {{- end }}
  {{- with .process.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .process.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: {{ .component }}
      {{- include "portico.container" . | nindent 6 }}
  volumes:
    - name: tmp
      emptyDir: {}
    - name: data
      emptyDir: {}
    {{- with .process.volumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}

{{/* Container of a process, without its name. Takes what portico.pod does. */}}
{{- define "portico.container" -}}
image: {{ include "portico.image" (list .root .program) | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
args: [{{ .program }}]
ports:
  - name: http
    containerPort: {{ .port }}
  - name: management
    containerPort: 8081
env:
  {{- include "portico.env" . | trim | nindent 2 }}
# Two minutes to start in; a process that cannot start ends by itself, long before.
startupProbe:
  httpGet: { path: /actuator/health/liveness, port: management }
  periodSeconds: 2
  timeoutSeconds: 3
  failureThreshold: 60
livenessProbe:
  httpGet: { path: /actuator/health/liveness, port: management }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
readinessProbe:
  httpGet: { path: /actuator/health/readiness, port: management }
  periodSeconds: 3
  timeoutSeconds: 3
  failureThreshold: 2
{{- with .process.preStopSeconds }}
lifecycle:
  preStop:
    sleep: { seconds: {{ int . }} }
{{- end }}
securityContext:
  {{- include "portico.containerSecurity" . | nindent 2 }}
resources:
  {{- toYaml .process.resources | nindent 2 }}
volumeMounts:
  - name: tmp
    mountPath: /tmp
  - name: data
    mountPath: /data
  {{- with .process.volumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
