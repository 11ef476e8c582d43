{{/* Name of an object, such as portico-gateway. Takes (list $ "gateway"). */}}
{{- define "portico.name" -}}
{{- $root := index . 0 -}}
{{- printf "%s-%s" ($root.Release.Name | trunc 40 | trimSuffix "-") (index . 1) -}}
{{- end }}

{{/* Labels by which pods of this release are chosen. */}}
{{- define "portico.releaseLabels" -}}
app.kubernetes.io/name: portico
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* Labels of one component. Takes (list $ "gateway"). */}}
{{- define "portico.labels" -}}
{{ include "portico.releaseLabels" (index . 0) }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* A setting as text. Helm reads whole numbers as floating-point ones, and would write 67108864 as 6.7108864e+07. */}}
{{- define "portico.text" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) }}{{ int64 . }}{{ else }}{{ . }}{{ end -}}
{{- end }}

{{/* Image that has a program. Takes (list $ program). */}}
{{- define "portico.image" -}}
{{- $root := index . 0 -}}
{{- $image := $root.Values.image -}}
{{- $isFront := regexMatch "^dist/(gateway|discovery|cli)/" (index . 1) -}}
{{- printf "%s:%s" (ternary $image.repository $image.shopRepository $isFront) ($image.tag | default $root.Chart.AppVersion) -}}
{{- end }}

{{/* Values of one process over those of all, as YAML. Takes (list $ component own). */}}
{{- define "portico.process" -}}
{{- $root := index . 0 -}}
{{- $own := index . 2 | default dict -}}
{{- $process := deepCopy $root.Values.common -}}
{{- if $own.kafka -}}
{{- $process = mergeOverwrite $process (pick (deepCopy $root.Values.kafka) "env" "secretEnv") -}}
{{- end -}}
{{- mergeOverwrite $process (deepCopy $own) | toYaml -}}
{{- end }}

{{/* Addresses of the chart's registries: of a Service for each, whose address stays when its pod is replaced. */}}
{{- define "portico.registries" -}}
{{- $name := include "portico.name" (list . "discovery") -}}
{{- $urls := list -}}
{{- range $index := until (int .Values.discovery.replicas) -}}
{{- $urls = append $urls (printf "http://%s-%d:8761/eureka" $name $index) -}}
{{- end -}}
{{- join "," $urls -}}
{{- end }}

{{/* Addresses of the chart's registries for one another: of the pods, by which they know who passes something on. */}}
{{- define "portico.peers" -}}
{{- $name := include "portico.name" (list . "discovery") -}}
{{- $urls := list -}}
{{- range $index := until (int .Values.discovery.replicas) -}}
{{- $urls = append $urls (printf "http://%s-%d.%s-peers:8761/eureka" $name $index $name) -}}
{{- end -}}
{{- join "," $urls -}}
{{- end }}

{{/* Name of the database's URL in a Secret: ORDERS_DATABASE_URL. */}}
{{- define "portico.databaseKey" -}}
{{- printf "%s_DATABASE_URL" (upper .) -}}
{{- end }}

{{- define "portico.podSecurity" -}}
runAsNonRoot: true
{{- with .runAsUser }}
# The image names its user, and the kubelet can tell only of a number that it is not root's.
runAsUser: {{ int . }}
runAsGroup: {{ int . }}
fsGroup: {{ int . }}
{{- end }}
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "portico.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}
