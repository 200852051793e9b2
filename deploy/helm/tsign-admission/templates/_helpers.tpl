{{/* The metadata of objects in the namespace. */}}
{{- define "tsign.metadata" -}}
name: tsign
namespace: {{ .Release.Namespace | quote }}
labels: {{ include "tsign.labels" . }}
{{- end }}

{{- define "tsign.labels" -}}
{app.kubernetes.io/name: tsign}
{{- end }}

{{/* Where the certificate comes from: self-made, cert-manager or secret. Refuses values that contradict each other. */}}
{{- define "tsign.tls" -}}
{{- if and .Values.gatekeeperProvider (or .Values.tls.certManager .Values.tls.secret .Values.tls.caBundle) -}}
{{- fail "gatekeeperProvider cannot be used with tls: only the service's own certificate is written to it" -}}
{{- end -}}
{{- with .Values.tls -}}
{{- if .certManager -}}
{{- if or .secret .caBundle -}}
{{- fail "tls.certManager cannot be used with tls.secret and tls.caBundle" -}}
{{- end -}}
cert-manager
{{- else if or .secret .caBundle -}}
{{- if not .secret -}}
{{- fail "missing tls.secret: name the Secret with the certificate" -}}
{{- end -}}
{{- if or (not (regexMatch "(?m)^-----BEGIN CERTIFICATE-----" .caBundle)) (contains "PRIVATE KEY" .caBundle) -}}
{{- fail "tls.caBundle is not a file of certificates: pass --set-file tls.caBundle=ca.crt" -}}
{{- end -}}
secret
{{- else -}}
self-made
{{- end -}}
{{- end -}}
{{- end }}

{{/* The configuration of one webhook. What runs the service is never asked about, or a cluster could not repair it. */}}
{{- define "tsign.webhook" -}}
{{- $mutates := eq .kind "Mutating" -}}
{{- with .root -}}
apiVersion: admissionregistration.k8s.io/v1
kind: {{ $.kind }}WebhookConfiguration
metadata:
  name: tsign
  labels: {{ include "tsign.labels" . }}
  {{- if eq (include "tsign.tls" .) "cert-manager" }}
  annotations: {cert-manager.io/inject-ca-from: {{ printf "%s/tsign" .Release.Namespace | quote }}}
  {{- else }}
  annotations: {}
  {{- end }}
webhooks:
  - name: {{ ternary "mutate" "validate" $mutates }}.tsign.dev
    clientConfig:
      service:
        name: tsign
        namespace: {{ .Release.Namespace | quote }}
        path: {{ ternary "/mutate" "/validate" $mutates }}
        port: 443
      {{- if eq (include "tsign.tls" .) "secret" }}
      caBundle: {{ .Values.tls.caBundle | b64enc }}
      {{- end }}
    # A controller compares templates with what it applied, so that only Pods are changed.
    rules:
      - apiGroups: [""]
        apiVersions: [v1]
        operations: [CREATE, UPDATE]
        resources: [pods, pods/ephemeralcontainers]
        scope: Namespaced
      {{- if not $mutates }}
      - apiGroups: [""]
        apiVersions: [v1]
        operations: [CREATE, UPDATE]
        resources: [replicationcontrollers, podtemplates]
        scope: Namespaced
      - apiGroups: [apps]
        apiVersions: [v1]
        operations: [CREATE, UPDATE]
        resources: [daemonsets, deployments, replicasets, statefulsets]
        scope: Namespaced
      - apiGroups: [batch]
        apiVersions: [v1]
        operations: [CREATE, UPDATE]
        resources: [cronjobs, jobs]
        scope: Namespaced
      {{- range $name, $_ := .Values.workloads }}
      {{- $parts := splitn "." 2 $name }}
      - apiGroups: [{{ $parts._1 | quote }}]
        apiVersions: ["*"]
        operations: [CREATE, UPDATE]
        resources: [{{ $parts._0 | quote }}]
        scope: Namespaced
      {{- end }}
      {{- end }}
    namespaceSelector:
      matchExpressions:
        {{- if eq .Values.namespaces "included" }}
        - {key: policy.sigstore.dev/include, operator: In, values: ["true"]}
        {{- else }}
        - {key: policy.sigstore.dev/exclude, operator: NotIn, values: ["true"]}
        {{- end }}
        - key: kubernetes.io/metadata.name
          operator: NotIn
          values: [kube-system, kube-public, kube-node-lease, {{ .Release.Namespace | quote }}]
    failurePolicy: {{ .Values.failurePolicy }}
    timeoutSeconds: {{ .Values.webhookTimeout }}
    sideEffects: None
    admissionReviewVersions: [v1]
    {{- if $mutates }}
    reinvocationPolicy: IfNeeded
    {{- end }}
  {{- if and .Values.clusterPolicies (not $mutates) }}
  # Not asked about deletions, which must work while the service does not run.
  - name: policies.tsign.dev
    clientConfig:
      service: {name: tsign, namespace: {{ .Release.Namespace | quote }}, path: /validate, port: 443}
      {{- if eq (include "tsign.tls" .) "secret" }}
      caBundle: {{ .Values.tls.caBundle | b64enc }}
      {{- end }}
    rules:
      - apiGroups: [tsign.dev]
        apiVersions: [v1alpha1]
        operations: [CREATE, UPDATE]
        resources: [tsignpolicies, clustertsignpolicies]
        scope: "*"
    failurePolicy: {{ .Values.failurePolicy }}
    timeoutSeconds: {{ .Values.webhookTimeout }}
    sideEffects: None
    admissionReviewVersions: [v1]
  {{- end }}
{{- end }}
{{- end }}
