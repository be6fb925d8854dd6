{{/*
What an identity (ingest, processor, notifier; the Jobs prepare, sweep, rebuild) is told, as QUIRE_ variables.
Each template takes (dict "root" $ "name" identity), those about a place take the root.
*/}}

{{- define "quire.kafka.bootstrap" -}}
{{- if .Values.demo.enabled }}{{ include "quire.fullname" . }}-kafka:9092
{{- else if .Values.kafka.bootstrap }}{{ .Values.kafka.bootstrap }}
{{- else if .Values.strimzi.enabled }}{{ .Values.strimzi.cluster }}-kafka-bootstrap:9093
{{- end -}}
{{- end }}

{{- define "quire.kafka.protocol" -}}
{{- if and .Values.strimzi.enabled (eq .Values.kafka.securityProtocol "PLAINTEXT") }}SASL_SSL{{ else }}{{ .Values.kafka.securityProtocol }}{{ end -}}
{{- end }}

{{/* The SASL user: {name, secret, key}. */}}
{{- define "quire.kafka.user" -}}
{{- $kafka := .root.Values.kafka -}}
{{- if hasKey $kafka.users .name -}}
  {{- mergeOverwrite (dict "key" "password") (get $kafka.users .name) | toYaml -}}
{{- else if .root.Values.strimzi.enabled -}}
  {{- $user := printf "%s-%s" (include "quire.fullname" .root) .name -}}
  {{- dict "name" $user "secret" $user "key" "password" | toYaml -}}
{{- else -}}
  {{- $kafka.user | toYaml -}}
{{- end -}}
{{- end }}

{{- define "quire.kafka.ca" -}}
{{- $given := .Values.kafka.ca -}}
{{- if $given.name -}}
  {{- dict "secret" $given.name "key" $given.key | toYaml -}}
{{- else if and .Values.strimzi.enabled (hasSuffix "SSL" (include "quire.kafka.protocol" .)) -}}
  {{- dict "secret" (printf "%s-cluster-ca-cert" .Values.strimzi.cluster) "key" "ca.crt" | toYaml -}}
{{- end -}}
{{- end }}

{{- define "quire.s3.endpoint" -}}
{{- if .Values.demo.enabled }}http://{{ include "quire.fullname" . }}-s3:8333{{ else }}{{ .Values.s3.endpoint }}{{ end -}}
{{- end }}

{{/* Where the DSN of a Postgres role (owner, processor, notifier) is: {secret, key}. Takes (dict "root" $ "role" role). */}}
{{- define "quire.postgres" -}}
{{- $values := .root.Values -}}
{{- $given := get $values.postgres .role -}}
{{- $name := include "quire.fullname" .root -}}
{{- if $values.demo.enabled -}}
  {{- dict "secret" (printf "%s-demo" $name) "key" (printf "%s-dsn" .role) | toYaml -}}
{{- else if and $values.cloudnativepg.enabled (not $given.secret) -}}
  {{- if eq .role "owner" -}}
    {{- dict "secret" (printf "%s-postgres-app" $name) "key" "uri" | toYaml -}}
  {{- else -}}
    {{- dict "secret" (printf "%s-postgres-%s" $name .role) "key" "dsn" | toYaml -}}
  {{- end -}}
{{- else -}}
  {{- $given | toYaml -}}
{{- end -}}
{{- end }}

{{/* Who may do what: nothing, or jwt, or none. */}}
{{- define "quire.auth" -}}
{{- .Values.auth.mode | default (ternary "none" "" .Values.demo.enabled) -}}
{{- end }}

{{/* Origins of the pages that use the API. Without a route, those of kubectl port-forward. */}}
{{- define "quire.origins" -}}
{{- $origins := .Values.origins -}}
{{- if .Values.httpRoute.enabled -}}
  {{- range .Values.httpRoute.hostnames }}{{ $origins = append $origins (printf "%s://%s" (ternary "https" "http" $.Values.httpRoute.https) .) }}{{ end -}}
{{- else if .Values.ingress.enabled -}}
  {{- $origins = append $origins (printf "%s://%s" (ternary "https" "http" (ne .Values.ingress.tlsSecret "")) .Values.ingress.host) -}}
{{- else if not .Values.ingestUrl -}}
  {{- $origins = concat $origins (list "http://localhost:8000" "http://127.0.0.1:8000") -}}
{{- end -}}
{{- join "," $origins -}}
{{- end }}

