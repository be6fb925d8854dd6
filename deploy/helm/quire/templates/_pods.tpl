{{/* What all pods have in common: they run as restricted as Kubernetes can say it. */}}

{{- define "quire.container.security" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* Takes (dict "user" uid). */}}
{{- define "quire.pod.security" -}}
runAsNonRoot: true
runAsUser: {{ .user }}
runAsGroup: {{ .user }}
fsGroup: {{ .user }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* The beginning of the spec of a pod with Quire's images. Takes (dict "root" $ "account" name). */}}
{{- define "quire.pod" -}}
serviceAccountName: {{ include "quire.fullname" .root }}-{{ .account }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  {{- include "quire.pod.security" (dict "user" 10001) | nindent 2 }}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Where pods may run: takes the values of their component. */}}
{{- define "quire.placement" -}}
{{- range $key := list "nodeSelector" "tolerations" "affinity" "priorityClassName" }}
{{- with get $ $key }}
{{ dict $key . | toYaml }}
{{- end }}
{{- end }}
{{- end }}

{{/* image and security of a container with one of Quire's images. Takes (dict "root" $ "image" "ingest"). */}}
{{- define "quire.container" -}}
image: {{ include "quire.image" . }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  {{- include "quire.container.security" . | nindent 2 }}
{{- end }}

{{/* Scratch space, and the files that quire.secrets names. Both take (dict "root" $ "name" identity "scratch" "1Gi"). */}}
{{- define "quire.mounts" -}}
- {name: scratch, mountPath: /scratch}
{{- if include "quire.secrets" . | fromYaml }}
- {name: secrets, mountPath: /run/secrets/quire, readOnly: true}
{{- end }}
{{- end }}

{{- define "quire.volumes" -}}
- name: scratch
  emptyDir: {sizeLimit: {{ .scratch }}}
{{- with include "quire.secrets" . | fromYaml }}
- name: secrets
  projected:
    defaultMode: 0440
    sources:
      {{- range $variable, $from := . }}
      - secret: {name: {{ $from.secret }}, items: [{key: {{ $from.key }}, path: {{ $variable }}}]}
      {{- end }}
{{- end }}
{{- end }}

{{/* The variables of a Job's container, written out: a Job whose settings change is another Job. */}}
{{- define "quire.env" -}}
{{- range $variable, $text := include "quire.settings" . | fromYaml }}
- {name: {{ $variable }}, value: {{ $text | quote }}}
{{- end }}
{{- end }}
