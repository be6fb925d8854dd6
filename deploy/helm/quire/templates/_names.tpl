{{/* Names and labels. */}}

{{- define "quire.fullname" -}}
{{- $name := .Release.Name -}}
{{- if not (contains .Chart.Name $name) }}{{ $name = printf "%s-%s" $name .Chart.Name }}{{ end -}}
{{- .Values.fullnameOverride | default $name | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{/* Selector of one component's pods. Takes (dict "root" $ "name" "ingest"). */}}
{{- define "quire.selector" -}}
app.kubernetes.io/name: quire
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .name }}
{{- end }}

{{- define "quire.labels" -}}
{{ include "quire.selector" . }}
app.kubernetes.io/part-of: quire
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- end }}

{{/* metadata of one component's object; its name may have a suffix. */}}
{{- define "quire.metadata" -}}
name: {{ include "quire.fullname" .root }}-{{ .name }}{{ with .suffix }}-{{ . }}{{ end }}
labels:
  {{- include "quire.labels" . | nindent 2 }}
{{- end }}

{{- define "quire.image" -}}
{{- $image := .root.Values.image -}}
{{- with $image.registry }}{{ . }}/{{ end }}quire-{{ .image }}
{{- with get $image.digests .image }}@{{ . }}{{ else }}:{{ $image.tag | default .root.Chart.AppVersion }}{{ end -}}
{{- end }}

{{/* Ports of the services, as their settings and images have them. */}}
{{- define "quire.ports" -}}
ingest: {http: 8001, ops: 9100}
processor: {ops: 9111}
notifier: {http: 8000, ops: 9101}
{{- end }}

{{/* A generated password, the same in every upgrade. Takes (dict "root" $ "secret" name "key" key). */}}
{{- define "quire.password" -}}
{{- $kept := (lookup "v1" "Secret" .root.Release.Namespace .secret).data | default dict -}}
{{- get $kept .key | b64dec | default (randAlphaNum 32) -}}
{{- end }}