{{/* Where pages upload to; nothing: to their own origin. */}}
{{- define "quire.ingestUrl" -}}
{{- if .Values.ingestUrl }}{{ .Values.ingestUrl }}
{{- else if .Values.ingress.enabled }}{{ ternary "https" "http" (ne .Values.ingress.tlsSecret "") }}://{{ .Values.ingress.ingestHost }}
{{- else if not .Values.httpRoute.enabled }}http://127.0.0.1:8001
{{- end -}}
{{- end }}

{{/* What comes from Secrets, by variable: {secret, key}. Each is a file, and the variable holds its path. */}}
{{- define "quire.secrets" -}}
{{- $root := .root -}}
{{- $values := $root.Values -}}
{{- $found := dict -}}
{{- if hasPrefix "SASL_" (include "quire.kafka.protocol" $root) -}}
  {{- $_ := set $found "QUIRE_KAFKA_SASL_PASSWORD_FILE" (pick (include "quire.kafka.user" . | fromYaml) "secret" "key") -}}
{{- end -}}
{{- with include "quire.kafka.ca" $root | fromYaml }}{{ $_ := set $found "QUIRE_KAFKA_SSL_CAFILE" . }}{{ end -}}
{{- with get (dict "processor" "processor" "notifier" "notifier" "prepare" "owner" "rebuild" "owner") .name -}}
  {{- $_ := set $found "QUIRE_POSTGRES_DSN_FILE" (include "quire.postgres" (dict "root" $root "role" .) | fromYaml) -}}
{{- end -}}
{{- $s3 := ternary (printf "%s-demo" (include "quire.fullname" $root)) (get $values.s3.secrets .name | default $values.s3.secret) $values.demo.enabled -}}
{{- if and $s3 (ne .name "rebuild") -}}
  {{- $_ := set $found "QUIRE_S3_ACCESS_KEY_FILE" (dict "secret" $s3 "key" "access-key") -}}
  {{- $_ := set $found "QUIRE_S3_SECRET_KEY_FILE" (dict "secret" $s3 "key" "secret-key") -}}
{{- end -}}
{{- if and $values.s3.ca.name (ne .name "rebuild") }}{{ $_ := set $found "AWS_CA_BUNDLE" (dict "secret" $values.s3.ca.name "key" $values.s3.ca.key) }}{{ end -}}
{{- if and $values.postgres.ca.name (hasKey $found "QUIRE_POSTGRES_DSN_FILE") }}{{ $_ := set $found "PGSSLROOTCERT" (dict "secret" $values.postgres.ca.name "key" $values.postgres.ca.key) }}{{ end -}}
{{- if and (has .name (list "ingest" "notifier")) (eq (include "quire.auth" $root) "jwt") -}}
  {{- with $values.auth.secret.name }}{{ $_ := set $found "QUIRE_AUTH_SECRET_FILE" (dict "secret" . "key" $values.auth.secret.key) }}{{ end -}}
  {{- with $values.auth.publicKey.name }}{{ $_ := set $found "QUIRE_AUTH_KEY_FILE" (dict "secret" . "key" $values.auth.publicKey.key) }}{{ end -}}
  {{- if and (eq .name "notifier") $values.auth.linkSecret.name -}}
    {{- $_ := set $found "QUIRE_LINK_SECRET_FILE" (dict "secret" $values.auth.linkSecret.name "key" $values.auth.linkSecret.key) -}}
  {{- end -}}
{{- end -}}
{{- $found | toYaml -}}
{{- end }}

{{/* What values say by `config` and `<service>.config`, by variable. */}}
{{- define "quire.config" -}}
{{- $all := dict -}}
{{- range $variable, $value := .root.Values.config }}{{ $_ := set $all $variable (include "quire.text" $value) }}{{ end -}}
{{- range $variable, $value := (get .root.Values .name | default dict).config }}{{ $_ := set $all $variable (include "quire.text" $value) }}{{ end -}}
{{- $all | toYaml -}}
{{- end }}

