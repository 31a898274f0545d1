{{/* Names and labels that several templates share. */}}

{{/* The name of everything of this release; cluster-wide objects add the namespace. */}}
{{- define "dynamo.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- printf "%s-operator" .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-dynamo-operator" .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "dynamo.clusterWideName" -}}
{{- printf "%s.%s" (include "dynamo.name" .) .Release.Namespace -}}
{{- end -}}

{{- define "dynamo.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "dynamo.name" .) -}}
{{- end -}}

{{- define "dynamo.selector" -}}
app.kubernetes.io/name: dynamo-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "dynamo.labels" -}}
{{ include "dynamo.selector" . }}
app.kubernetes.io/component: operator
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "dynamo.image" -}}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}

{{- define "dynamo.nodeImage" -}}
{{- printf "%s:%s" .Values.nodeImage.repository (.Values.nodeImage.tag | default .Chart.AppVersion) -}}
{{- end -}}

{{/* What the `restricted` Pod Security Standard asks of a pod and of a container. */}}
{{- define "dynamo.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "dynamo.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}
