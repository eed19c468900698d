output "role_arn" {
  description = "ARN of the role that the steps run as."
  value       = "arn:aws:iam::${var.account_id}:role/${aws_iam_role.steps.name}"
}

output "component" {
  description = "ZenML component: flavor and configuration."
  value = {
    flavor = "kubernetes"
    configuration = merge(
      {
        kubernetes_namespace          = var.namespace
        service_account_name          = local.service_account
        step_pod_service_account_name = local.service_account
      },
      var.connected ? {} : { kubernetes_context = local.cluster_arn },
    )
    connected   = true
    resource_id = var.cluster
  }
}

output "find_policy_arn" {
  description = "ARN of the policy that lets ZenML's connector find the cluster."
  value       = aws_iam_policy.find.arn
}

output "context" {
  description = "Name that the cluster has in a kubeconfig."
  value       = local.cluster_arn
}