{{/* Every variable with its text. */}}
{{- define "quire.settings" -}}
{{- $root := .root -}}
{{- $values := $root.Values -}}
{{- $set := include "quire.config" . | fromYaml -}}
{{- range $variable, $_ := include "quire.secrets" . | fromYaml }}{{ $_ := set $set $variable (printf "/run/secrets/quire/%s" $variable) }}{{ end -}}
{{- $_ := set $set "QUIRE_KAFKA_BOOTSTRAP" (include "quire.kafka.bootstrap" $root) -}}
{{- $_ := set $set "QUIRE_KAFKA_TOPIC" $values.kafka.topic -}}
{{- $_ := set $set "QUIRE_KAFKA_PARTITIONS" (include "quire.text" $values.kafka.partitions) -}}
{{- $_ := set $set "QUIRE_KAFKA_REPLICATION" (ternary "1" (include "quire.text" $values.kafka.replication) $values.demo.enabled) -}}
{{- with $values.kafka.minInsyncReplicas }}{{ $_ := set $set "QUIRE_KAFKA_MIN_INSYNC_REPLICAS" (include "quire.text" .) }}{{ end -}}
{{- $_ := set $set "QUIRE_KAFKA_SECURITY_PROTOCOL" (include "quire.kafka.protocol" $root) -}}
{{- if hasPrefix "SASL_" (include "quire.kafka.protocol" $root) -}}
  {{- $_ := set $set "QUIRE_KAFKA_SASL_MECHANISM" $values.kafka.saslMechanism -}}
  {{- $_ := set $set "QUIRE_KAFKA_SASL_USERNAME" (include "quire.kafka.user" . | fromYaml).name -}}
{{- end -}}
{{- $_ := set $set "QUIRE_S3_BUCKET" $values.s3.bucket -}}
{{- $_ := set $set "QUIRE_S3_REGION" $values.s3.region -}}
{{- with include "quire.s3.endpoint" $root }}{{ $_ := set $set "QUIRE_S3_ENDPOINT" . }}{{ end -}}
{{- $ports := get (include "quire.ports" $root | fromYaml) .name | default dict -}}
{{- if $ports.ops -}}
  {{- $_ := set $set "QUIRE_OPS_PORT" ($ports.ops | toString) -}}
  {{- $_ := set $set "QUIRE_PREPARE" "false" -}}
{{- else -}}
  {{- $_ := set $set "QUIRE_HTTP_HOST" "127.0.0.1" -}}{{/* a Job serves nobody, and need not say who may do what */}}
{{- end -}}
{{- if $ports.http -}}
  {{- $_ := set $set "QUIRE_HTTP_PORT" ($ports.http | toString) -}}
  {{- $_ := set $set "QUIRE_ORIGINS" (include "quire.origins" $root) -}}
  {{- $_ := set $set "QUIRE_AUTH" (include "quire.auth" $root) -}}
  {{- with $values.auth.jwksUrl }}{{ $_ := set $set "QUIRE_AUTH_JWKS_URL" . }}{{ end -}}
{{- end -}}
{{- if has .name (list "ingest" "sweep") }}{{ $_ := set $set "QUIRE_NOTIFIER_URL" (printf "http://%s-notifier:8000" (include "quire.fullname" $root)) }}{{ end -}}
{{- if eq .name "notifier" -}}
  {{- $_ := set $set "QUIRE_INGEST_URL" (include "quire.ingestUrl" $root) -}}
{{- end -}}
{{- $set | toYaml -}}
{{- end }}

{{/* Text of a value; a number as it was written (Helm reads 20000000 as 2e+07). */}}
{{- define "quire.text" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) }}{{ int64 . }}{{ else }}{{ . }}{{ end -}}
{{- end }}

{{/* Seconds from the deletion of a service's pod to its end: preStop, what its settings let it take, and some to spare. */}}
{{- define "quire.grace" -}}
{{- $config := include "quire.config" . | fromYaml -}}
{{- $takes := dict
  "ingest" ($config.QUIRE_SHUTDOWN_SECONDS | default "30")
  "processor" ($config.QUIRE_HAND_OVER_SECONDS | default "10")
  "notifier" ($config.QUIRE_DRAIN_SECONDS | default "5") -}}
{{- add (get .root.Values .name).preStopSeconds (get $takes .name | float64 | ceil) 15 -}}
{{- end }}
